// The thread follows its end only while the reader is there. Elsewhere the view stands still, and a button counts what
// came below.

const NEAR = 80; // pixels from the end that still count as the end

/** Keep `scroller` at its end while the reader is near it; `jump` is the button that leads back. */
export class Follow {
  #scroller;
  #jump;
  #missed = 0;
  #following = true;
  #top = 0;

  constructor(scroller, jump) {
    this.#scroller = scroller;
    this.#jump = jump;
    jump?.addEventListener('click', () => this.toEnd());
    scroller.addEventListener('scroll', () => this.#look(), { passive: true });
    // Who opens something there reads it: growing content must not push it out of sight.
    scroller.addEventListener('click', (event) => {
      if (event.target.closest('summary')) this.#following = false;
    });
    scroller.addEventListener('toggle', () => this.#following || this.#look(), { capture: true });
    // Heights are estimates until the browser draws (content-visibility), so the end moves by itself.
    const sizes = new ResizeObserver(() => this.settle());
    for (const child of scroller.children) sizes.observe(child);
    if (!scroller.contains(document.getElementById(location.hash.slice(1)))) this.toEnd();
  }

  /** Something was added below: go along, or count it. */
  grew(steps) {
    this.settle();
    if (this.#following || !steps) return;
    this.#missed += steps;
    this.#show();
  }

  settle() {
    if (!this.#following) return;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#top = this.#scroller.scrollTop;
  }

  /** Let `change` put something into the page while `anchor` stays where the reader sees it. */
  holding(anchor, change) {
    const { top } = anchor.getBoundingClientRect();
    this.#following = false;
    change();
    const stay = (frames) => {
      if (!anchor.isConnected) return;
      this.#scroller.scrollTop += anchor.getBoundingClientRect().top - top;
      if (frames) requestAnimationFrame(() => stay(frames - 1));
    };
    stay(2); // heights are estimates until the browser has drawn
  }

  toEnd() {
    this.#following = true;
    this.#caughtUp();
    this.settle();
  }

  #look() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    if (scrollHeight - scrollTop - clientHeight < NEAR) {
      this.#following = true;
      this.#caughtUp();
    } else if (scrollTop < this.#top) {
      this.#following = false; // only people scroll up; an end that runs ahead is no wish to stay
    }
    this.#top = scrollTop;
  }

  #caughtUp() {
    this.#missed = 0;
    this.#show();
  }

  #show() {
    if (!this.#jump) return;
    this.#jump.hidden = this.#missed === 0;
    this.#jump.querySelector('span').textContent = `${this.#missed} new step${this.#missed === 1 ? '' : 's'}`;
  }
}
