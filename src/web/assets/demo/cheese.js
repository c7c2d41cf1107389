/* cheese.js -- the page: a panel per transport, the buttons, the comparison.
 *
 * Everything from outside is shown as text, never as HTML. */

import { token } from '/access.js';
import { tidings } from '/tidings.js';

import { Backoff } from './backoff.js';
import { Away, GAP_TEXTS, seconds, showState } from './connection.js';
import { Ledger, findStart } from './ledger.js';
import { Publisher } from './publisher.js';

const CHANNEL = 'cheese';
const TYPE = 'cheese_created';
const SHOWN_AT_START = 10;
const ROWS_MAX = 60;
const COMPARE_MS = 3000;

const TRANSPORTS = [
  { name: 'EventSource', transport: 'eventsource',
    how: 'the browser’s own; it connects again by itself' },
  { name: 'Fetch stream', transport: 'fetch',
    how: 'one answer without an end, read piece by piece' },
  { name: 'WebSocket', transport: 'websocket',
    how: 'a frame for each delivery' },
  { name: 'Long-poll', transport: 'long-poll',
    how: 'request, answer, request, answer' },
];

const CHEESES = [
  'Gruyère', 'Emmentaler', 'Appenzeller', 'Tête de Moine', 'Sbrinz',
  'Vacherin Fribourgeois', 'Raclette du Valais', 'Tilsiter', 'L’Etivaz',
  'Bündner Bergkäse', 'Vacherin Mont-d’Or', 'Berner Alpkäse',
];

const byId = (id) => document.getElementById(id);
const copyOf = (template) =>
  byId(template).content.firstElementChild.cloneNode(true);

function randomCheese() {
  return {
    pieces: 1 + Math.floor(Math.random() * 120),
    cheese_type: CHEESES[Math.floor(Math.random() * CHEESES.length)],
  };
}

/* ---- a panel ---------------------------------------------------------------- */

class Panel {
  #transport;
  #root;
  #stream = null;
  #away = new Away();

  constructor({ name, transport, how }, start) {
    this.#transport = transport;
    this.ledger = new Ledger(CHANNEL, start);
    this.#root = copyOf('panel');
    this.#root.dataset.transport = transport;
    this.#find('h2').textContent = name;
    this.#find('.how').textContent = how;
    this.#find('.switch').onclick = () => this.#turn();
    byId('panels').append(this.#root);
    this.#turn();
  }

  #find(selector) {
    return this.#root.querySelector(selector);
  }

  #turn() {
    const goesOn = this.#stream === null;

    this.#find('.switch').textContent = goesOn ? 'Disconnect' : 'Connect';
    if (goesOn)
      this.#connect();
    else
      this.#disconnect();
  }

  #connect() {
    this.#stream = tidings('/events', {
      channels: CHANNEL,
      token,
      after: String(this.ledger.last),
      transports: [this.#transport],
      onState: (change) => this.#moved(change),
      onEvent: (event) => this.#take(event),
      onGap: (gap) => this.#resume(gap),
    });
  }

  #disconnect() {
    this.#stream.close();
    this.#stream = null;
  }

  #moved(change) {
    const away = this.#away.moved(change.state);

    showState(this.#root, change);
    if (away !== null)
      this.#addBreak(away);
  }

  #take(event) {
    if (this.ledger.take(Number(event.id)))
      this.#addDelivery(event);
    this.showFigures();
  }

  #resume({ resumed, reason }) {
    const notice = this.#find('.notice');

    this.ledger.resume(Number(resumed));
    notice.textContent =
      `${GAP_TEXTS[reason] ?? 'Something is gone'}; it went on after ${resumed}.`;
    notice.hidden = false;
    this.showFigures();
  }

  showFigures() {
    const { received, repeats, missing, last } = this.ledger;

    this.#find('.received').textContent = received;
    this.#find('.last').textContent = last || '–';
    for (const [selector, count] of
      [['.repeats', repeats], ['.gaps', missing]]) {
      this.#find(selector).textContent = count;
      this.#find(selector).classList.toggle('wrong', count > 0);
    }
  }

  #addDelivery({ id, data }) {
    const row = copyOf('delivery');
    const isCheese = typeof data?.cheese_type === 'string';

    row.dataset.id = id;
    row.title = `id ${id}`;
    row.querySelector('.cheese').textContent = isCheese ? data.cheese_type
      : typeof data === 'string' ? data : JSON.stringify(data);
    row.querySelector('.pieces').textContent = !isCheese ? ''
      : `${data.pieces} ${data.pieces === 1 ? 'piece' : 'pieces'}`;
    row.querySelector('.when').textContent = new Date().toLocaleTimeString();
    this.#addRow(row);
  }

  #addBreak(ms) {
    const row = copyOf('break');

    row.firstElementChild.textContent = `back after ${seconds(ms)}`;
    this.#addRow(row);
  }

  #addRow(row) {
    const rows = this.#find('.deliveries');

    rows.prepend(row);
    while (rows.childElementCount > ROWS_MAX)
      rows.lastElementChild.remove();
  }
}

/* ---- publishing ------------------------------------------------------------- */

function startPublishing() {
  const say = (text) => { byId('published').textContent = text; };
  const publisher = new Publisher(CHANNEL, {
    stored: (ids) => say(ids.length === 1
      ? `On the server’s disk as ${ids[0]}.`
      : `${ids.length} on the server’s disk, up to ${ids.at(-1)}.`),
    retrying: (waiting) => say(
      `The server does not answer; ${waiting} waiting to be delivered.`),
    refused: (sentence) => say(`Refused: ${sentence}`),
  });

  byId('publish-one').onclick = () => publisher.publish(TYPE, randomCheese());
  byId('publish-many').onclick = () =>
    publisher.publishAll(TYPE, Array.from({ length: 20 }, randomCheese));
}

/* ---- comparing with the journal ---------------------------------------------- */

function sayCompared(panels) {
  const missing = panels.reduce((sum, each) => sum + each.ledger.missing, 0);
  const repeats = panels.reduce((sum, each) => sum + each.ledger.repeats, 0);
  const counts = panels.map((each) => each.ledger.compared);
  const most = Math.max(...counts);

  if (most === 0)
    return;
  byId('audit').dataset.verdict = missing + repeats > 0 ? 'missing' : 'same';
  byId('audit').textContent = missing + repeats > 0
    ? `Compared with the journal: ${missing} missing, ${repeats} twice.`
    : Math.min(...counts) === most
      ? `Compared with the journal: all ${most} deliveries in each panel, once.`
      : `Compared with the journal: ${counts.join(', ')} so far; none ` +
        'missing, none twice.';
}

async function compare(panels) {
  try {
    for (const panel of panels) {
      await panel.ledger.compare();
      panel.showFigures();
    }
    sayCompared(panels);
  } catch {
    byId('audit').dataset.verdict = 'none';
    byId('audit').textContent =
      'The journal cannot be asked just now; it will be compared later.';
  }
  setTimeout(() => compare(panels), COMPARE_MS);
}

/* ---- the page ------------------------------------------------------------------ */

async function untilStart() {
  const backoff = new Backoff();

  for (;;) {
    try {
      return await findStart(CHANNEL, SHOWN_AT_START);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, backoff.next()));
    }
  }
}

startPublishing();
const start = await untilStart();
compare(TRANSPORTS.map((transport) => new Panel(transport, start)));
