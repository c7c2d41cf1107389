// tidings.d.ts -- what tidings.js promises. README.md tells it in sentences.

/** In this order, unless options.transports says otherwise. */
export type Transport =
  | 'fetch' | 'eventsource' | 'websocket' | 'long-poll' | 'short-poll';

/** connecting: asked, nothing heard yet. open: the server was heard.
 *  waiting: for the next attempt. shutdown: until the announced time.
 *  closed: for good. */
export type State = 'connecting' | 'open' | 'waiting' | 'shutdown' | 'closed';

export interface TidingsEvent<Data = any> {
  /** The position behind this event; a number below 2^53, as a string. */
  id: string;
  channel: string;
  /** '' for an event without a type. */
  type: string;
  /** The value, if the event's text is JSON; else the text. */
  data: Data;
  /** The event's text; for a value it is JSON.stringify(data). */
  readonly text: string;
  /** Unix milliseconds. */
  time: number;
}

/** What lies between the two positions is not kept any more. */
export interface Gap {
  requested: string;
  resumed: string;
  reason: 'trimmed' | 'unknown' | 'future' | 'rewound';
}

/** The event `corrects` was published wrong; this is what it should have been. */
export interface Correction<Data = any> extends TidingsEvent<Data> {
  corrects: string;
}

/** The event `withdraws` should not have been published. */
export interface Withdrawal {
  id: string;
  channel: string;
  time: number;
  withdraws: string;
}

export interface Shutdown {
  /** As the server wrote it: '2014-03-02 22:00:00 UTC'. */
  until: string;
  untilSecs: number;
  /** When this client comes back: unix milliseconds by its own clock. */
  returnsAt: number;
}

export interface StateChange {
  state: State;
  transport: Transport;
  /** Why, in a few words. */
  reason: string;
  /** True if another tab holds the connection (share). */
  shared: boolean;
  /** state 'waiting': how many milliseconds. */
  wait?: number;
}

/** What is told to onError; only kind 'refused' ends the stream. */
export interface TidingsError extends Error {
  /** json: data or an answer that is not JSON, in `text`. connection: an
   *  attempt failed. refused: the server does not want this request. */
  kind: 'json' | 'connection' | 'refused';
  text?: string;
  status?: number;
  transport?: Transport;
}

export interface PositionStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

/** Time as the client sees it; tests give their own. */
export interface Clock {
  now(): number;
  setTimeout(fn: () => void, ms: number): any;
  clearTimeout(timer: any): void;
}

export interface Options {
  /** Channels and patterns, if the URL does not name them. */
  channels?: string | string[];
  /** Where to begin: an id, 'earliest', 'latest', 'last-20', 'rt-<seconds>',
   *  unix milliseconds. Default: 'latest'. One position is that of all channels. */
  after?: string | number;
  token?: string | (() => string | Promise<string>);
  onEvent?(event: TidingsEvent): void;
  onGap?(gap: Gap): void;
  onCorrection?(correction: Correction): void;
  onWithdrawal?(withdrawal: Withdrawal): void;
  /** The server had nothing to say, and said so. Not on polls. */
  onKeepalive?(): void;
  onShutdown?(shutdown: Shutdown): void;
  onState?(change: StateChange): void;
  onError?(error: TidingsError): void;
  transports?: Transport[];
  /** One connection for all tabs that ask for the same. */
  share?: boolean;
  /** Keep the position, so that a reload continues: true is localStorage. */
  storage?: boolean | PositionStorage;
  storageKey?: string;
  /** Silence after which the connection is taken for dead; raised when the
   *  server announces longer intervals. Default: 20. */
  keepaliveSecs?: number;
  signal?: AbortSignal;
  withCredentials?: boolean;
  /** Name of a position that the server keeps. */
  session?: string;
  clock?: Clock;
  random?: () => number;
}

export interface TidingsStream extends AsyncIterable<TidingsEvent> {
  /** Calls fn for events of that type. */
  on(type: string, fn: (event: TidingsEvent) => void): this;
  off(type: string, fn: (event: TidingsEvent) => void): this;
  close(): void;
  readonly state: State;
  readonly transport: Transport;
  /** The position reached; null before it is known. */
  readonly lastId: string | null;
}

/** Follows channels from a position until it is closed. */
export function tidings(url: string | URL, options?: Options): TidingsStream;
