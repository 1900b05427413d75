// Single keys. They do nothing while somebody types, with Ctrl, Alt or ⌘ held, or while a menu or dialog is open; and
// they can be switched off, for people who speak to their computer.

const OFF = 'keys-off';

const LIST = [
  ['Shift N', 'New code run'],
  ['/', 'Find a run'],
  ['J  K', 'Next and previous run in the list (arrows, too, while one has the focus; ↓ from the search)'],
  ['Enter', 'Open the run'],
  ['1 – 4', 'Choose an answer'],
  ['A', 'Go to Approve'],
  ['T  R  M', 'Ticket, repositories and mode of a new run'],
  ['Ctrl Enter', 'Send (⌘ Enter on a Mac)'],
  ['Esc', 'Close what is open, leave a field'],
  ['?', 'This list'],
];

/** Listen on the whole page. */
export function listenToKeys() {
  document.addEventListener('keydown', onKey);
  document.addEventListener('click', (event) => {
    if (event.target.closest('[data-keys]')) openList();
  });
}

function onKey(event) {
  if (event.defaultPrevented || event.isComposing) return;
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) return send(event);
  if (event.key === 'Escape') return leave(event);
  if (event.key === 'ArrowDown' && event.target.id === 'find') return walk(1) && event.preventDefault();
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || somethingIsOpen()) return;
  if (event.key.startsWith('Arrow')) return arrow(event);
  if (localStorage.getItem(OFF) !== null) return;
  if (single(event)) event.preventDefault();
}

/** Do what a single key stands for; false when it stands for nothing here. */
function single({ key, shiftKey }) {
  if (key === '?') return openList();
  if (key === '/') return focus(document.getElementById('find'));
  if (shiftKey) return key === 'N' && click(document.querySelector('.new-run'));
  if (key === 'j' || key === 'k') return walk(key === 'j' ? 1 : -1);
  if (key === 'a') return focus(visible('[data-approve]')[0]);
  if (/^[1-4]$/.test(key)) return choose(Number(key));
  return click(visible(`[data-hotkey="${CSS.escape(key)}"]`)[0]);
}

function send(event) {
  const form = event.target.form ?? event.target.closest('form');
  const button = form?.querySelector('[data-send], .primary');
  if (!button || button.disabled || somethingIsOpen()) return;
  event.preventDefault();
  form.requestSubmit(button.type === 'submit' ? button : null);
}

function leave(event) {
  if (!isTyping(event.target) || somethingIsOpen()) return;
  event.preventDefault(); // browsers empty a search field, and what was found would be gone
  event.target.blur();
}

function arrow(event) {
  if (!event.target.closest('#runs')) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && walk(step)) event.preventDefault();
}

/** Move the focus in the list of runs, from the one that is shown. */
function walk(step) {
  const runs = visible('#runs a.run');
  const focused = runs.indexOf(document.activeElement);
  const at = focused >= 0 ? focused : runs.findIndex((run) => run.hasAttribute('aria-current'));
  const first = step > 0 ? 0 : runs.length - 1;
  return focus(at < 0 ? runs[first] : runs[at + step]);
}

function choose(number) {
  const form = visible('.card.ask')[0];
  return click(form?.querySelectorAll('.choices input:is([type=radio], [type=checkbox])')[number - 1]);
}

function focus(element) {
  element?.focus();
  element?.scrollIntoView({ block: 'nearest' });
  return Boolean(element);
}

function click(element) {
  element?.focus();
  element?.click(); // last, because a menu takes the focus
  return Boolean(element);
}

function visible(selector) {
  return [...document.querySelectorAll(selector)].filter((element) => element.checkVisibility());
}

function isTyping(element) {
  if (!element.matches?.('input, textarea, select')) return false;
  return !['radio', 'checkbox', 'button', 'submit'].includes(element.type);
}

function somethingIsOpen() {
  return document.querySelector(':popover-open, dialog[open]') !== null;
}

// The list of keys

function openList() {
  const dialog = document.getElementById('keys') ?? document.body.appendChild(buildList());
  dialog.showModal();
  return true;
}

function buildList() {
  const dialog = element('dialog', { id: 'keys', className: 'keys' });
  dialog.setAttribute('aria-labelledby', 'keys-title');
  const rows = LIST.map(([keys, what]) => {
    const row = element('div');
    const names = element('dt');
    names.append(...keys.split('  ').map((name) => element('kbd', { textContent: name })));
    row.append(names, element('dd', { textContent: what }));
    return row;
  });
  const list = element('dl');
  list.append(...rows);
  const close = element('button', { className: 'btn', textContent: 'Close', autofocus: true });
  close.addEventListener('click', () => dialog.close());
  dialog.append(element('h2', { id: 'keys-title', textContent: 'Keys' }), list, buildSwitch(), close);
  return dialog;
}

function buildSwitch() {
  const box = element('input', { type: 'checkbox', className: 'switch', checked: localStorage.getItem(OFF) === null });
  box.setAttribute('role', 'switch');
  box.addEventListener('change', () => {
    if (box.checked) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, '');
  });
  const label = element('label', { className: 'keys-switch' });
  label.append(box, 'Single keys');
  return label;
}

function element(name, properties = {}) {
  return Object.assign(document.createElement(name), properties);
}
