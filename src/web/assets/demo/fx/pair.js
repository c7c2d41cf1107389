/* pair.js -- the card of one currency pair: price, chart, history. */

import { seconds } from '../connection.js';
import { Chart } from './chart.js';
import { Quotes } from './quotes.js';

const ROWS_SHOWN = 8;
const EMPHASIZED = 2; /* the last digits of a price, which move */

const FATES = { corrected: 'corrected', withdrawn: 'withdrawn' };

const digitsOf = (price) => price.length - 1 - price.indexOf('.');

function showPrice(element, price) {
  const moving = document.createElement('b');

  moving.textContent = price.slice(-EMPHASIZED);
  element.replaceChildren(price.slice(0, -EMPHASIZED), moving);
}

/* A clock that differs from the publisher's would say less than nothing. */
const delayOf = ({ came, madeAt }) =>
  came - madeAt < 1000 ? `${Math.max(0, came - madeAt)} ms`
    : seconds(came - madeAt);

export class Pair {
  quotes = new Quotes();
  #root;
  #chart;

  constructor(symbol, root) {
    this.#root = root;
    root.dataset.symbol = symbol;
    this.#find('h2').textContent = symbol;
    this.#chart = new Chart(this.#find('.chart'), symbol);
  }

  #find(selector) {
    return this.#root.querySelector(selector);
  }

  show() {
    const { rows, valid } = this.quotes;

    if (rows.length === 0)
      return;
    if (valid.length > 0)
      this.#showNow(valid);
    this.#chart.show(valid, valid.length > 0 ? digitsOf(valid.at(-1).bid) : 0);
    this.#find('tbody').replaceChildren(
      ...rows.slice(-ROWS_SHOWN).reverse().flatMap((row) => this.#rowsOf(row)));
  }

  #showNow(valid) {
    const now = valid.at(-1);
    const before = valid.at(-2) ?? now;
    const step = now.middle - before.middle;

    showPrice(this.#find('.bid'), now.bid);
    showPrice(this.#find('.ask'), now.ask);
    this.#find('.move').textContent =
      step > 0 ? '▲ up' : step < 0 ? '▼ down' : '– unchanged';
    this.#find('.move').dataset.step = Math.sign(step);
  }

  #rowsOf(row) {
    const line = document.createElement('tr');
    const made = new Date(row.madeAt).toISOString().slice(11, 23);

    line.dataset.id = row.eventId;
    line.dataset.fate = row.fate;
    line.title = `id ${row.eventId}`;
    for (const text of [made, row.bid, row.ask, FATES[row.fate] ?? delayOf(row)])
      line.insertCell().textContent = text;
    return row.was === null ? [line] : [line, this.#remark(row.was)];
  }

  #remark({ bid, ask }) {
    const line = document.createElement('tr');
    const cell = line.insertCell();

    line.className = 'remark';
    cell.colSpan = 4;
    cell.textContent = `it said ${bid} / ${ask}`;
    return line;
  }
}
