/* cheese.js -- the page: a panel per transport, the buttons, the comparison.
 *
 * Everything from outside is shown as text, never as HTML. */

import { Backoff } from './backoff.js';
import { followEventSource, followLongPoll } from './follow.js';
import { Ledger, findStart } from './ledger.js';
import { Publisher } from './publisher.js';

const CHANNEL = 'cheese';
const TYPE = 'cheese_created';
const SHOWN_AT_START = 10;
const ROWS_MAX = 60;
const COMPARE_MS = 3000;

const TRANSPORTS = [
  { name: 'EventSource', follow: followEventSource,
    how: 'one answer without an end' },
  { name: 'Long-poll', follow: followLongPoll,
    how: 'answer, request, answer, request' },
];

const CHEESES = [
  'Gruyère', 'Emmentaler', 'Appenzeller', 'Tête de Moine', 'Sbrinz',
  'Vacherin Fribourgeois', 'Raclette du Valais', 'Tilsiter', 'L’Etivaz',
  'Bündner Bergkäse', 'Vacherin Mont-d’Or', 'Berner Alpkäse',
];

const GAP_TEXTS = {
  trimmed: 'The server no longer keeps all that was missed',
  unknown: 'The server has another journal than before',
  future: 'The server’s journal ends before what this page has seen',
  rewound: 'The server’s journal was set back',
};

const byId = (id) => document.getElementById(id);

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
  #follower = null;

  constructor(transport, start) {
    this.#transport = transport;
    this.ledger = new Ledger(CHANNEL, start);
    this.#root = byId('panel').content.firstElementChild.cloneNode(true);
    this.#root.dataset.transport = transport.name;
    this.#find('h2').textContent = transport.name;
    this.#find('.how').textContent = transport.how;
    this.#find('.switch').onclick = () => this.#turn();
    byId('panels').append(this.#root);
    this.#turn();
  }

  #find(selector) {
    return this.#root.querySelector(selector);
  }

  #turn() {
    const goesOn = this.#follower === null;

    this.#find('.switch').textContent = goesOn ? 'Disconnect' : 'Connect';
    if (goesOn) {
      this.#follower = this.#transport.follow(CHANNEL, this.ledger.last, {
        state: (name, text) => this.#showState(name, text),
        event: (event) => this.#take(event),
        gap: (gap) => this.#resume(gap),
      });
    } else {
      this.#follower.stop();
      this.#follower = null;
    }
  }

  #take(event) {
    if (this.ledger.take(event.id))
      this.#addRow(event);
    this.showFigures();
  }

  #resume({ resumed, reason }) {
    const notice = this.#find('.notice');

    this.ledger.resume(resumed);
    notice.textContent =
      `${GAP_TEXTS[reason] ?? 'Something is gone'}; it went on after ${resumed}.`;
    notice.hidden = false;
    this.showFigures();
  }

  #showState(name, text) {
    this.#root.dataset.state = name;
    this.#find('.state-text').textContent = text;
  }

  showFigures() {
    const { received, repeats, missing, last } = this.ledger;

    this.#find('.received').textContent = received;
    this.#find('.last').textContent = last;
    for (const [selector, count] of
      [['.repeats', repeats], ['.gaps', missing]]) {
      this.#find(selector).textContent = count;
      this.#find(selector).classList.toggle('wrong', count > 0);
    }
  }

  #addRow({ id, data }) {
    const row = byId('delivery').content.firstElementChild.cloneNode(true);
    const rows = this.#find('.deliveries');
    const isCheese = typeof data?.cheese_type === 'string';

    row.dataset.id = id;
    row.title = `id ${id}`;
    row.querySelector('.cheese').textContent = isCheese ? data.cheese_type
      : typeof data === 'string' ? data : JSON.stringify(data);
    row.querySelector('.pieces').textContent = !isCheese ? ''
      : `${data.pieces} ${data.pieces === 1 ? 'piece' : 'pieces'}`;
    row.querySelector('.when').textContent = new Date().toLocaleTimeString();
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
  const counts = panels.map((each) => each.ledger.compared);

  if (Math.max(...counts) === 0)
    return;
  byId('audit').textContent = missing > 0
    ? `Compared with the journal: ${missing} missing.`
    : `Compared with the journal: ${counts.join(' and ')} deliveries, ` +
      'none missing.';
}

async function compare(panels) {
  try {
    for (const panel of panels) {
      await panel.ledger.compare();
      panel.showFigures();
    }
    sayCompared(panels);
  } catch {
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
