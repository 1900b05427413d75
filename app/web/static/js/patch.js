// Puts HTML fragments into the page. Each root has an id: present, it is replaced; absent, it goes where `data-into`
// points. What the reader opened, scrolled, focused or typed stays.

const scrolled = new WeakSet(); // reading scrollTop of everything would lay out the page for each fragment

/**
 * Apply fragments (strings of HTML) in order. Returns what arrived: [{element, old, into}], where `old` is null for
 * something new and `into` the element that it went into. Roots that are not `wanted`, by their id, are left out.
 */
export function patch(fragments, wanted = () => true) {
  const roots = fragments.flatMap(parse).filter((root) => wanted(root.id));
  const latest = new Map(roots.map((root, index) => [root.id, index]));
  const arrived = [];
  const heads = new Map(); // by container: the last of what this batch put at its start, so that its order holds
  roots.forEach((root, index) => {
    const old = document.getElementById(root.id);
    // One that is replaced again in this very batch need not be drawn. An absent one must, to hold its place.
    if (old && latest.get(root.id) > index) return;
    const change = old ? replace(old, root) : insert(root, heads);
    if (change) arrived.push(change);
  });
  return arrived;
}

/** Take an element away, if it is there. */
export function remove(id) {
  document.getElementById(id)?.remove();
}

/** From now on this `<details>` keeps its state over replacements, whatever the server says. */
export function hold(details) {
  details.dataset.held = '';
}

document.addEventListener('click', (event) => {
  const summary = event.target.closest?.('summary');
  if (summary) hold(summary.parentElement);
});
document.addEventListener('scroll', (event) => scrolled.add(event.target), { capture: true, passive: true });

function parse(html) {
  const template = document.createElement('template');
  template.innerHTML = html;
  return [...template.content.children].filter((root) => root.id);
}

function insert(root, heads) {
  const into = root.dataset.into && document.querySelector(root.dataset.into);
  if (!into) return null;
  if (root.dataset.at !== 'start') {
    into.append(root);
  } else {
    into.insertBefore(root, heads.has(into) ? heads.get(into).nextSibling : into.firstChild);
    heads.set(into, root);
  }
  window.htmx?.process(root);
  return { element: root, old: null, into };
}

function replace(old, fresh) {
  keepDetails(old, fresh);
  const typing = typedField(old);
  const counterpart = typing && counterpartOf(typing, old, fresh);
  if (counterpart) {
    graft(old, fresh, typing, counterpart);
    window.htmx?.process(old);
    return { element: old, old, into: old.parentElement };
  }
  const restoreScroll = scrollPositions(old, fresh);
  const focused = old.contains(document.activeElement) && selectorOf(document.activeElement);
  old.replaceWith(fresh);
  window.htmx?.process(fresh);
  restoreScroll();
  if (focused) fresh.parentElement.querySelector(focused)?.focus({ preventScroll: true });
  return { element: fresh, old, into: fresh.parentElement };
}

/** How to find the control that means the same in a later revision; null when nothing tells. */
function selectorOf(control) {
  const [key, href] = [control.dataset.key, control.getAttribute('href')];
  if (key) return `[data-key="${CSS.escape(key)}"]`;
  if (control.id) return `#${CSS.escape(control.id)}`;
  if (href) return `a[href="${CSS.escape(href)}"]`;
  if (control.localName === 'summary' && control.parentElement.id) {
    return `#${CSS.escape(control.parentElement.id)} > summary`;
  }
  return control.name ? `[name="${CSS.escape(control.name)}"][value="${CSS.escape(control.value)}"]` : null;
}

function keepDetails(old, fresh) {
  for (const [before, after] of pairs(old, fresh, 'details')) {
    if (!('held' in before.dataset)) continue;
    after.open = before.open;
    hold(after);
  }
}

function scrollPositions(old, fresh) {
  const kept = pairs(old, fresh, 'pre, .diff-wrap, .side-list')
    .filter(([before]) => scrolled.has(before))
    .map(([before, after]) => [after, before.scrollTop, before.scrollLeft]);
  return () => kept.forEach(([after, top, left]) => after.scrollTo({ top, left, behavior: 'instant' }));
}

/** Elements of both trees that are the same to a reader: by id where they have one, else by their order. */
function pairs(old, fresh, selector) {
  const all = (root) => [...(root.matches(selector) ? [root] : []), ...root.querySelectorAll(selector)];
  const after = all(fresh);
  const named = new Map(after.filter((element) => element.id).map((element) => [element.id, element]));
  const unnamed = after.filter((element) => !element.id);
  return all(old)
    .map((before) => [before, before.id ? named.get(before.id) : unnamed.shift()])
    .filter(([, counterpart]) => counterpart);
}

const TEXT_FIELDS = 'textarea, input:not([type=radio], [type=checkbox], [type=hidden], [type=submit], [type=button])';

function typedField(root) {
  const active = document.activeElement;
  return active && root.contains(active) && active.matches(TEXT_FIELDS) && active.value !== '' ? active : null;
}

/** The same field in the fresh tree, when it sits just as deep; else the trees cannot be told apart around it. */
function counterpartOf(field, old, fresh) {
  const same = field.id
    ? fresh.querySelector(`#${CSS.escape(field.id)}`)
    : [...fresh.querySelectorAll(field.localName)].find((other) => other.name === field.name);
  return same && depth(same, fresh) === depth(field, old) ? same : null;
}

function depth(element, root) {
  let steps = 0;
  for (let at = element; at !== root; at = at.parentElement) steps += 1;
  return steps;
}

/**
 * Make `old` look like `fresh` around `field`, which never leaves the page: a field that is moved loses the focus, the
 * selection, and a character that is being composed.
 */
function graft(old, fresh, field, counterpart) {
  if (old === field) return;
  copyAttributes(fresh, old);
  const kept = [...old.children].find((child) => child.contains(field));
  const model = [...fresh.children].find((child) => child.contains(counterpart));
  for (const node of [...old.childNodes]) if (node !== kept) node.remove();
  const nodes = [...fresh.childNodes];
  const middle = nodes.indexOf(model);
  kept.before(...nodes.slice(0, middle));
  kept.after(...nodes.slice(middle + 1));
  graft(kept, model, field, counterpart);
}

function copyAttributes(from, to) {
  for (const { name } of [...to.attributes]) if (!from.hasAttribute(name)) to.removeAttribute(name);
  for (const { name, value } of from.attributes) to.setAttribute(name, value);
}
