/* harness.mjs -- a clock that the test winds, and a server that it plays.
 *
 *     const {clock, server, follow} = setup();
 *     const {stream, said} = follow({onEvent: ...});
 *     const request = await server.request();
 *     request.open();  request.say(event(5, 'cheese'));  request.end();
 *     await clock.pass(20_000);
 *
 * No time passes but what clock.pass() says; between two timers everything that
 * was promised is done. TIDINGS_JS names the file to test: the source, or what
 * pack.cmake made of it. */

import {pathToFileURL} from 'node:url';

const file = process.env.TIDINGS_JS;
const {tidings} = await import(file ? pathToFileURL(file) :
  new URL('../tidings.js', import.meta.url));

/* All that is promised and needs no time. */
async function settle() {
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
}

export class FakeClock {
  #now = 1_000_000;
  #timers = new Map();
  #number = 0;

  now() {
    return this.#now;
  }

  setTimeout(fn, ms) {
    if (!(ms >= 0 && ms < 2 ** 31)) throw new Error(`a timer of ${ms} ms`);
    this.#timers.set(++this.#number, {fn, at: this.#now + ms});
    return this.#number;
  }

  clearTimeout(number) {
    this.#timers.delete(number);
  }

  async pass(ms) {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const due = [...this.#timers].filter(([, {at}]) => at <= end)
        .sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.#now = Math.max(this.#now, due[1].at);
      due[1].fn();
      await settle();
    }
    this.#now = end;
  }
}

/* A request that waits for the test to answer it. */
class Request {
  #answer;
  #refuse;
  #stream;

  constructor(url, options, at, settled) {
    this.url = new URL(url);
    this.headers = new Headers(options.headers);
    this.at = at;
    this.signal = options.signal;
    [this.#answer, this.#refuse] = settled;
    this.signal.addEventListener('abort', () => {
      this.#refuse(this.signal.reason);
      try {
        this.#stream?.error(this.signal.reason);
      } catch { /* over already */ }
    });
  }

  get after() {
    return this.url.searchParams.get('last_event_id');
  }

  /* A stream that stays open. */
  open(headers = {}) {
    const body = new ReadableStream({start: (stream) => {
      this.#stream = stream;
    }});
    this.#answer(new Response(body, {headers: {
      'content-type': 'text/event-stream; charset=utf-8', ...headers}}));
    return this;
  }

  /* Bytes of the stream; objects as the server writes them. */
  say(...what) {
    for (const one of what)
      this.bytes(typeof one === 'string' ? one :
        `data: ${JSON.stringify(one)}\n\n`);
    return this;
  }

  bytes(text) {
    this.#stream.enqueue(
      typeof text === 'string' ? new TextEncoder().encode(text) : text);
  }

  end() {
    this.#stream.close();
  }

  /* The network is gone. */
  fail() {
    const error = new TypeError('fetch failed');
    if (this.#stream) this.#stream.error(error);
    else this.#refuse(error);
  }

  answer(status, body, headers = {}) {
    this.#answer(new Response(
      typeof body === 'string' ? body : JSON.stringify(body),
      {status, headers}));
  }

  /* What a poll gets. */
  list(events, position, headers = {}) {
    this.answer(200, events, {'last-event-id': String(position),
      'content-type': 'application/json', 'x-ps-reconnect-in': '0', ...headers});
  }
}

export class FakeServer {
  #clock;
  #waiting = [];
  requests = [];

  constructor(clock) {
    this.#clock = clock;
    globalThis.fetch = (url, options) => new Promise((...settled) => {
      const request = new Request(url, options, clock.now(), settled);
      this.requests.push(request);
      this.#waiting.push(request);
    });
  }

  /* The next request; it must be there without any time passing. */
  async request() {
    await settle();
    const request = this.#waiting.shift();
    if (!request) throw new Error('no request');
    return request;
  }

  get isAsked() {
    return this.#waiting.length > 0;
  }
}

export const event = (id, data, type = '') => ({id, channel_id: 'news',
  ts: '2026-11-21T00:26:29.609Z', data: {type, data}});

export const hello = (id, keepalive = 15) => ({action: 'hello',
  last_event_id: String(id), keepalive_secs: keepalive});

export const problem = {'content-type': 'application/problem+json'};

export function setup() {
  const clock = new FakeClock();
  const server = new FakeServer(clock);
  const follow = (options = {}, url = 'http://server/events/news') => {
    const said = {events: [], states: [], gaps: [], corrections: [],
      withdrawals: [], shutdowns: [], errors: []};
    const stream = tidings(url, {
      clock,
      random: () => 1,
      transports: ['fetch'],
      onEvent: (what) => said.events.push(what),
      onState: (what) => said.states.push(what),
      onGap: (what) => said.gaps.push(what),
      onCorrection: (what) => said.corrections.push(what),
      onWithdrawal: (what) => said.withdrawals.push(what),
      onShutdown: (what) => said.shutdowns.push(what),
      onError: (what) => said.errors.push(what),
      ...options,
    });
    return {stream, said};
  };
  return {clock, server, follow, settle};
}
