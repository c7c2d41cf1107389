/* retention.c -- the sweep.
 *
 * There is no index by channel, so limits are kept by walking the whole table.
 * What makes this affordable:
 *
 *  - A sweep begins only when something can be found: the journal is over its
 *    bytes, a channel is over its limits, the earliest event that can be too
 * old is due, or a channel has lost sight of its oldest event.
 *  - It ends at the first event after which none of this can be true. With one
 *    age for all channels that is the first event that is young enough: the
 *    sweep only ever touches the oldest end.
 *  - It rests twenty times as long as it worked. Small journals are swept at
 *    once, in microseconds; a large one may keep some events a little longer.
 *    Trimming by bytes does not rest: every event it visits, it deletes.
 *
 * Chains. An event is deleted only if it is the oldest of its channel: if the
 * previous id in its record is not above the id that was trimmed there last. So
 * chains only ever end early. Who may go first is decided by the record alone,
 * whatever has been appended since the sweep began.
 *
 * After a deletion the oldest event of that channel is not known until the
 * sweep meets it (the chain leads backwards); until then `first` is a lower
 * bound. The sweep does not end before it has found them all.
 *
 * A slice first walks and decides, then deletes by id: a cursor that deletes as
 * it goes depends on more of LMDB's inside than we want to. Events of the open
 * transaction are never touched.
 */
#include "retention.h"

#include "record.h"

#include <tidings/check.h>

#include <stdlib.h>
#include <uv.h>

#define REST_FACTOR   20
#define REST_LEAST_MS 100
#define REST_MOST_MS  60000
#define HYSTERESIS    64 /* trims by bytes to this part below the limit */

/* clang-format off */
#define VERDICTS(V)                                                            \
    V(KEEP,   "stays")                                                         \
    V(DELETE, "goes")                                                          \
    V(STOP,   "stays, and nothing after it can go")
/* clang-format on */

enum verdict {
#define V(name, meaning) VERDICT_##name,
    VERDICTS(V)
#undef V
};

struct visit {
    uint64_t id;
    uint64_t stored_bytes;
    struct record record;
    struct ledger_channel *channel;
};

void retention_init(struct retention *retention, uint64_t keep_bytes)
{
    *retention = (struct retention){.keep_bytes = keep_bytes};
}

void retention_fini(struct retention *retention)
{
    free(retention->doomed);
}

void retention_settle(struct retention *retention)
{
    retention->settled = retention->sweep;
    retention->trimmed = 0;
}

void retention_undo(struct retention *retention)
{
    retention->sweep = retention->settled;
    retention->trimmed = 0;
}

/* ---- when ---------------------------------------------------------------- */

static bool is_over_bytes(const struct retention *retention,
                          const struct ledger *ledger)
{
    return retention->keep_bytes > 0 &&
           ledger->totals.bytes > retention->keep_bytes;
}

int64_t retention_due_in(const struct retention *retention,
                         const struct ledger *ledger, int64_t wall_ms,
                         int64_t now_ms)
{
    const struct ledger_totals *totals = &ledger->totals;
    const int64_t rest_ms = retention->sweep.pause_ends > now_ms
                                ? retention->sweep.pause_ends - now_ms
                                : 0;
    int64_t due_ms;

    if (retention->sweep.is_running || is_over_bytes(retention, ledger))
        return 0;
    if (totals->over > 0 || totals->lack_first > 0)
        return rest_ms;
    if (totals->next_due_ms == LEDGER_NEVER)
        return -1;
    due_ms = totals->next_due_ms > wall_ms ? totals->next_due_ms - wall_ms : 0;
    return due_ms > rest_ms ? due_ms : rest_ms;
}

static void begin_sweep(struct retention *retention, struct ledger *ledger)
{
    retention->sweep = (struct sweep){
        .is_running = true, .is_front = true, .due_ms = LEDGER_NEVER};
    /* What is appended from here on lowers it again. */
    ledger->totals.next_due_ms = LEDGER_NEVER;
}

static void end_sweep(struct retention *retention, struct ledger *ledger,
                      int64_t now_ms)
{
    struct sweep *sweep = &retention->sweep;
    int64_t rest_ms = (int64_t)(sweep->spent_us * REST_FACTOR / 1000);

    if (rest_ms < REST_LEAST_MS)
        rest_ms = REST_LEAST_MS;
    if (rest_ms > REST_MOST_MS)
        rest_ms = REST_MOST_MS;
    if (sweep->due_ms < ledger->totals.next_due_ms)
        ledger->totals.next_due_ms = sweep->due_ms;
    *sweep = (struct sweep){.pause_ends = now_ms + rest_ms};
}

/* ---- which --------------------------------------------------------------- */

static bool is_let_go(const struct visit *visit, int64_t wall_ms)
{
    const struct journal_keep *keep = &visit->channel->keep;

    if (keep->age_ms > 0 && visit->record.time_ms + keep->age_ms <= wall_ms)
        return true;
    return ledger_is_over(visit->channel);
}

/* Nothing is over, nothing is looked for, and from here on all is too young. */
static bool is_all_found(const struct retention *retention,
                         const struct ledger *ledger, const struct visit *visit,
                         int64_t wall_ms)
{
    const int64_t least_ms = ledger->least_age_ms;

    return !retention->sweep.trims_bytes && ledger->totals.over == 0 &&
           ledger->totals.lack_first == 0 &&
           (least_ms == 0 || visit->record.time_ms + least_ms > wall_ms);
}

static void note_due(struct sweep *sweep, int64_t age_ms, int64_t time_ms)
{
    if (age_ms > 0 && time_ms + age_ms < sweep->due_ms)
        sweep->due_ms = time_ms + age_ms;
}

