// The live stream of a page: server-sent events over fetch, lost and repeated never.
//
// EventSource gives up for good on an error status (a deploy), and never notices a half-open socket. This speaks the
// same protocol (id, event, data, retry, Last-Event-ID) and does neither.

import { Parser } from './sse.js';
import { takeSlot } from './slots.js';

const DEFAULTS = {
  after: '', // the id that the page already shows
  apply: () => {}, // gets the unnamed events of one frame, in order
  on: {}, // named events: {name: event => …}
  status: () => {}, // (state, {attempt, delay}): live, retrying, polling, paused, signed-out, ended
  deadAfter: 40_000, // the server pings every 15 s: this silence means that nobody is there
  minDelay: 500,
  maxDelay: 15_000,
  hiddenGrace: 20_000,
  pollEvery: 4_000,
};

const FRAME_LIMIT = 250; // a hidden page gets no animation frames
const FRAME_EVENTS = 200; // a burst must not hold up the reader's own clicks

/** Follow `url` until it ends. All times are milliseconds. */
export function connect(url, options = {}) {
  const live = new Live(url, { ...DEFAULTS, ...options });
  live.run();
  return live;
}

class Live {
  #url;
  #options;
  #parser;
  #request = null;
  #retry;
  #attempt = 0;
  #hidden = document.hidden;
  #closed = false;
  #release = null; // gives the slot back; null without one
  #wake = () => {};
  #queue = [];
  #frame = 0;
  #late = 0;
  #listening = new AbortController();

  constructor(url, options) {
    this.#url = url;
    this.#options = options;
    this.#retry = options.minDelay;
    this.last = String(options.after);
    this.state = '';
    this.#watchPage();
  }

  /** Do not wait for the next try. */
  now() {
    this.#attempt = 0;
    this.#wake();
  }

  close() {
    this.#end('ended');
    this.#request?.abort();
    this.#wake();
  }

  async run() {
    while (!this.#closed) {
      if (this.#hidden) await this.#pause();
      else await this.#connectOnce();
    }
    this.#giveSlotBack();
    this.#listening.abort();
  }

  async #pause() {
    this.#giveSlotBack();
    this.#say('paused');
    await new Promise((resolve) => (this.#wake = resolve));
  }

  async #connectOnce() {
    this.#release ??= await takeSlot();
    const poll = !this.#release;
    const ended = await this.#read(poll).then(() => true, () => false);
    if (this.#closed || this.#hidden) return;
    if (poll && ended) return this.#nap(this.#options.pollEvery);
    const delay = Math.min(this.#options.maxDelay, this.#retry * 2 ** this.#attempt) * (0.7 + Math.random() * 0.6);
    this.#attempt += 1;
    this.#say('retrying', { attempt: this.#attempt, delay });
    return this.#nap(delay);
  }

  /** Read one answer to its end. Rejects when it breaks off, stays silent, or is no event stream. */
  async #read(poll) {
    const request = (this.#request = new AbortController());
    let watchdog = 0;
    const alive = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => request.abort(), this.#options.deadAfter);
    };
    alive();
    try {
      const response = await fetch(this.#address(poll), {
        headers: { Accept: 'text/event-stream', ...(this.last && { 'Last-Event-ID': this.last }) },
        cache: 'no-store',
        signal: request.signal,
      });
      if (!this.#isStream(response)) return;
      this.#say(poll ? 'polling' : 'live');
      this.#parser = new Parser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let part; !this.#closed && !(part = await reader.read()).done; ) {
        alive();
        this.#take(part.value);
      }
      this.#attempt = 0;
    } finally {
      clearTimeout(watchdog);
      request.abort(); // lets go of a body that nobody reads
    }
  }

  #address(poll) {
    if (!poll) return this.#url;
    return `${this.#url}${this.#url.includes('?') ? '&' : '?'}once=1`;
  }

  #isStream(response) {
    if (response.status === 204) return this.#end('ended');
    if (response.status === 401 || response.status === 403) return this.#end('signed-out');
    const type = response.headers.get('content-type') ?? '';
    if (!response.ok || !type.startsWith('text/event-stream')) throw new Error(`no event stream: ${response.status}`);
    return true;
  }

  #take(piece) {
    this.#attempt = 0;
    // An id counts only here, when its whole event has arrived: half an event is asked for again.
    for (const event of this.#parser.feed(piece)) {
      const seen = event.id !== null && this.last !== '' && Number(event.id) <= Number(this.last);
      if (seen) continue;
      if (event.id !== null) this.last = event.id;
      if (event.data !== null) this.#push(event);
      if (this.#closed) break;
    }
    this.#retry = this.#parser.retry ?? this.#retry;
  }

  #push(event) {
    if (event.event === '' || event.event === 'message') {
      this.#queue.push(event);
      this.#schedule();
      return;
    }
    this.#flush(); // what came before is applied before
    this.#options.on[event.event]?.(event);
    if (event.event === 'done') this.#end('ended');
  }

  #schedule() {
    this.#late ||= setTimeout(() => this.#flush(FRAME_EVENTS), FRAME_LIMIT);
    this.#frame ||= requestAnimationFrame(() => this.#flush(FRAME_EVENTS));
  }

  #flush(most = Infinity) {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#late);
    this.#frame = this.#late = 0;
    const events = this.#queue.splice(0, most);
    if (this.#queue.length) this.#schedule();
    if (events.length) this.#options.apply(events);
  }

  #end(state) {
    this.#closed = true;
    this.#say(state);
    return false;
  }

  #say(state, detail) {
    if (state === this.state && !detail) return;
    this.state = state;
    this.#options.status(state, detail);
  }

  #nap(delay) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delay);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #giveSlotBack() {
    this.#release?.();
    this.#release = null;
  }

  #watchPage() {
    const { signal } = this.#listening;
    let grace = 0;
    document.addEventListener('visibilitychange', () => {
      clearTimeout(grace);
      if (document.hidden) grace = setTimeout(() => this.#hide(), this.#options.hiddenGrace);
      else this.#show();
    }, { signal });
    window.addEventListener('online', () => this.now(), { signal });
    window.addEventListener('pagehide', () => {
      this.#request?.abort();
      this.#giveSlotBack();
    }, { signal });
  }

  #hide() {
    this.#hidden = true;
    this.#request?.abort();
    this.#wake();
  }

  #show() {
    this.#hidden = false;
    this.now();
  }
}
