/* tidings.js -- follows channels of a Tidings server and loses nothing.
 *
 *     const stream = tidings('/events/cheese', {onEvent: (event) => ...});
 *
 * A Link holds a connection: it tries one transport after the other, notices
 * silence, waits between attempts, and hands on every object that the server
 * sends, as long-polls have them (protocol.md 4) whatever the transport. A
 * Stream is what the page holds: it knows its position, drops what it has had,
 * calls the page back, keeps the position in storage.
 *
 * Nothing is lost because the position is the id of the last event that the
 * page was given, and every request says it; nothing comes twice because ids
 * rise. So a connection may be dropped at any moment, and often is: that is also
 * how a slow reader is waited for.
 *
 * With `share` one tab of all leads, by a lock that the browser takes from it
 * when it ends, and tells the others what its Link receives, each time with the
 * position before it. A tab for which that is a jump asks the server itself for
 * what it lacks, with short-polls. So a new leader may begin where it is itself,
 * however far the others are. */

const SECOND = 1000;
const MINUTE = 60000;
const LONGEST_WAIT = 30000;
const FIRST_BYTE = 10000; // a stream says something at once
const TRIES = 3; // of a transport that has worked
const BETTER = 600000;
const QUEUE = 1000; // events that an iterator may be behind
const LONGEST_LINE = 1e8;
const GAP = 'tidings.gap';

const isAfter = (a, b) => b == null || BigInt(a) > BigInt(b);
const isBack = ({reason}) => /^[fr]/.test(reason); // future, rewound

/* `next`: another transport may do better. `stop`: none will. `clean`: nothing
 * to complain of. `now`: go on without a pause. */
const failure = (message, more) =>
  Object.assign(new Error(message), {kind: 'connection', next: false}, more);

/* A page's mistake is the page's: it shows in the console, the stream goes on. */
const call = (fn, value) => {
  try {
    fn?.(value);
  } catch (error) {
    queueMicrotask(() => { throw error; });
  }
};

/* The clock that tests give, or the real one. */
const timersOf = ({clock}) => clock ?? globalThis;
const timeOf = ({clock}) => (clock ?? Date).now();

/* ---- transports -------------------------------------------------------------
 *
 * Each runs until its connection ends; failures are thrown. link.heard() re-arms
 * the watchdog, link.text() and link.object() take what has come. */

const AS_OBJECTS = {flavor: 'eventsource', envelope: 1, hello: 1};

async function fetchStream(link) {
  const {body, headers} = await link.request(AS_OBJECTS, 'text/event-stream');
  if (!body || !/event-stream/.test(headers.get('content-type')))
    throw failure('no stream', {next: true});
  const reader = body.getReader(), decoder = new TextDecoder();
  let rest = '', data = [];
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return;
    link.heard();
    const lines = (rest + decoder.decode(value, {stream: true}))
      .split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    if (rest.length > LONGEST_LINE) throw failure('endless line');
    for (const line of lines) {
      const [, name, text] = /^([^:]*):?\x20?(.*)/s.exec(line);
      if (name === 'data') data.push(text);
      else if (name === 'retry') link.retry = +text || 0;
      else if (line && !name) call(link.options.onKeepalive);
      else if (!line && data.length) {
        link.text(data.join('\n'));
        data = [];
      }
    }
  }
}

/* EventSource and WebSocket: `start` makes one, and calls its argument when it
 * ends by itself. */
const socketOf = (link, start) => new Promise((resolve, reject) => {
  const {signal} = link;
  if (signal.aborted) return reject(signal.reason);
  const socket = start((message, next) => {
    socket.close();
    reject(failure(message, {next, clean: !next}));
  });
  socket.onmessage = ({data}) => {
    link.heard();
    link.text(data);
  };
  signal.onabort = () => {
    socket.close();
    reject(signal.reason);
  };
});

/* It shows neither comments nor headers, and only the types that it was told of:
 * hence keep-alives as messages, a hello, and objects. */
async function eventSource(link) {
  const url = await link.url({...AS_OBJECTS, keepalive: 'message'}, true);
  return socketOf(link, (end) => {
    const {withCredentials} = link.options;
    const source = new EventSource(url, {withCredentials});
    source.onerror = () => source.readyState > 1 // no event stream
      ? end('refused', true) : end('ended', false);
    return source;
  });
}

