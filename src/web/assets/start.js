/* start.js -- the start page: asks the server now and then what is going on.
 *
 * Two questions, /readyz and /channels, one after the other; the next pair comes
 * after a pause that grows with what the answers took, so a page that is left
 * open costs a server with many channels little. Names of channels are shown as
 * text. */

import { bearer, keep, token } from '/access.js';

const PAUSE_MS = 2000;
const PAUSE_PER_WORK = 20; /* times as long as the answers took */
const ANSWER_MS = 10000;
const ROWS_MAX = 8;

const byId = (id) => document.getElementById(id);
const plain = new Intl.NumberFormat('en');

function bytesOf(count) {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let unit = 0;

  for (; count >= 1024 && unit < units.length - 1; unit++)
    count /= 1024;
  return `${count.toFixed(unit === 0 || count >= 100 ? 0 : 1)} ${units[unit]}`;
}

async function ask(path) {
  const response = await fetch(path, {
    cache: 'no-store', headers: bearer(),
    signal: AbortSignal.timeout(ANSWER_MS) });

  if (response.status === 401)
    return null;
  return response.json();
}

/* The checks are for operators; others learn whether it is ready. */
function showReady({ ready, checks = {} }) {
  const lines = Object.entries(checks).map(([name, verdict]) => {
    const line = document.createElement('li');

    line.textContent = `${name}: ${verdict}`;
    line.classList.toggle('wrong',
      verdict !== 'ok' && verdict !== 'not configured');
    return line;
  });

  byId('now').dataset.state = ready ? 'open' : 'waiting';
  byId('ready').textContent = ready ? 'ready for events'
    : 'not ready';
  byId('checks').replaceChildren(...lines.slice(0, 12));
}

/* Ids are consecutive over the whole journal, so the newest one tells the rate. */
let before = null;

function showRate(lastId) {
  const now = performance.now();

  if (before !== null && lastId >= before.lastId)
    byId('rate').textContent =
      ((lastId - before.lastId) * 1000 / (now - before.at)).toFixed(1);
  before = { at: now, lastId };
}

function rowOf({ channel, count, subscribers, last_id: lastId }) {
  const row = document.createElement('tr');

  for (const text of [channel, plain.format(count), plain.format(subscribers),
                      lastId])
    row.insertCell().textContent = text;
  row.lastElementChild.className = 'wide';
  return row;
}

/* `answer` is null: without a token, or with this one, nothing can be seen. */
function showAccess(answer) {
  const isWanted = answer === null;

  byId('access').hidden = !isWanted && token() === '';
  byId('access-text').textContent = !isWanted
    ? 'This page uses your token, in this tab only.'
    : token() === '' ? 'To see channels this server wants a token.'
      : 'Your token does not hold, or holds no more.';
  byId('forget').hidden = token() === '';
  if (isWanted)
    showChannels({ channels: [] });
  else
    showChannels(answer);
  if (isWanted)
    byId('rest').textContent = '';
}

function showChannels({ channels }) {
  const sum = (name) => channels.reduce((total, each) => total + each[name], 0);
  const newest = channels.sort((a, b) => b.last_id - a.last_id)
    .slice(0, ROWS_MAX);
  const hidden = channels.length - newest.length;

  byId('events').textContent = plain.format(sum('count'));
  byId('bytes').textContent = bytesOf(sum('bytes'));
  byId('channels').textContent = plain.format(channels.length);
  if (channels.length > 0)
    showRate(newest[0].last_id);
  byId('rows').replaceChildren(...newest.map(rowOf));
  byId('rest').textContent = channels.length === 0
    ? 'Nothing was published yet.'
    : hidden > 0 ? `and ${plain.format(hidden)} more with older events` : '';
}

async function look() {
  const begin = performance.now();

  try {
    showReady(await ask('/readyz'));
    showAccess(await ask('/channels'));
  } catch {
    byId('now').dataset.state = 'waiting';
    byId('ready').textContent =
      'the server does not answer; this page keeps asking';
    before = null;
  }
  setTimeout(look, Math.max(PAUSE_MS,
    PAUSE_PER_WORK * (performance.now() - begin)));
}

for (const place of document.querySelectorAll('.here'))
  place.textContent = location.origin;

byId('access').onsubmit = (event) => {
  event.preventDefault();
  keep(byId('token').value.trim());
  byId('token').value = '';
};
byId('forget').onclick = () => keep('');
look();
