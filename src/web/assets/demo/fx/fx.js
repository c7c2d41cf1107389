/* fx.js -- the page: one stream, three cards, and what can be tried.
 *
 * Everything from outside is shown as text, never as HTML. */

import { token } from '/access.js';
import { tidings } from '/tidings.js';

import { Backoff } from '../backoff.js';
import { Away, GAP_TEXTS, seconds, showState } from '../connection.js';
import { Ledger, findStart } from '../ledger.js';
import { Amend } from './amend.js';
import { Pair } from './pair.js';
import { Pause } from './pause.js';

const CHANNEL = 'fx';
const SYMBOLS = ['USD/JPY', 'EUR/USD', 'AUD/GBP'];
const EVENTS_AT_START = 360; /* two minutes of three quotes a second */
const COMPARE_MS = 3000;
const TICK_MS = 1000;

const TRANSPORT_TEXTS = {
  fetch: 'by a fetch stream',
  eventsource: 'by EventSource',
  websocket: 'by WebSocket',
  'long-poll': 'by long-poll',
  'short-poll': 'by asking again and again',
};

const byId = (id) => document.getElementById(id);

function makePair(symbol) {
  const root = byId('pair').content.firstElementChild.cloneNode(true);

  byId('pairs').append(root);
  return new Pair(symbol, root);
}

class Page {
  #pairs = new Map(SYMBOLS.map((symbol) => [symbol, makePair(symbol)]));
  #pause = new Pause();
  #away = new Away();
  #ledger;
  #breaks = '';
  #keepalives = 0;
  #heardAt = null;
  #lastSymbol = null;
  #toShow = new Set();

  constructor(start) {
    this.#ledger = new Ledger(CHANNEL, start);
    new Amend(CHANNEL, () => this.#newest());
    tidings('/events', {
      channels: CHANNEL,
      token,
      after: String(start),
      onState: (change) => this.#moved(change),
      onEvent: (event) => this.#take(event),
      onGap: (gap) => this.#resume(gap),
      onCorrection: (correction) => this.#correct(correction),
      onWithdrawal: (withdrawal) => this.#withdraw(withdrawal),
      onShutdown: (announcement) => this.#pause.announced(announcement),
      onKeepalive: () => this.#keepAlive(),
    });
    setInterval(() => this.#showHeard(), TICK_MS);
    this.#compare();
  }

  /* ---- what the stream says ---- */

  #moved(change) {
    const away = this.#away.moved(change.state);

    showState(byId('link'), change);
    if (away !== null)
      this.#breaks = `; it was away for ${seconds(away)}`;
    byId('how').textContent =
      (TRANSPORT_TEXTS[change.transport] ?? 'no transport yet') + this.#breaks;
    if (change.state === 'open') {
      this.#pause.over();
      this.#heard();
    }
  }

  #take(event) {
    const pair = this.#pairs.get(event.data?.symbol);

    this.#heard();
    if (this.#ledger.take(Number(event.id)) && pair !== undefined) {
      pair.quotes.take(event.id, event.data);
      this.#lastSymbol = event.data.symbol;
      this.#show(pair);
    }
    this.#showFigures();
  }

  #correct({ corrects, data }) {
    this.#heard();
    for (const pair of this.#pairs.values())
      if (pair.quotes.correct(String(corrects), data))
        this.#show(pair);
  }

  #withdraw({ withdraws }) {
    this.#heard();
    for (const pair of this.#pairs.values())
      if (pair.quotes.withdraw(String(withdraws)))
        this.#show(pair);
  }

  #resume({ resumed, reason }) {
    this.#ledger.resume(Number(resumed));
    byId('gap').textContent =
      `${GAP_TEXTS[reason] ?? 'Something is gone'}; it went on after ${resumed}.`;
    byId('gap').hidden = false;
    this.#showFigures();
  }

  #keepAlive() {
    this.#keepalives++;
    byId('keepalives').textContent = this.#keepalives;
    this.#heard();
  }

  #heard() {
    this.#heardAt = performance.now();
    this.#showHeard();
  }

  /* ---- showing ---- */

  /* Once for a burst: who was away gets many at a time. */
  #show(pair) {
    if (this.#toShow.size === 0)
      queueMicrotask(() => {
        for (const each of this.#toShow)
          each.show();
        this.#toShow.clear();
      });
    this.#toShow.add(pair);
  }

  #showHeard() {
    if (this.#heardAt === null)
      return;
    const ms = performance.now() - this.#heardAt;

    byId('heard').textContent = ms < TICK_MS ? 'now' : `${seconds(ms)} ago`;
  }

  #showFigures() {
    const { received, repeats, missing, last } = this.#ledger;

    byId('received').textContent = received;
    byId('last').textContent = last || '–';
    for (const [name, count] of Object.entries({ repeats, missing })) {
      byId(name).textContent = count;
      byId(name).classList.toggle('wrong', count > 0);
    }
  }

  #newest() {
    const row = this.#pairs.get(this.#lastSymbol)?.quotes.valid.at(-1);

    return row === undefined ? null : { symbol: this.#lastSymbol, row };
  }

  async #compare() {
    try {
      await this.#ledger.compare();
      byId('link').dataset.compared = this.#ledger.compared;
      this.#showFigures();
    } catch {
      /* the server is away: the next time */
    }
    setTimeout(() => this.#compare(), COMPARE_MS);
  }
}

async function untilStart() {
  const backoff = new Backoff();

  for (;;) {
    try {
      return await findStart(CHANNEL, EVENTS_AT_START);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, backoff.next()));
    }
  }
}

new Page(await untilStart());
