/* pause.js -- a planned pause: the buttons that ask for one, and the countdown
 * that is seen when the server announces it. */

import { bearer } from '/access.js';

const SECONDS = 30;
const TICK_MS = 250;
const ANSWER_MS = 10000;

const byId = (id) => document.getElementById(id);

async function ask(method, body) {
  const response = await fetch('/admin/shutdown', {
    method, body, headers: { ...bearer(),
      ...body && { 'Content-Type': 'application/json' } },
    signal: AbortSignal.timeout(ANSWER_MS) });

  if (response.ok)
    return;
  const { message } = await response.json();
  throw new Error(message ?? `the server answers ${response.status}`);
}

async function attempt(step, done) {
  try {
    await step();
    byId('shut').textContent = done;
  } catch (error) {
    byId('shut').textContent = `Not done: ${error.message}`;
  }
}

/* Whole seconds, so that it reads well. */
function untilText() {
  const until = Math.ceil(Date.now() / 1000 + SECONDS) * 1000;

  return new Date(until).toISOString().replace('.000', '');
}

/* 0:07, 1:30, 26:05:00 */
function countdown(until) {
  const left = Math.max(0, Math.ceil((until - Date.now()) / 1000));
  const parts = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60];

  return parts.slice(parts[0] > 0 ? 0 : 1).map((part, index) =>
    index === 0 ? part : String(part).padStart(2, '0')).join(':');
}

export class Pause {
  #announced = null; /* { until, endsAt, returnsAt }, unix ms */
  #timer = 0;

  constructor() {
    byId('shut-down').onclick = () => attempt(
      () => ask('POST', JSON.stringify({ until: untilText() })),
      'Announced to every page.');
    byId('cancel').onclick = () => attempt(
      () => ask('DELETE'), 'No pause. Pages that heard of one come back by its end.');
  }

  announced({ until, untilSecs, returnsAt }) {
    this.#announced = { until, returnsAt,
                        endsAt: Date.now() + untilSecs * 1000 };
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#show(), TICK_MS);
    this.#show();
  }

  over() {
    clearInterval(this.#timer);
    byId('pause').hidden = true;
  }

  #show() {
    const { until, endsAt, returnsAt } = this.#announced;

    byId('pause').textContent =
      `Planned pause until ${until}: ${countdown(endsAt)} left. ` +
      `This page comes back in ${countdown(returnsAt)}; the prices are from before.`;
    byId('pause').hidden = false;
  }
}
