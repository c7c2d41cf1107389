/* follow.js -- the ways to follow a channel from a position, without end.
 *
 * Each takes (channel, after, tell) and returns { stop() }. It connects again
 * whatever happens, always from the last id that it has told of. It tells
 *
 *   tell.state(name, text)     name: connecting, live, waiting, stopped
 *   tell.event({id, type, data})   id a number, data a value if it was JSON
 *   tell.gap({resumed, reason})    what lies before `resumed` is gone
 *
 * A new transport is one more function here and one more row in cheese.js. */

import { Backoff } from './backoff.js';

/* What an EventSource must be told to listen to; '' is an event without type. */
const TYPES = ['cheese_created', ''];
const GAP = 'tidings.gap';

/* Two keep-alives missed and then some: the connection died without a word. */
const SILENCE_MS = 40000;

/* Longer than the server holds a long-poll. */
const ANSWER_MS = 40000;

export const isFollowed = (type) => TYPES.includes(type);

export function pathOf(channel) {
  return '/events/' + encodeURIComponent(channel);
}

function valueOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const seconds = (ms) => (ms / 1000).toFixed(1) + ' s';

/* ---- EventSource ------------------------------------------------------------
 *
 * The browser connects again by itself, with the header Last-Event-ID, when a
 * connection breaks. It gives up for good when an answer is no event stream;
 * then, and when nothing was heard for too long, a new object goes on, which
 * says in the query where. Keep-alives come as messages, since an EventSource
 * shows no comments: without them silence and death look the same. */

class EventSourceFollower {
  #channel;
  #last;
  #tell;
  #source = null;
  #timer = 0;
  #backoff = new Backoff();

  constructor(channel, after, tell) {
    this.#channel = channel;
    this.#last = after;
    this.#tell = tell;
    this.#connect();
  }

  stop() {
    this.#close();
    this.#tell.state('stopped', 'disconnected');
  }

  #close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #connect() {
    const query = new URLSearchParams({
      last_event_id: this.#last, keepalive: 'message' });

    this.#close();
    this.#tell.state('connecting', 'connecting');
    this.#source = new EventSource(`${pathOf(this.#channel)}?${query}`);
    this.#source.onopen = () => this.#opened();
    this.#source.onerror = () => this.#broke();
    for (const type of [...TYPES, GAP])
      this.#source.addEventListener(type || 'message',
        (message) => this.#heard(type, message));
    this.#watch();
  }

  #opened() {
    this.#backoff.reset();
    this.#watch();
    this.#tell.state('live', 'connected');
  }

  #broke() {
    if (this.#source.readyState === EventSource.CLOSED) {
      const ms = this.#backoff.next();

      this.#close();
      this.#tell.state('waiting', `refused; next try in ${seconds(ms)}`);
      this.#timer = setTimeout(() => this.#connect(), ms);
    } else {
      this.#tell.state('waiting', 'lost; the browser is connecting again');
    }
  }

  /* Starts anew when nothing comes, whatever the object believes. */
  #watch() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), SILENCE_MS);
  }

  #heard(type, message) {
    const id = Number(message.lastEventId);
    const data = valueOf(message.data);

    this.#watch();
    if (type === GAP) {
      this.#last = id;
      this.#tell.gap({ resumed: id, reason: data.reason });
    } else if (!this.#isNotice(id, data)) {
      this.#last = id;
      this.#tell.event({ id, type, data });
    }
  }

  /* What the server says itself brings no id of its own: the last one stays. */
  #isNotice(id, data) {
    return typeof data?.action === 'string' && (id === this.#last || id === 0);
  }
}

/* ---- long-poll -------------------------------------------------------------
 *
 * One request after the other, each from where the last answer ended. The first
 * one, and the first after a failure, is answered at once, so that it is known
 * whether the server is there. */

class LongPollFollower {
  #channel;
  #last;
  #tell;
  #abort = null;
  #wake = null;
  #isStopped = false;
  #isKnown = false;
  #backoff = new Backoff();

  constructor(channel, after, tell) {
    this.#channel = channel;
    this.#last = after;
    this.#tell = tell;
    this.#run();
  }

  stop() {
    this.#isStopped = true;
    this.#abort?.abort();
    this.#wake?.();
    this.#tell.state('stopped', 'disconnected');
  }

  async #run() {
    this.#tell.state('connecting', 'connecting');
    while (!this.#isStopped) {
      try {
        await this.#once();
      } catch (error) {
        await this.#failed(error);
      }
    }
  }

  async #once() {
    const response = await this.#request();
    const events = await response.json();

    if (this.#isStopped)
      return;
    if (!this.#isKnown)
      this.#tell.state('live', 'connected');
    this.#isKnown = true;
    this.#backoff.reset();
    for (const event of events)
      this.#heard(event);
    this.#last = Number(response.headers.get('Last-Event-ID') ?? this.#last);
    await this.#pause(
      1000 * Number(response.headers.get('x-ps-reconnect-in') ?? 0));
  }

  async #request() {
    const query = this.#isKnown ? '' : '?timeout=0';

    this.#abort = new AbortController();
    const timer = setTimeout(() => this.#abort.abort(), ANSWER_MS);
    try {
      const response = await fetch(pathOf(this.#channel) + query, {
        headers: { 'Last-Event-ID': String(this.#last) },
        cache: 'no-store',
        signal: this.#abort.signal,
      });
      if (response.status !== 200)
        throw new Error(`answered ${response.status}`);
      return response;
    } finally {
      clearTimeout(timer);
    }
  }

  async #failed(error) {
    if (this.#isStopped)
      return;
    const ms = this.#backoff.next();
    const why = error.message.startsWith('answered') ? error.message : 'lost';

    this.#isKnown = false;
    this.#tell.state('waiting', `${why}; next try in ${seconds(ms)}`);
    await this.#pause(ms);
  }

  #pause(ms) {
    if (!(ms > 0) || this.#isStopped)
      return undefined;
    return new Promise((resolve) => {
      this.#wake = resolve;
      setTimeout(resolve, ms);
    });
  }

  #heard({ id, data: { type, data } }) {
    this.#last = id;
    if (type === GAP)
      this.#tell.gap({ resumed: Number(data.resumed), reason: data.reason });
    else if (isFollowed(type))
      this.#tell.event({ id, type, data });
  }
}

export const followEventSource =
  (channel, after, tell) => new EventSourceFollower(channel, after, tell);
export const followLongPoll =
  (channel, after, tell) => new LongPollFollower(channel, after, tell);
