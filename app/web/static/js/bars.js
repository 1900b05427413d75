// What the page says about itself: the connection, a new version, silence, and requests that went wrong.

import { wallTime } from './times.js';

const SILENT_FOR = 2_000; // most drops are over by then
const QUIET_AFTER = 5 * 60_000;
const WORDS = { live: 'Live', polling: 'Live', retrying: 'Reconnecting', paused: 'Paused', 'signed-out': 'Signed out' };

/** Fill a bar `<div id hidden><span></span><button></button></div>`; without words it goes. */
function show(id, words = '', button = '', act = null) {
  const bar = document.getElementById(id);
  if (!bar) return;
  bar.hidden = words === '';
  bar.querySelector('span').textContent = words;
  if (!act) return;
  bar.querySelector('button').textContent = button;
  bar.querySelector('button').onclick = act;
}

/** The bar of the connection, and the word beside the run's status. */
export class Connection {
  #retry;
  #lostAt = 0;
  #nextTry = 0;
  #timer = 0;
  #outdated = false;

  /** `retry` is called for "Try now". */
  constructor(retry) {
    this.#retry = retry;
  }

  status(state, detail) {
    this.#word(state);
    clearInterval(this.#timer);
    if (state === 'retrying') {
      this.#lostAt ||= Date.now();
      this.#nextTry = Date.now() + detail.delay;
      this.#timer = setInterval(() => this.#countDown(), 500);
      this.#countDown();
      return;
    }
    this.#lostAt = 0;
    if (state === 'signed-out') show('connection', 'You are signed out.', 'Sign in', () => location.reload());
    else if (this.#outdated) this.outdated();
    else show('connection');
  }

  /** The service runs another version than this page. */
  outdated() {
    this.#outdated = true;
    show('connection', 'A new version is ready.', 'Reload', () => location.reload());
  }

  #countDown() {
    if (Date.now() - this.#lostAt < SILENT_FOR) return;
    const seconds = Math.ceil((this.#nextTry - Date.now()) / 1000);
    const next = seconds > 0 ? `Next try in ${seconds} s.` : 'Trying…';
    show('connection', `Connection lost. Claude keeps working; nothing is missed. ${next}`, 'Try now', this.#retry);
  }

  #word(state) {
    for (const word of document.querySelectorAll('[data-live-status]')) {
      word.hidden = !(state in WORDS);
      word.textContent = WORDS[state] ?? '';
      word.dataset.s = state;
    }
  }
}

/** Says when a run that should be working has not been heard of for five minutes. */
export class Quiet {
  #heardAt = Date.now();

  constructor() {
    setInterval(() => this.#look(), 10_000);
  }

  heard() {
    this.#heardAt = Date.now();
    show('quiet');
  }

  #look() {
    const silent = Date.now() - this.#heardAt > QUIET_AFTER && document.querySelector('[data-running]');
    show('quiet', silent ? `No sign of life since ${wallTime(new Date(this.#heardAt))}.` : '');
  }
}

/** Show what went wrong with a request, until it is dismissed. */
export function problem(words) {
  show('problem', words, 'Dismiss', () => show('problem'));
}

/** What to say about an answer that is an error. */
export function reason(status, type, body) {
  if (type.includes('json')) {
    try {
      const { detail, message } = JSON.parse(body);
      if (typeof (detail ?? message) === 'string') return detail ?? message;
    } catch {
      // Not JSON after all: the status must do.
    }
  }
  if (type.startsWith('text/plain') && body && body.length < 300) return body;
  if (status === 401 || status === 403) return 'You are signed out. Reload the page; what you typed is kept.';
  return `The service answered ${status}. What you typed is kept; try again.`;
}
