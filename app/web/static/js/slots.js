// Which pages of a browser may hold a stream. Over HTTP/1.1 a browser opens six connections to a host, and pages that
// hold them all leave none for anything else.

const SLOTS = 4;

/** A function that gives the slot back, or null when other pages hold them all. */
export async function takeSlot() {
  if (!navigator.locks) return () => {}; // plain http, where the browser has no locks
  for (let number = 0; number < SLOTS; number++) {
    const release = await tryLock(`live-${number}`);
    if (release) return release;
  }
  return null;
}

function tryLock(name) {
  return new Promise((resolve) => {
    navigator.locks.request(name, { ifAvailable: true }, (lock) => {
      if (!lock) return resolve(null);
      return new Promise((release) => resolve(release)); // the lock is held until this is settled
    });
  });
}