async function webSocket(link) {
  const url = await link.url({hello: 1, keepalive: 'message'}, true);
  url.protocol = url.protocol.replace('http', 'ws');
  return socketOf(link, (end) => {
    const socket = new WebSocket(url);
    let next = true;
    socket.onopen = () => {
      next = false;
      link.heard();
    };
    socket.onclose = ({code}) => end('closed ' + code, next);
    return socket;
  });
}

/* The first answer comes at once: it shows that the way is open, and where the
 * stream is. A short-poll that got something asks again at once. */
const poll = (flavor) => async (link) => {
  for (let timeout = 0; ; timeout = Math.min(link.silence / SECOND | 0 || 1, 300)) {
    const asked = link.now();
    link.ask(timeout * SECOND);
    const {headers, text} = await link.request({flavor, timeout},
      'application/json', true);
    let list;
    try {
      list = JSON.parse(text).flat();
    } catch {
      throw failure('not a list', {kind: 'json', text, next: true});
    }
    link.heard();
    list.map((value) => link.object(value));
    const isMore = link.reached(headers.get('last-event-id'), !list.length);
    const isIdle = !isMore && !list.length && (flavor[0] === 's' ||
      timeout && link.now() - asked < SECOND);
    link.watch();
    await link.sleep(SECOND *
      Math.max(isIdle ? 5 : 0, +headers.get('x-ps-reconnect-in') || 0));
  }
};

const TRANSPORTS = {
  fetch: fetchStream,
  eventsource: eventSource,
  websocket: webSocket,
  'long-poll': poll('long-poll'),
  'short-poll': poll('short-poll'),
};

/* ---- a connection, again and again -------------------------------------------
 *
 * `to` is told: object(value, id of the one before), reached(id, whether that is
 * all there is), state(change), error(error). */

class Link {
  #to;
  #id; // of the last event, or where the server said that it began
  #timers;
  #index = 0; // of the transport in use
  #hasWorked;
  #misses = 0; // attempts in a row in which nothing was heard
  #failures = 0; // since the last healthy minute
  #better = BETTER; // after so long a better transport is looked for
  #lookUp;
  #heardAt;
  #controller = new AbortController();
  #watchdog;
  #paused;
  #until; // of the shutdown that was announced last
  #isClosed;

  constructor(to) {
    this.#to = to;
    this.#id = to.id;
    this.options = to.options;
    this.#timers = timersOf(to.options);
    this.silence = (to.options.keepaliveSecs ?? 20) * SECOND;
    this.#run();
  }

  close() {
    this.#isClosed = true;
    this.#controller.abort();
    this.resume();
  }

