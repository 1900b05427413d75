// The composer: its pills and labels say what its native inputs hold. The inputs are the truth, so that the same form
// works without this script; it holds no state but in them.

const MOST_REPOSITORIES = 6;
const TOO_MANY = 'At most six repositories a run';

let branchOf = null; // the repository whose branch menu is open

/** Look after every composer, those that arrive later included. */
export function followComposers() {
  document.addEventListener('input', refreshOwner);
  document.addEventListener('change', refreshOwner);
  document.addEventListener('click', onClick);
  document.addEventListener('keydown', inMenu);
  document.addEventListener('input', ({ target }) => target.dataset?.filter && filter(target));
  document.addEventListener('toggle', onMenu, { capture: true });
  aimAtSearches();
  refreshComposers();
}

/** A menu that opens puts the focus where `autofocus` is. On a phone the keyboard would then cover the menu. */
function aimAtSearches() {
  if (!matchMedia('(hover: hover)').matches) return;
  for (const search of document.querySelectorAll('.menu input[type=search]')) search.autofocus = true;
}

/** Bring all composers up to date, and take the ticket that a request has just brought. */
export function refreshComposers() {
  const picked = document.querySelector('[data-ticket][data-picked]');
  if (picked) {
    delete picked.dataset.picked;
    pick(picked);
  }
  document.querySelectorAll('form[data-composer]').forEach(refresh);
}

function refreshOwner({ target }) {
  if (!target.form?.matches('[data-composer]')) return;
  if (target.name === 'repos') target.form.dataset.chose = '';
  if (target.localName === 'textarea') drawSend(target.form);
  else refresh(target.form);
}

function refresh(form) {
  limitRepositories(form);
  drawPills(form);
  drawModes(form);
  drawSend(form);
}

// Ticket and repositories

const composer = () => document.querySelector('form[data-composer]');
const boxes = (form) => [...form.elements].filter((field) => field.name === 'repos');
const chosen = (form) => boxes(form).filter((box) => box.checked);
const branchField = (form, repository) => form.elements[`branch:${repository}`];

function pick(option) {
  const form = composer();
  const field = form?.elements.ticket;
  if (!field) return false;
  field.value = option.dataset.ticket;
  field.dataset.title = option.dataset.title ?? '';
  const mapped = (option.dataset.repos ?? '').split(' ').filter(Boolean);
  // What the reader has chosen stays; what was only suggested gives way, or Claude works in one too many.
  if (mapped.length && !('chose' in form.dataset)) {
    for (const box of boxes(form)) box.checked = mapped.includes(box.value);
  }
  option.closest('[popover]')?.hidePopover();
  refresh(form);
  form.querySelector('textarea')?.focus();
  return true;
}

function limitRepositories(form) {
  const full = chosen(form).length >= MOST_REPOSITORIES;
  for (const box of boxes(form)) {
    box.disabled = full && !box.checked;
    const option = box.closest('.opt');
    if (box.disabled) option.title = TOO_MANY;
    else option.removeAttribute('title');
    box.toggleAttribute('aria-description', box.disabled);
    if (box.disabled) box.setAttribute('aria-description', TOO_MANY);
  }
}

function drawPills(form) {
  const pills = form.querySelector('[data-pills]');
  if (!pills) return;
  const ticket = form.elements.ticket;
  const repositories = chosen(form).map((box) => [box.value, branchField(form, box.value)?.value]);
  const shown = JSON.stringify([ticket?.value, repositories]);
  if (pills.dataset.shown === shown) return; // an open menu hangs on its pill
  pills.dataset.shown = shown;
  const wanted = ticket?.value ? [ticketPill(form, ticket)] : [];
  wanted.push(...chosen(form).map((box) => repositoryPill(form, box)));
  pills.querySelectorAll('[data-pill-of]').forEach((pill) => pill.remove());
  pills.prepend(...wanted);
  const add = pills.querySelector('[data-add=ticket]');
  if (add) add.hidden = Boolean(ticket?.value);
  const count = pills.querySelector('[data-repos-count]');
  if (count) count.textContent = chosen(form).length ? `${chosen(form).length} of ${MOST_REPOSITORIES}` : '';
}

function ticketPill(form, { value: key, dataset }) {
  const pill = stamp(form, 'ticket', { key, title: dataset.title ?? '' });
  pill.querySelector('[data-remove]')?.setAttribute('aria-label', `Remove ticket ${key}`);
  return pill;
}

function repositoryPill(form, box) {
  const name = box.dataset.name ?? box.value;
  const branch = branchField(form, box.value)?.value ?? '';
  const pill = stamp(form, 'repo', { name, branch });
  pill.dataset.pillOf = box.value;
  pill.querySelector('[data-remove]').setAttribute('aria-label', `Remove ${name}`);
  pill.querySelector('[data-branch-button]')?.setAttribute('aria-label', `Base branch of ${name}: ${branch}`);
  return pill;
}

