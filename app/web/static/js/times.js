// Times that go on: `data-since` (how long something has been running), `data-ago` (how old it is), `data-clock` (the
// wall time of the reader's place).

let ahead = 0; // how far the server's clock is ahead of this one, in milliseconds

/** Go by the server's clock from now on. */
export function setClock(serverTime) {
  const difference = Date.parse(serverTime) - Date.now();
  if (Number.isFinite(difference)) ahead = difference;
}

/** `14m 08s`, `1h 02m 03s`. */
export function duration(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (number) => String(number).padStart(2, '0');
  return h ? `${h}h ${two(m)}m ${two(s)}s` : `${m}m ${two(s)}s`;
}

/** `now`, `4m`, `2h`, `3d`. */
export function age(milliseconds) {
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 1) return 'now';
  if (minutes < 60) return `${minutes}m`;
  return minutes < 24 * 60 ? `${Math.floor(minutes / 60)}h` : `${Math.floor(minutes / 60 / 24)}d`;
}

/** The wall time here, `09:41`. */
export function wallTime(date) {
  return date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false });
}

/** Start the clocks of this page. */
export function keepTime() {
  setInterval(tick, 1_000);
  setInterval(() => showAges(), 30_000);
  showAges();
}

/** Show the wall times in `root` as the reader's own, and ages and durations as they are by now. */
export function localize(root) {
  tick(root);
  showAges(root);
  const own = root.matches?.('time[data-clock]') ? [root] : [];
  for (const time of [...own, ...root.querySelectorAll('time[data-clock]')]) {
    const date = new Date(time.dateTime);
    if (Number.isNaN(date.getTime())) continue;
    time.textContent = wallTime(date);
    time.title = date.toLocaleString();
  }
}

function tick(root = document) {
  const now = Date.now() + ahead;
  for (const time of root.querySelectorAll('time[data-since]')) {
    write(time, duration(now - Date.parse(time.dataset.since)));
  }
}

function showAges(root = document) {
  const now = Date.now() + ahead;
  for (const time of root.querySelectorAll('time[data-ago]')) write(time, age(now - Date.parse(time.dataset.ago)));
}

function write(time, text) {
  if (time.textContent !== text) time.textContent = text; // an equal text is a change to the browser all the same
}
