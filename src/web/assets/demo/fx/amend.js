/* amend.js -- a wrong price, and what can be done about it.
 *
 * The buttons speak to the publisher's side of the server: POST, then PUT or
 * DELETE of that event. What happens on the page comes back by the stream, as it
 * does on every other page. */

import { bearer } from '/access.js';

const ANSWER_MS = 10000;
const FAR_OFF = 1.005;

const byId = (id) => document.getElementById(id);

async function send(method, path, body, headers = {}) {
  const response = await fetch(path, {
    method, body, headers: { ...headers, ...bearer() },
    signal: AbortSignal.timeout(ANSWER_MS) });
  const answer = await response.json();

  if (!response.ok)
    throw new Error(answer.message ?? `the server answers ${response.status}`);
  return answer;
}

export class Amend {
  #channel;
  #newest;
  #wrong = null; /* { id, quote } while there is one to amend */

  /* newest(): the pair and its newest row, or null */
  constructor(channel, newest) {
    this.#channel = channel;
    this.#newest = newest;
    byId('mistake').onclick = () => this.#try(() => this.#mistake());
    byId('correct').onclick = () => this.#try(() => this.#correct());
    byId('withdraw').onclick = () => this.#try(() => this.#withdraw());
  }

  async #try(step) {
    try {
      byId('amended').textContent = await step();
    } catch (error) {
      byId('amended').textContent = `Not done: ${error.message}`;
    }
    for (const button of ['correct', 'withdraw'])
      byId(button).disabled = this.#wrong === null;
  }

  #quote({ symbol, row }, madeAt, factor) {
    const timestamp =
      new Date(madeAt).toISOString().replace('T', ' ').replace('Z', '');
    const digits = row.bid.length - 1 - row.bid.indexOf('.');
    const price = (value) => (Number(value) * factor).toFixed(digits);

    return JSON.stringify({ symbol, timestamp, rows: [{
      id: madeAt, timestamp, bid: price(row.bid), ask: price(row.ask) }] });
  }

  async #mistake() {
    const newest = this.#newest();

    if (newest === null)
      return 'No price yet that a mistake could be made with.';
    const madeAt = Math.max(Date.now(), newest.row.madeAt + 1);
    const { id } = await send('POST', `/publish/${this.#channel}`,
      this.#quote(newest, madeAt, FAR_OFF), { 'Event-Time': String(madeAt) });

    this.#wrong = { id, right: this.#quote(newest, madeAt, 1) };
    return `A wrong ${newest.symbol} is out, as event ${id}.`;
  }

  async #correct() {
    const { id, right } = this.#wrong;

    await send('PUT', `/publish/${this.#channel}/${id}`, right);
    this.#wrong = null;
    return `Event ${id} is corrected, here and in the journal.`;
  }

  async #withdraw() {
    const { id } = this.#wrong;

    await send('DELETE', `/publish/${this.#channel}/${id}`);
    this.#wrong = null;
    return `Event ${id} is withdrawn.`;
  }
}