  /* Drops the connection until resume(). */
  pause() {
    if (this.#paused) return;
    let resume;
    this.#paused = new Promise((resolve) => { resume = resolve; });
    this.#paused.resume = resume;
    this.#controller.abort(failure('paused', {now: true}));
  }

  resume() {
    this.#paused?.resume();
    this.#paused = null;
  }

  /* ---- what transports use ---- */

  get signal() {
    return this.#controller.signal;
  }

  now() {
    return timeOf(this.options);
  }

  async url(query, hasNoHeaders) {
    const {session, after} = this.options;
    const url = new URL(this.#to.address);
    const all = {last_event_id: this.#id ?? after, session,
      ...query, token: hasNoHeaders && await this.#token()};
    for (const name in all)
      if (all[name] || all[name] === 0) url.searchParams.set(name, all[name]);
    return url;
  }

  async #token() {
    const {token} = this.options;
    return token?.call ? token() : token;
  }

  /* With `isWhole` also the text of the answer. */
  async request(query, accept, isWhole) {
    const bearer = await this.#token();
    const response = await fetch(await this.url(query), {
      signal: this.signal,
      cache: 'no-store',
      credentials: this.options.withCredentials ? 'include' : 'same-origin',
      headers: {accept, ...bearer && {authorization: 'Bearer ' + bearer}},
    });
    const {status, headers, body} = response;
    if (isWhole) this.watch(2 * MINUTE); // for a MiB, if it must be
    if (status === 200)
      return {headers, body, text: isWhole && await response.text()};
    const isOurs = /problem.json/.test(headers.get('content-type'));
    const isRefusal = status < 500 && status !== 429 && status !== 408;
    const after = headers.get('retry-after');
    throw failure(isOurs ? (await response.json()).message : 'HTTP ' + status, {
      status,
      next: isRefusal || status === 501,
      stop: isOurs && isRefusal,
      wait: status === 504 ? 0 :
        +after ? after * SECOND + this.#random(SECOND) : null,
    });
  }

  /* An answer may take that long, and what bytes take. */
  ask(ms) {
    this.watch(ms + Math.min(FIRST_BYTE, this.silence));
  }

  /* Silence for so long from now on ends the attempt; without: no limit. */
  watch(ms) {
    this.#timers.clearTimeout(this.#watchdog);
    if (ms) this.#watchdog = this.#timers.setTimeout(() =>
      this.#controller.abort(failure('silent', {isSilent: true})), ms);
  }

  heard() {
    this.watch(this.silence);
    this.#to.heard?.();
    if (this.#heardAt != null) return;
    this.#heardAt = this.now();
    this.#hasWorked = true;
    this.#state('open', 'heard');
    if (this.#index) this.#lookUp = this.#timers.setTimeout(() => {
      this.#better = Math.min(2 * this.#better, 99 * BETTER);
      this.#index = 0;
      this.#hasWorked = false;
      this.#controller.abort(failure('better', {now: true}));
    }, this.#better);
  }

  /* The server says how often it speaks. */
  expect(seconds) {
    this.silence = Math.max(this.silence, (seconds || 0) * SECOND * 4 / 3);
    this.watch(this.silence);
  }

  text(text) {
    let value;
    try {
      value = JSON.parse(text);
    } catch {
      return this.#complain(failure('not JSON', {kind: 'json', text}));
    }
    this.object(value);
  }

  object(value) {
    if (this.signal.aborted) return;
    const {action, id, data} = value ?? {};
    if (action === 'keep-alive') {
      call(this.options.onKeepalive);
    } else if (action === 'scheduled_shutdown') {
      this.reached(id && String(id));
      this.#controller.abort(failure('shutdown', {shutdown: value}));
    } else if (action === 'hello') {
      this.expect(value.keepalive_secs);
      this.reached(value.last_event_id);
    } else if (id && data) {
      const before = this.#id;
      if (data.type === GAP || isAfter(id, before)) this.#id = String(id);
      this.#to.object(value, before);
    }
  }

  reached(id, isAll) {
    if (this.signal.aborted) return true;
    if (id && isAfter(id, this.#id)) this.#id = id;
    return this.#to.reached(this.#id, isAll);
  }

  /* In short steps, because a timer sleeps with the machine; those that were
   * slept count, because a clock may be set back. */
  sleep(left) {
    const {signal} = this, end = this.now() + left;
    return new Promise((resolve, reject) => {
      let timer;
      const go = () => {
        left = Math.min(left, end - this.now());
        if (left > 0) timer = this.#timers.setTimeout(go, Math.min(left, MINUTE));
        else resolve();
        left -= MINUTE;
      };
      signal.onabort = () => {
        this.#timers.clearTimeout(timer);
        reject(signal.reason);
      };
      signal.aborted ? signal.onabort() : go();
    });
  }

  /* ---- attempts ---- */

  async #run() {
    for (let reason = 'start'; ;) {
      await this.#paused;
      if (this.#isClosed) return;
      this.#controller = new AbortController();
      this.#heardAt = null;
      this.retry = 0;
      this.#state('connecting', reason);
      this.ask(0);
      const end = await this.#attempt();
      this.watch();
      this.#timers.clearTimeout(this.#lookUp);
      this.#controller = new AbortController();
      reason = end.message;
      if (this.#isClosed) return;
      if (!end.now) await this.sleep(this.#judge(end)).catch(() => {});
    }
  }

  async #attempt() {
    let end = failure('ended', {clean: true});
    try {
      await TRANSPORTS[this.#name()](this);
    } catch (error) { // a page's token() may throw anything
      end = error?.message ? error : failure(String(error));
    }
    end = this.signal.reason ?? end;
    this.#controller.abort(end);
    return end;
  }

  /* How long to wait after that end, and how to go on. */
  #judge(end) {
    if (end.shutdown) return this.#stayAway(end.shutdown);
    if (end.stop) return this.#stop(end);
    if (!end.clean) this.#complain(end);
    const lasted = this.now() - (this.#heardAt ?? Infinity);
    if (lasted >= MINUTE) this.#failures = 0;
    this.#misses = lasted >= 0 && !end.isSilent ? 0 : this.#misses + 1;
    /* What no network explains: a ReferenceError, for one. */
    const isHopeless = (end.next ?? end.name !== 'TypeError') || end.isSilent;
    if (this.#misses >= (isHopeless && !this.#hasWorked ? 1 : TRIES)) {
      this.#index = (this.#index + 1) % this.#to.names.length;
      this.#misses = 0;
      this.#hasWorked = false;
      if (this.#index) return 0;
      if (end.status < 500 && end.next) return this.#stop(end);
    }
    let {wait} = end;
    if (!wait && (wait == null || lasted < SECOND))
      wait = Math.max(end.isSilent ? 0 : this.retry, this.#random(
        Math.min(LONGEST_WAIT, SECOND * 2 ** this.#failures++)));
    this.#state('waiting', end.message, {wait});
    return wait;
  }

  /* Comes back within the minute before the announced time, so that not all come
   * at once; who was too early comes a little after it. */
  #stayAway({until, until_secs: untilSecs}) {
    const isEarly = until !== this.#until;
    const spread = this.#random(Math.min(isEarly ? 60 : 5, untilSecs));
    const wait = SECOND * (untilSecs + (isEarly ? -spread : spread));
    this.#until = until;
    this.#state('shutdown', 'announced', {wait,
      shutdown: {until, untilSecs, returnsAt: this.now() + wait}});
    return wait;
  }

  #stop(end) {
    this.#isClosed = true;
    this.#complain(end, 'refused');
    this.#to.ended(end.message);
  }

  #complain(end, kind = end.kind ?? 'connection') {
    this.#to.error(Object.assign(end, {kind, transport: this.#name()}));
  }

  #name() {
    return this.#to.names[this.#index];
  }

  #state(state, reason, more) {
    this.#to.state({state, transport: this.#name(), reason, ...more});
  }

  #random(most) {
    return (this.options.random ?? Math.random)() * most;
  }
}

/* ---- what the page holds ----------------------------------------------------- */

const eventOf = ({id, channel_id: channel, ts, data: {type, data}}) => ({
  id: String(id), channel, type: type ?? '', data, time: Date.parse(ts),
  get text() {
    return typeof data === 'string' ? data : JSON.stringify(data);
  },
});

/* The same in all tabs of this browser. */
function waitKey() {
  let key = Math.random().toString(36).slice(2);
  try {
    key = localStorage.getItem('tidings.key') ?? key;
    localStorage.setItem('tidings.key', key);
  } catch { /* forbidden here: each tab waits for itself */ }
  return key;
}

class Stream {
  state = 'connecting';
  transport;
  lastId = null;
  #options;
  #address;
  #names;
  #storage;
  #key;
  #timers;
  #listeners = new Map();
  #queues = new Set();
  #controller = new AbortController(); // as options it gives its signal
  #isPaused;
  #saving;
  #save = () => {
    this.#saving = null;
    let id = this.lastId; // without what waits for a loop
    for (const {events: [first]} of this.#queues)
      if (first && isAfter(id, first.before)) id = first.before;
    try {
      if (id) this.#storage.setItem(this.#key, id);
    } catch { /* full or forbidden */ }
  };

  /* the connection: of all tabs, if this tab leads; share only: */
  #link;
  #channel;
  #release; // ends the leadership
  #postedAt = 0;
  #thief; // takes the leadership from a leader that is silent
  #catcher; // short-polls for what this tab lacks
  #target; // the newest id that others were seen to have
  #asked; // the target when the catcher last asked

  constructor(url, options) {
    this.#options = options;
    this.#timers = timersOf(options);
    this.#names = options.transports ?? Object.keys(TRANSPORTS);
    this.transport = this.#names[0];
    const address = new URL(url, globalThis.location?.href);
    const channels = [options.channels ?? []].flat().join(',');
    address.pathname = address.pathname.replace(/\/+$/, '') +
      (channels && '/' + channels);
    this.#address = address;
    this.#key = options.storageKey ?? 'tidings ' + address;
    this.#restore();
    options.signal?.addEventListener('abort', () => this.close(),
      {signal: this.#controller.signal});
    queueMicrotask(() => this.#begin());
  }

  on(type, fn) {
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
    this.#listeners.get(type).add(fn);
    return this;
  }

  off(type, fn) {
    this.#listeners.get(type)?.delete(fn);
    return this;
  }

  close() {
    this.#end('closed');
  }

  /* When the loop is QUEUE events behind, nothing more is fetched until it has
   * caught up. */
  async *[Symbol.asyncIterator]() {
    const queue = {events: []};
    this.#queues.add(queue);
    try {
      for (;;) {
        while (queue.events.length) {
          this.#keep(this.lastId);
          yield queue.events.shift().event;
        }
        this.#resume();
        if (this.state === 'closed') return;
        await new Promise((resolve) => { queue.wake = resolve; });
      }
    } finally {
      this.#queues.delete(queue);
      this.#resume();
    }
  }

  /* ---- life ---- */

  #restore() {
    const {storage} = this.#options;
    if (!storage) return;
    try {
      this.#storage = storage === true ? localStorage : storage;
      const kept = this.#storage.getItem(this.#key);
      if (/^\d+$/.test(kept)) this.lastId = kept;
      /* What comes to a page that is gone would not come to the next. */
      addEventListener('pagehide', () => {
        this.#save();
        this.#pause();
      }, this.#controller);
      addEventListener('pageshow', () => this.#resume(), this.#controller);
    } catch { /* no storage, or no page */ }
  }

  #begin() {
    if (this.#options.signal?.aborted) this.close();
    if (this.state === 'closed') return;
    if (!this.#options.share) {
      this.#link = this.#open(this.#names);
    } else if (globalThis.navigator?.locks && globalThis.BroadcastChannel) {
      this.#channel = new BroadcastChannel('tidings ' + this.#address);
      this.#channel.onmessage = ({data}) => this.#told(data);
      this.#elect();
    } else {
      this.#alone();
    }
  }

  /* Shares only the wait: there are no locks, or they are forbidden here. */
  #alone() {
    this.#channel = this.#channel?.close();
    this.#address.pathname += '/' + waitKey();
    this.#link = this.#open(['long-poll', 'short-poll']);
  }

  #end(reason) {
    if (this.state === 'closed') return;
    this.#link?.close();
    this.#catcher?.close();
    this.#controller.abort();
    this.#release?.();
    this.#channel = this.#channel?.close();
    this.#timers.clearTimeout(this.#thief);
    if (this.#storage) this.#save();
    this.#change({state: 'closed', transport: this.transport, reason});
    for (const queue of this.#queues) queue.wake?.();
  }

  #open(names, calls) {
    return new Link({
      address: this.#address,
      options: this.#options,
      names,
      id: this.lastId,
      object: (value) => this.#accept(value),
      reached: (id) => this.#reach(id),
      state: (change) => this.#change({...change, shared: false}),
      ended: (reason) => this.#end(reason),
      error: (error) => call(this.#options.onError, error),
      ...calls,
    });
  }

  #change(change) {
    const {shutdown, ...rest} = change;
    if (this.state === 'closed') return;
    this.state = change.state;
    this.transport = change.transport;
    call(this.#options.onState, rest);
    if (shutdown) call(this.#options.onShutdown, shutdown);
  }

  #reach(id) {
    if (id && isAfter(id, this.lastId)) this.#keep(id);
  }

  #keep(id) {
    this.lastId = id;
    if (this.#storage) this.#saving ??= this.#timers.setTimeout(this.#save, 250);
  }

  /* ---- what has come ---- */

  #accept(value) {
    const {onGap, onCorrection, onWithdrawal, onEvent, onError} = this.#options;
    const event = eventOf(value), {id, channel, type, data, time} = event;
    /* A gap may lead back. One that does not say so is of a leader that was
     * behind this tab. */
    if (this.state === 'closed' || !isAfter(id, this.lastId) &&
      (type !== GAP || id !== this.lastId && !isBack(data)))
      return;
    const before = this.lastId;
    this.#keep(id);
    if (type === GAP) this.#target = this.#asked = null;
    if (typeof data === 'string' && /^\s*[{[]/.test(data))
      this.#check(data, onError);
    if (type === GAP) {
      call(onGap, data);
    } else if (type === 'tidings.correction') {
      call(onCorrection, Object.assign(eventOf({...value, data}),
        {corrects: String(data.corrects)}));
    } else if (type === 'tidings.withdrawal') {
      call(onWithdrawal, {id, channel, time, withdraws: String(data.withdraws)});
    } else {
      call(onEvent, event);
      for (const fn of this.#listeners.get(type) ?? []) call(fn, event);
      for (const queue of this.#queues) {
        queue.wake?.();
        if (queue.events.push({event, before}) >= QUEUE) this.#pause();
      }
    }
  }

  /* Looks like JSON, came as a text: so it is none, and somebody should know. */
  #check(text, onError) {
    try {
      JSON.parse(text);
    } catch {
      call(onError, failure('not JSON', {kind: 'json', text}));
    }
  }

  #pause() {
    this.#isPaused = true;
    (this.#channel ? this.#catcher : this.#link)?.pause();
  }

  #resume() {
    if (!this.#isPaused) return;
    for (const {events} of this.#queues) if (events.length >= QUEUE) return;
    this.#isPaused = false;
    (this.#channel ? this.#catcher : this.#link)?.resume();
    if (this.#target) this.#catchUp();
  }

  /* ---- share ---- */

  #post(message) {
    if (this.state === 'closed') return;
    this.#postedAt = timeOf(this.#options);
    this.#channel.postMessage({...message, every: this.#link?.silence});
  }

  async #elect(mode = {ifAvailable: true}) {
    while (this.#channel) {
      await this.#lock(mode);
      mode = this.#controller;
    }
  }

  /* Leads while it has the lock, which another tab may steal. */
  async #lock(mode) {
    try {
      await navigator.locks.request('tidings ' + this.#address, mode,
        (lock) => this.#channel && (lock ? this.#lead() : this.#follow()));
    } catch ({name}) { // if an AbortError: stolen, or closed meanwhile
      if (this.#channel && name !== 'AbortError') return this.#alone();
    }
    this.#link?.close();
    this.#link = null;
  }

  #lead() {
    this.#timers.clearTimeout(this.#thief);
    this.#link = this.#open(this.#names, {
      object: (value, before) => {
        this.#post({value, before});
        this.#hear(value, before);
      },
      state: (change) => {
        this.#change({...change, shared: false});
        this.#post({change});
      },
      heard: () => {
        if (timeOf(this.#options) - this.#postedAt > SECOND) this.#post({});
      },
    });
    return new Promise((resolve) => { this.#release = resolve; });
  }

  #follow() {
    this.#post({isAsking: true});
    this.#told({every: LONGEST_WAIT}); // there may be no answer
    this.#catchUp();
  }

  /* A leader that is silent for too long is stopped, or stuck. */
  #told({value, before, change, isAsking, every}) {
    if (every) this.#timers.clearTimeout(this.#thief);
    if (every && !this.#link && this.state !== 'shutdown')
      this.#thief = this.#timers.setTimeout(() => this.#lock({steal: true}),
        3 * every + LONGEST_WAIT);
    if (value) this.#hear(value, before);
    if (change && !this.#link) this.#change({...change, shared: true});
    if (isAsking && this.#link) this.#post({change: {state: this.state,
      transport: this.transport, reason: ''}});
  }

  /* While the catcher runs, others only show how far it has to go: what it asks
   * for has all of it. */
  #hear(value, before) {
    const id = String(value.id), {type, data} = value.data;
    if (type === GAP && isBack(data)) {
      this.#dropCatcher();
    } else if (this.#catcher || this.#isPaused) {
      if (isAfter(id, this.#target)) this.#target = id;
      return;
    } else if (this.lastId && (!before || isAfter(before, this.lastId))) {
      this.#target = id;
      this.#catchUp();
      return;
    }
    this.#accept(value);
  }

  #catchUp() {
    if (this.#catcher || this.#isPaused) return;
    this.#asked = this.#target;
    this.#catcher = this.#open(['short-poll'], {
      reached: (id, isAll) => this.#caught(id, isAll),
      state() {},
    });
  }

  /* Whether the catcher must ask again. An empty answer that was asked for when
   * the target was known shows that what lay before it is gone. */
  #caught(id, isAll) {
    if (isAll) {
      this.#reach(id);
      this.#reach(this.#asked);
    }
    this.#asked = this.#target;
    if (this.#target ? isAfter(this.#target, this.lastId) : !isAll) return true;
    this.#dropCatcher();
  }

  #dropCatcher() {
    this.#catcher?.close();
    this.#catcher = this.#target = null;
  }
}

/* Follows channels from a position until it is closed; tidings.d.ts has the
 * options. */
export function tidings(url, options = {}) {
  return new Stream(url, options);
}
