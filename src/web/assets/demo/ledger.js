/* ledger.js -- what one connection was given, and whether that was all of it.
 *
 * Ids rise within a channel: one that is not above the last came twice, or out
 * of order. What is missing cannot be seen from ids, since other channels take
 * numbers too; so the ledger is compared with the journal now and then, by a
 * request of its own that asks for the same stretch. What the server says of
 * its own accord (gaps, corrections) is no delivery and is not counted. */

import { bearer } from '/access.js';

const OWN_TYPES = 'tidings.';

/* One answer with what is there after a position; never waits. */
async function read(channel, position) {
  const query = new URLSearchParams({
    flavor: 'short-poll', last_event_id: position });
  const response = await fetch(
    `/events/${encodeURIComponent(channel)}?${query}`,
    { cache: 'no-store', headers: bearer() });

  if (response.status !== 200)
    throw new Error(`answered ${response.status}`);
  return { events: await response.json(),
           upto: Number(response.headers.get('Last-Event-ID')) };
}

/* Where a page begins that wants to show the newest `count` at once. */
export async function findStart(channel, count) {
  const { events, upto } = await read(channel, `last-${count}`);

  return events.length > 0 ? events[0].id - 1 : upto;
}

export class Ledger {
  received = 0;
  repeats = 0;
  missing = 0;
  compared = 0;
  #channel;
  #comparedUpto;
  #unchecked = new Set();

  constructor(channel, after) {
    this.#channel = channel;
    this.last = after;
    this.#comparedUpto = after;
  }

  /* Is it new? */
  take(id) {
    if (id <= this.last) {
      this.repeats++;
      return false;
    }
    this.last = id;
    this.received++;
    this.#unchecked.add(id);
    return true;
  }

  /* The server said that what lies before is gone, or is another journal's. */
  resume(id) {
    this.last = id;
    this.#comparedUpto = id;
    this.#unchecked.clear();
  }

  /* Compares with the journal up to the last event that came. */
  async compare() {
    while (this.#comparedUpto < this.last) {
      const begin = this.#comparedUpto;
      const { events } = await read(this.#channel, begin);

      if (begin !== this.#comparedUpto)
        return; /* a gap was told meanwhile */
      for (const event of events)
        this.#check(event);
      if (events.length === 0 || this.#comparedUpto === begin)
        this.#comparedUpto = this.last; /* trimmed: nothing to compare with */
      this.#forgetWithdrawn();
    }
  }

  #check({ id, data: { type } }) {
    if (id > this.last)
      return;
    this.#comparedUpto = Math.max(this.#comparedUpto, id);
    if (type.startsWith(OWN_TYPES))
      return;
    this.compared++;
    if (!this.#unchecked.delete(id))
      this.missing++;
  }

  /* What came and is in the journal no longer. */
  #forgetWithdrawn() {
    for (const id of this.#unchecked)
      if (id <= this.#comparedUpto)
        this.#unchecked.delete(id);
  }
}
