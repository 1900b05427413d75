// Typed text survives a reload (`data-draft`), is counted (`data-counter`), and goes only once it has been sent.

const NEAR = 500; // characters before the limit at which the counter warns

const key = (field) => `draft:${field.dataset.draft}`;

/** Bring drafts and counters up to date in `root`, with what this tab still knows. */
export function restoreDrafts(root = document) {
  for (const field of root.querySelectorAll('[data-draft]')) {
    if (field.value === '') field.value = sessionStorage.getItem(key(field)) ?? '';
  }
  root.querySelectorAll('[data-counter]').forEach(count);
}

/** Keep and count what is typed. */
export function keepDrafts() {
  document.addEventListener('input', ({ target }) => {
    if (target.dataset?.counter) count(target);
    if (target.dataset?.draft) sessionStorage.setItem(key(target), target.value);
  });
  restoreDrafts();
}

/** The form was sent: its drafts are done with. */
export function dropDrafts(form) {
  for (const field of form.querySelectorAll('[data-draft]')) sessionStorage.removeItem(key(field));
}

function count(field) {
  const counter = document.getElementById(field.dataset.counter);
  if (!counter) return;
  const limit = field.maxLength;
  counter.replaceChildren(field.value.length.toLocaleString('en'), max(limit));
  counter.classList.toggle('near', field.value.length >= limit - NEAR);
}

function max(limit) {
  const span = document.createElement('span');
  span.className = 'max';
  span.textContent = ` / ${limit.toLocaleString('en')}`;
  return span;
}
