/* backoff.js -- how long to wait before the next try.
 *
 * Full jitter: each wait is a random part of a limit that doubles, so that many
 * clients of one server that went away do not come back in the same moment. */

const FIRST_MS = 500;
const LONGEST_MS = 10000;
const LEAST_MS = 100;

export class Backoff {
  #tries = 0;

  next() {
    const limit = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#tries);

    this.#tries++;
    return LEAST_MS + Math.random() * limit;
  }

  reset() {
    this.#tries = 0;
  }
}
