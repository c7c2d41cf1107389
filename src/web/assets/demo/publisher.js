/* publisher.js -- publishes in order, each event once, however long it takes.
 *
 * An event gets its key when it is made. If no answer comes, it may have been
 * stored or not; the same key makes trying again safe. */

import { bearer } from '/access.js';
import { Backoff } from './backoff.js';

/* crypto.randomUUID() is there only on https and localhost. */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));

  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

export class Publisher {
  #path;
  #queue = [];
  #isRunning = false;
  #tell;

  /* tell.stored(ids), tell.retrying(waiting, ms), tell.refused(sentence) */
  constructor(channel, tell) {
    this.#path = '/publish/' + encodeURIComponent(channel);
    this.#tell = tell;
  }

  publish(type, data) {
    this.#add(1, JSON.stringify(data),
      { 'Event-Type': type, 'Idempotency-Key': newKey() });
  }

  /* All or nothing, one commit. */
  publishAll(type, list) {
    const lines = list.map((data) =>
      JSON.stringify({ type, data, key: newKey() }));

    this.#add(list.length, lines.join('\n'),
      { 'Content-Type': 'application/x-ndjson' });
  }

  #add(count, body, headers) {
    this.#queue.push({ count, body, headers });
    if (!this.#isRunning)
      this.#run();
  }

  async #run() {
    const backoff = new Backoff();

    this.#isRunning = true;
    while (this.#queue.length > 0) {
      if (await this.#offer(this.#queue[0])) {
        this.#queue.shift();
        backoff.reset();
      } else {
        const ms = backoff.next();
        const waiting = this.#queue.reduce((sum, each) => sum + each.count, 0);

        this.#tell.retrying(waiting, ms);
        await new Promise((resolve) => setTimeout(resolve, ms));
      }
    }
    this.#isRunning = false;
  }

  /* Is it settled, one way or the other? */
  async #offer({ body, headers }) {
    try {
      const response = await fetch(this.#path,
        { method: 'POST', body, headers: { ...headers, ...bearer() } });
      const answer = await response.json();

      if (response.status >= 500)
        return false;
      if (response.ok)
        this.#tell.stored(answer.ids ?? [answer.id]);
      else
        this.#tell.refused(answer.message);
      return true;
    } catch {
      return false;
    }
  }
}
