// Tells people who look elsewhere: the title and the icon count what waits for them, and a hidden status line says
// what was finished. Text that is being written is never announced.

const EVERY = 5_000; // a screen reader needs time to speak

const title = document.title;
let pending = [];
let timer = 0;

/** Count the runs that wait for the reader (`data-needs`) into title and icon. */
export function mark() {
  const count = document.querySelectorAll('[data-needs]').length;
  document.title = count ? `(${count}) ${title}` : title;
  const icon = document.getElementById('favicon');
  if (!icon) return;
  icon.dataset.calm ??= icon.href;
  const wanted = count ? icon.dataset.attention : icon.dataset.calm;
  if (icon.getAttribute('href') !== wanted) icon.setAttribute('href', wanted);
}

/** Say this to screen readers, politely and once. */
export function announce(words) {
  if (!pending.includes(words)) pending.push(words);
  if (!timer) speak();
}

function speak() {
  const line = document.getElementById('announcer');
  if (!line || pending.length === 0) {
    timer = 0;
    return;
  }
  line.textContent = pending.join('. ');
  pending = [];
  timer = setTimeout(speak, EVERY);
}
