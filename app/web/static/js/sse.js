// Server-sent events out of text that arrives in pieces.

const blank = () => ({ event: '', data: null, id: null });

/** Reads the wire format (LF or CRLF). `retry` is the server's wish in milliseconds, null while it has none. */
export class Parser {
  #rest = '';
  #event = blank();
  retry = null;

  /** The events that this piece completes, as {event, data, id}; data and id are null where an event has none. */
  *feed(piece) {
    this.#rest += piece;
    let from = 0;
    for (let end; (end = this.#rest.indexOf('\n', from)) >= 0; from = end + 1) {
      const line = this.#rest.slice(from, this.#rest[end - 1] === '\r' ? end - 1 : end);
      if (line !== '') {
        this.#read(line);
      } else {
        yield this.#event;
        this.#event = blank();
      }
    }
    this.#rest = this.#rest.slice(from);
  }

  #read(line) {
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') this.#event.data = this.#event.data === null ? value : `${this.#event.data}\n${value}`;
    else if (field === 'event') this.#event.event = value;
    else if (field === 'id') this.#event.id = value || null; // an empty one would forget the place
    else if (field === 'retry' && /^\d+$/.test(value)) this.retry = Number(value);
  }
}