function stamp(form, kind, texts) {
  const pill = form.querySelector(`template[data-pill=${kind}]`).content.cloneNode(true).firstElementChild;
  pill.dataset.pillOf = '';
  for (const place of pill.querySelectorAll('[data-text]')) place.textContent = texts[place.dataset.text];
  return pill;
}

function removePill(pill) {
  const form = pill.closest('form');
  const repository = pill.dataset.pillOf;
  if (repository) boxes(form).find((box) => box.value === repository).checked = false;
  else form.elements.ticket.value = '';
  refresh(form);
  form.querySelector(`[data-add=${repository ? 'repos' : 'ticket'}]`)?.focus(); // the button under the finger is gone
}

// Menus that open

function onMenu({ target, newState }) {
  if (target.id !== 'm-branch' || newState !== 'open') return;
  const repository = document.getElementById('branch-repo');
  if (!repository || branchOf === null) return;
  repository.value = branchOf;
  const find = target.querySelector('[data-branch-find]');
  find.value = '';
  find.dispatchEvent(new CustomEvent('branch-menu'));
}

function setBranch(name) {
  const form = composer();
  const field = branchOf !== null && form && branchField(form, branchOf);
  if (!field || !name) return;
  field.value = name;
  document.getElementById('m-branch').hidePopover();
  refresh(form);
}

// Mode, model, sending

function drawModes(form) {
  for (const button of form.querySelectorAll('[data-shows]')) {
    const input = form.querySelector(`[name="${button.dataset.shows}"]:checked`);
    if (input) button.querySelector('[data-label]').textContent = input.closest('.opt').querySelector('b').textContent;
  }
  for (const radio of form.querySelectorAll('.menu [type=radio]')) radio.autofocus = radio.checked;
  const mode = form.querySelector('[name=mode]:checked')?.value;
  for (const only of form.querySelectorAll('[data-only-mode]')) {
    only.hidden = only.dataset.onlyMode !== mode;
    only.querySelector('input').disabled = only.hidden;
  }
  const automatic = form.querySelector('[name=auto_pr]');
  const note = form.querySelector('[data-shows-auto-pr]');
  if (note && automatic) note.hidden = !automatic.checked || automatic.disabled;
}

function drawSend(form) {
  const button = form.querySelector('[data-send]');
  const text = form.querySelector('textarea');
  if (!button || !text) return;
  button.dataset.label ??= button.getAttribute('aria-label') ?? 'Send';
  const missing = whatIsMissing(form, text);
  button.disabled = missing !== '';
  button.setAttribute('aria-label', missing ? `${button.dataset.label}: ${missing}` : button.dataset.label);
  button.title = missing;
  const { placeholderChosen } = text.dataset;
  if (!placeholderChosen) return;
  text.dataset.placeholder ??= text.placeholder;
  text.placeholder = form.elements.ticket?.value ? placeholderChosen : text.dataset.placeholder;
}

function whatIsMissing(form, text) {
  if (form.elements.ticket && !form.elements.ticket.value) return 'choose a ticket first';
  if (boxes(form).length && !chosen(form).length) return 'choose a repository first';
  if (text.required && !text.value.trim()) return 'write a message first';
  return '';
}

// Clicks and keys

function onClick(event) {
  const on = (selector) => event.target.closest(selector);
  const option = on('[data-ticket]');
  if (option && !event.ctrlKey && !event.metaKey && pick(option)) event.preventDefault();
  if (on('[data-remove]')) removePill(on('[data-pill-of]'));
  if (on('[data-branch-button]')) branchOf = on('[data-pill-of]').dataset.pillOf;
  if (on('[data-branch]')) setBranch(on('[data-branch]').dataset.branch);
}

function inMenu(event) {
  const menu = event.target.closest?.('.menu:popover-open');
  if (!menu || event.ctrlKey || event.metaKey || event.altKey) return;
  const isSearch = event.target.type === 'search';
  if (event.key === 'Enter' && isSearch) {
    event.preventDefault(); // it would send the form
    takeFirst(menu, event.target);
  } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
    if (event.target.type !== 'radio') moveIn(menu, event);
  } else if (/^[1-9]$/.test(event.key) && !event.target.matches('.input, [type=search]')) {
    menu.querySelectorAll('input[type=radio]')[Number(event.key) - 1]?.click();
  }
}

function takeFirst(menu, search) {
  const first = [...menu.querySelectorAll('.opt')].find((option) => option.checkVisibility());
  if (first) (first.querySelector('input') ?? first).click();
  else if (search.matches('[data-branch-find]')) setBranch(search.value.trim());
}

function moveIn(menu, event) {
  const all = [...menu.querySelectorAll('input:enabled, button:enabled, a[href]')];
  const stops = all.filter((stop) => stop.checkVisibility());
  stops[stops.indexOf(event.target) + (event.key === 'ArrowDown' ? 1 : -1)]?.focus();
  event.preventDefault();
}

function filter(search) {
  const words = search.value.toLowerCase().split(/\s+/);
  for (const option of document.querySelectorAll(`#${CSS.escape(search.dataset.filter)} .opt`)) {
    const text = option.textContent.toLowerCase();
    option.hidden = !words.every((word) => text.includes(word));
  }
}