static enum verdict judge(struct retention *retention, struct ledger *ledger,
                          const struct visit *visit, int64_t wall_ms)
{
    struct sweep *sweep = &retention->sweep;
    struct ledger_channel *channel = visit->channel;
    const bool is_oldest = sweep->is_front || visit->record.previous_id <=
                                                  channel->figures.trimmed_id;

    if (is_oldest &&
        ((sweep->is_front && sweep->trims_bytes) || is_let_go(visit, wall_ms)))
        return VERDICT_DELETE;

    if (sweep->is_front) {
        sweep->is_front = false;
        ledger->totals.oldest_id = visit->id;
    }
    if (is_oldest && figures_lack_first(&channel->figures))
        ledger_found_first(ledger, channel, visit->id);
    if (is_all_found(retention, ledger, visit, wall_ms)) {
        note_due(sweep, ledger->least_age_ms, visit->record.time_ms);
        return VERDICT_STOP;
    }
    note_due(sweep, channel->keep.age_ms, visit->record.time_ms);
    return VERDICT_KEEP;
}

/* ---- the slice ----------------------------------------------------------- */

static void doom(struct retention *retention, struct ledger *ledger,
                 const struct visit *visit)
{
    struct sweep *sweep = &retention->sweep;

    if (retention->doomed_count == retention->doomed_room) {
        retention->doomed_room = retention->doomed_room * 2 + 256;
        retention->doomed =
            must_realloc(retention->doomed,
                         retention->doomed_room * sizeof(retention->doomed[0]));
    }
    retention->doomed[retention->doomed_count++] = visit->id;
    ledger_remove(ledger, visit->channel, visit->id, visit->record.time_ms,
                  visit->stored_bytes);
    if (sweep->is_front)
        ledger->totals.oldest_id = ledger->totals.count > 0 ? visit->id + 1 : 0;
    if (ledger->totals.bytes <=
        retention->keep_bytes - retention->keep_bytes / HYSTERESIS)
        sweep->trims_bytes = false;
}

static enum status look(struct ledger *ledger, const MDB_val *key,
                        const MDB_val *value, struct visit *visit_out)
{
    enum status st;

    memcpy(&visit_out->id, key->mv_data, sizeof visit_out->id);
    st = record_decode(value->mv_data, value->mv_size, &visit_out->record);
    if (st != ST_OK)
        return st;
    visit_out->stored_bytes = record_stored_bytes(value->mv_size);
    visit_out->channel = ledger_by_number(ledger, visit_out->record.channel);
    return visit_out->channel == NULL ? ST_CORRUPT : ST_OK;
}

/* Walks and decides. `*is_done_out`: the sweep has come to its end. */
static enum status walk(struct retention *retention, struct ledger *ledger,
                        MDB_cursor *cursor, int64_t wall_ms,
                        struct retention_budget budget, bool *is_done_out)
{
    struct sweep *sweep = &retention->sweep;
    const uint64_t last_id = ledger->settled.last_id;
    MDB_val key = {sizeof sweep->next_id, &sweep->next_id};
    MDB_val value;
    int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);

    *is_done_out = true;
    while (code == 0) {
        struct visit visit;
        enum verdict verdict;
        const enum status st = look(ledger, &key, &value, &visit);

        if (st != ST_OK)
            return st;
        if (visit.id > last_id) {
            note_due(sweep, ledger->least_age_ms, visit.record.time_ms);
            return ST_OK;
        }
        if (budget.visits-- == 0 || retention->doomed_count == budget.deletes) {
            *is_done_out = false;
            sweep->next_id = visit.id;
            return ST_OK;
        }
        verdict = judge(retention, ledger, &visit, wall_ms);
        if (verdict == VERDICT_STOP)
            return ST_OK;
        if (verdict == VERDICT_DELETE)
            doom(retention, ledger, &visit);
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    return code == MDB_NOTFOUND ? ST_OK : from_lmdb(code);
}

static enum status delete_doomed(struct retention *retention,
                                 const struct environment *environment,
                                 MDB_txn *txn)
{
    for (unsigned i = 0; i < retention->doomed_count; i++) {
        uint64_t id = retention->doomed[i];
        MDB_val key = {sizeof id, &id};
        const enum status st =
            from_lmdb(mdb_del(txn, environment->events, &key, NULL));

        if (st != ST_OK)
            return st;
    }
    retention->trimmed += retention->doomed_count;
    return ST_OK;
}

enum status retention_slice(struct retention *retention,
                            const struct environment *environment,
                            struct ledger *ledger, MDB_txn *txn,
                            int64_t wall_ms, int64_t now_ms,
                            struct retention_budget budget)
{
    const uint64_t started_ns = uv_hrtime();
    struct sweep *sweep = &retention->sweep;
    MDB_cursor *cursor;
    bool is_done;
    enum status st;

    if (!sweep->is_running || (is_over_bytes(retention, ledger) &&
                               !sweep->is_front && !sweep->trims_bytes))
        begin_sweep(retention, ledger);
    if (is_over_bytes(retention, ledger))
        sweep->trims_bytes = sweep->is_front;

    st = from_lmdb(mdb_cursor_open(txn, environment->events, &cursor));
    if (st != ST_OK)
        return st;
    retention->doomed_count = 0;
    st = walk(retention, ledger, cursor, wall_ms, budget, &is_done);
    mdb_cursor_close(cursor);
    if (st == ST_OK)
        st = delete_doomed(retention, environment, txn);
    sweep->spent_us += (uv_hrtime() - started_ns) / 1000;
    if (st == ST_OK && is_done)
        end_sweep(retention, ledger, now_ms);
    return st;
}
