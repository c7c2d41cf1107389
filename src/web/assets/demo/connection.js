/* connection.js -- what a connection's state looks like, and how long it was
 * away. */

const TEXTS = {
  connecting: () => 'connecting',
  open: () => 'connected',
  waiting: (reason, wait) => `lost; next try in ${seconds(wait)}`,
  shutdown: () => 'planned pause',
  closed: (reason) => reason === 'closed' ? 'disconnected' : `ended: ${reason}`,
};

/* The root element gets data-state for its lamp, .state-text the words; what the
 * browser called the reason, in words of its own, is for who points at them. */
export function showState(root, { state, reason, wait }) {
  root.dataset.state = state;
  root.querySelector('.state-text').textContent = TEXTS[state](reason, wait);
  root.querySelector('.state').title = reason;
}

export const GAP_TEXTS = {
  trimmed: 'The server no longer keeps all that was missed',
  unknown: 'The server has another journal than before',
  future: 'The server’s journal ends before what this page has seen',
  rewound: 'The server’s journal was set back',
};

export function seconds(ms) {
  return ms < 10000 ? `${(ms / 1000).toFixed(1)} s`
    : ms < 120000 ? `${Math.round(ms / 1000)} s`
      : `${Math.round(ms / 60000)} min`;
}

/* Tells once per break, when the connection is there again, how long it took.
 * The first connect is no break, and neither is one that the reader asked for. */
export class Away {
  #since = null;
  #wasOpen = false;

  /* Milliseconds, or null. */
  moved(state) {
    const now = performance.now();
    let away = null;

    if (state === 'open') {
      away = this.#since === null ? null : now - this.#since;
      this.#since = null;
      this.#wasOpen = true;
    } else if (state === 'closed') {
      this.#since = null;
      this.#wasOpen = false;
    } else if (this.#wasOpen) {
      this.#since ??= now;
    }
    return away;
  }
}
