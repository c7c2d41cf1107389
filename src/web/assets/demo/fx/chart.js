/* chart.js -- bid and ask over the last minutes, as an SVG.
 *
 * Drawn anew from the rows whenever they change, at most once per frame, in the
 * pixels that the element has: so lines and text stay sharp at any width. The
 * time axis ends with the newest quote: in a silence it stands still. */

const SPAN_MS = 120000;
const HEIGHT = 150;
const MARGIN = { top: 10, right: 76, bottom: 22, left: 18 };
const LEVELS = 3;
const LEAST_STEPS = 20; /* of the smallest step, from bottom to top */

function make(name, attributes, text) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);

  for (const [key, value] of Object.entries(attributes))
    element.setAttribute(key, value);
  if (text !== undefined)
    element.textContent = text;
  return element;
}

const clock = (ms) => new Date(ms).toISOString().slice(11, 19);

export class Chart {
  #box;
  #rows = [];
  #digits = 0;
  #frame = 0;

  constructor(box, name) {
    this.#box = box;
    box.setAttribute('role', 'img');
    box.setAttribute('aria-label', `${name}: bid and ask, last two minutes`);
    new ResizeObserver(() => this.#ask()).observe(box);
  }

  /* Rows in force, oldest first; digits after the point. */
  show(rows, digits) {
    const begin = rows.length === 0 ? 0 : rows.at(-1).madeAt - SPAN_MS;

    this.#rows = rows.filter(({ madeAt }) => madeAt >= begin);
    this.#digits = digits;
    this.#ask();
  }

  #ask() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    const width = this.#box.clientWidth;
    const svg = make('svg', { width, height: HEIGHT, 'aria-hidden': 'true' });

    if (this.#rows.length > 0 && width > MARGIN.left + MARGIN.right)
      this.#drawRows(svg, this.#scales(width));
    this.#box.replaceChildren(svg);
  }

  #scales(width) {
    const prices = this.#rows.flatMap(({ bid, ask }) => [+bid, +ask]);
    const room = LEAST_STEPS / 10 ** this.#digits;
    let low = Math.min(...prices);
    let high = Math.max(...prices);
    const missing = Math.max(0, room - (high - low)) / 2;
    const end = this.#rows.at(-1).madeAt;
    const inside = width - MARGIN.left - MARGIN.right;
    const tall = HEIGHT - MARGIN.top - MARGIN.bottom;

    low -= missing;
    high += missing;
    return {
      low, high, end, width,
      x: (ms) => MARGIN.left + inside * (1 - (end - ms) / SPAN_MS),
      y: (price) => MARGIN.top + tall * (high - price) / (high - low),
    };
  }

  #drawRows(svg, scales) {
    this.#drawAxes(svg, scales);
    const { x, y } = scales;
    const line = (side) => this.#rows.map((row) =>
      `${x(row.madeAt).toFixed(1)},${y(+row[side]).toFixed(1)}`);
    const [bids, asks] = [line('bid'), line('ask')];

    svg.append(
      make('polygon', { class: 'spread',
        points: [...bids, ...asks.toReversed()].join(' ') }),
      make('polyline', { class: 'of-ask', points: asks.join(' ') }),
      make('polyline', { class: 'of-bid', points: bids.join(' ') }));
    this.#drawMarks(svg, scales);
  }

  /* The newest quote, and a ring around each that was corrected. */
  #drawMarks(svg, { x, y }) {
    const newest = this.#rows.at(-1);

    for (const row of this.#rows.filter(({ fate }) => fate === 'corrected'))
      svg.append(make('circle', { class: 'corrected', r: 6,
        cx: x(row.madeAt), cy: y(row.middle) }));
    for (const side of ['ask', 'bid'])
      svg.append(make('circle', { class: `dot of-${side}`, r: 3.5,
        cx: x(newest.madeAt), cy: y(+newest[side]) }));
  }

  #drawAxes(svg, { low, high, end, width, y }) {
    const right = width - MARGIN.right;

    for (let level = 0; level < LEVELS; level++) {
      const price = low + (high - low) * level / (LEVELS - 1);

      svg.append(
        make('line', { class: 'grid', x1: MARGIN.left, x2: right,
          y1: y(price), y2: y(price) }),
        make('text', { x: width - MARGIN.left, y: y(price) + 4,
                       'text-anchor': 'end' },
          price.toFixed(this.#digits)));
    }
    svg.append(
      make('text', { x: MARGIN.left, y: HEIGHT - 5 }, clock(end - SPAN_MS)),
      make('text', { x: right, y: HEIGHT - 5, 'text-anchor': 'end' },
        clock(end)));
  }
}
