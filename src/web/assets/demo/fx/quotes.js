/* quotes.js -- what is known of one currency pair: its quotes, in the order of
 * their events, with what was corrected or withdrawn since.
 *
 * An event carries one or more rows. They are found again by the event's id when
 * a correction names it. Nothing here knows how it is shown. */

const KEPT = 600;

const PRICE = /^\d{1,9}\.\d{1,9}$/;
const LATEST_MS = 8.64e15; /* that a Date can hold */

/* The rows of an event's data that can be shown; [] if it is none of ours. */
function rowsOf(data) {
  const rows = Array.isArray(data?.rows) ? data.rows : [];

  return rows.map((row) => ({
    madeAt: Number(row?.id), bid: String(row?.bid), ask: String(row?.ask),
    middle: (Number(row?.bid) + Number(row?.ask)) / 2,
  })).filter(({ madeAt, bid, ask }) =>
    madeAt >= 0 && madeAt <= LATEST_MS && PRICE.test(bid) && PRICE.test(ask));
}

export class Quotes {
  /* Oldest first: { eventId, madeAt, bid, ask, middle, came, fate, was } with
   * fate '', 'corrected' or 'withdrawn', and was: the row before that. */
  rows = [];

  take(eventId, data) {
    const came = Date.now();

    for (const row of rowsOf(data))
      this.rows.push({ eventId, came, fate: '', was: null, ...row });
    this.rows.splice(0, this.rows.length - KEPT);
  }

  #amend(eventId, change) {
    const isHere = this.rows.some((row) => row.eventId === eventId);

    this.rows = this.rows.map((row) =>
      row.eventId === eventId ? change(row) : row);
    return isHere;
  }

  /* Is it one of these? */
  correct(eventId, data) {
    const [now] = rowsOf(data);

    return now !== undefined && this.#amend(eventId, (row) => {
      const same = row.bid === now.bid && row.ask === now.ask;

      return { ...row, ...now, fate: 'corrected', was: same ? row.was : row };
    });
  }

  withdraw(eventId) {
    return this.#amend(eventId,
      (row) => ({ ...row, fate: 'withdrawn', was: null }));
  }

  /* What is in force, oldest first. */
  get valid() {
    return this.rows.filter((row) => row.fate !== 'withdrawn');
  }
}
