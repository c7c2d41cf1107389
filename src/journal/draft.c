/* draft.c -- one LMDB transaction, from its begin to its commit.
 *
 * An event costs one append at the end of `events`: LMDB reserves the room in
 * the page and the record is encoded there. A channel that has no row yet gets
 * one in the same transaction, since a record names its channel by number only.
 *
 * A publish goes in whole or not at all. What can refuse it (the limit of
 * channels, an amendment of what is not there) is asked before anything of it is
 * written; what can fail later (no room) gives up the whole transaction.
 *
 * Time: the publisher's wish counts if it is not older than the newest event
 * and at most a second ahead, else it is now; and it never decreases, so that a
 * search by time can halve the ids.
 *
 * Any failure but want of room means that LMDB or the disk cannot be trusted
 * any more. The process says so and ends without an answer to anybody: whoever
 * asked does not know whether it was written, asks again with the same key, and
 * gets the right answer from what is really stored.
 */
#include "draft.h"

#include "amend.h"
#include "base/seeded_bug.h"
#include "publish.h"
#include "record.h"
#include "source.h"

#include <tidings/check.h>
#include <tidings/logger.h>

#include <stdlib.h>

#define DRAFT_BYTES_MAX (16u << 20)
#define PAGE_BYTES      4096
#define WISH_AHEAD_MS   1000
#define EXIT_IO         74 /* EX_IOERR of sysexits.h */
#define CHAIN_CUT_EVERY 7  /* seeded bug */
/* What an amendment changes besides: the way to the old record, a row. */
#define AMEND_PAGES_BYTES ((size_t)8 * PAGE_BYTES)

_Noreturn static void die(const char *what, enum status st)
{
    LOG_LINE(LOG_ERROR, "journal",
             "the journal cannot be written; what was not answered may or may "
             "not be stored",
             LOG_STR("doing", what), LOG_STR("why", status_text(st)));
    _Exit(EXIT_IO);
}

/* Want of room is passed on; anything else is the end. */
static enum status survive(const char *what, enum status st)
{
    if (st != ST_OK && st != ST_NO_SPACE)
        die(what, st);
    return st;
}

void draft_begin(struct journal *journal)
{
    struct draft *draft = &journal->draft;
    enum status st = from_lmdb(
        mdb_txn_begin(journal->environment.env, NULL, 0, &draft->txn));

    if (st == ST_OK)
        st = from_lmdb(mdb_cursor_open(draft->txn, journal->environment.events,
                                       &draft->cursor));
    if (st != ST_OK)
        die("beginning a transaction", st);
    draft->oldest = NULL;
    draft->tail = &draft->oldest;
    draft->count = 0;
    draft->duplicates = 0;
    draft->late_keys = 0;
    draft->bytes = 0;
    draft->now_ms = clock_wall_ms(journal->options.clock);
    ledger_begin(&journal->ledger);
    source_begin(journal);
}

bool draft_has_room(const struct journal *journal,
                    const struct publish *publish)
{
    const struct draft *draft = &journal->draft;

    return draft->oldest == NULL ||
           (draft->count + publish->count <=
                journal->options.commit_events_max &&
            draft->bytes + publish->link.bytes <= DRAFT_BYTES_MAX);
}

/* ---- one event ----------------------------------------------------------- */

static enum status find_channel(struct journal *journal, struct event *event)
{
    const struct text name = event_channel(event);

    event->channel = registry_find(journal->registry, name);
    if (event->channel != NULL)
        return ST_OK;
    if (name.length == 0)
        return ST_BAD_INPUT;
    return registry_intern(journal->registry, name, 0, &event->channel);
}

static enum status find_channels(struct journal *journal,
                                 struct publish *publish)
{
    for (unsigned i = 0; i < publish->count; i++) {
        const enum status st = find_channel(journal, publish->events[i]);

        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

static int64_t time_of(const struct journal *journal, int64_t wish_ms)
{
    const int64_t last_ms = journal->ledger.totals.last_ms;
    int64_t time_ms = journal->draft.now_ms;

    /* Of a stream's event the follower has looked at it. */
    if (journal->source.name != NULL || (wish_ms >= last_ms && wish_ms > 0 &&
                                         wish_ms <= time_ms + WISH_AHEAD_MS))
        time_ms = wish_ms;
    return time_ms > last_ms ? time_ms : last_ms;
}

static enum status put_record(struct journal *journal,
                              const struct event *event, size_t *bytes_out)
{
    const struct record record = {.channel = event->channel->number,
                                  .previous_id = event->previous_id,
                                  .time_ms = event->time_ms,
                                  .type = event_type(event),
                                  .data = event_data(event)};
    uint64_t id = event->id;
    MDB_val key = {sizeof id, &id};
    MDB_val value = {record_bytes(&record), NULL};
    const enum status st = from_lmdb(mdb_cursor_put(
        journal->draft.cursor, &key, &value, MDB_APPEND | MDB_RESERVE));

    if (st != ST_OK)
        return st;
    record_encode(value.mv_data, id, &record);
    *bytes_out = value.mv_size;
    return ST_OK;
}

static uint64_t next_id(const struct journal *journal, uint64_t given_id)
{
    const uint64_t last_id = journal->ledger.totals.last_id;
    const uint64_t next =
        last_id == 0 ? journal_first_id(journal) : last_id + 1;

    CHECK((given_id > 0) == (journal->source.name != NULL));
    if (given_id > 0) {
        CHECK(given_id >= next);
        return given_id;
    }
    return next > journal->start_id ? next : journal->start_id;
}

static enum status put_new(struct journal *journal, struct event *event)
{
    struct ledger *ledger = &journal->ledger;
    struct ledger_channel *channel = ledger_channel(ledger, event->channel);
    enum status st = ST_OK;
    size_t bytes;

    event->id = next_id(journal, event->given_id);
    event->previous_id = channel->figures.last_id;
    if (seeded_bug("chain-cut") && event->id % CHAIN_CUT_EVERY == 0)
        event->previous_id = 0;
    event->time_ms = time_of(journal, event->time_ms);

    if (!channel->is_stored)
        st = checkpoint_put_row(&journal->environment, ledger,
                                journal->draft.txn, channel);
    if (st == ST_OK)
        st = put_record(journal, event, &bytes);
    if (st == ST_OK)
        ledger_add(ledger, channel, event->id, event->time_ms,
                   record_stored_bytes(bytes));
    return st;
}

static void list_event(struct draft *draft, struct event *event)
{
    if (draft->count == draft->room) {
        draft->room = draft->room * 2 + 64;
        draft->events = must_realloc((void *)draft->events,
                                     draft->room * sizeof(draft->events[0]));
    }
    draft->events[draft->count++] = event;
}

/* The key of the event that is being put. */
struct keyed {
    bool has_key, is_seen;
    int64_t now_ms; /* by which it grows old */
    struct dedup_key key;
};

static int64_t key_time(const struct journal *journal,
                        const struct event *event)
{
    return journal->source.name != NULL ? time_of(journal, event->time_ms)
                                        : journal->draft.now_ms;
}

/* What the stream has lost is no event any more: its publisher may repeat it, and
 * an instance that never had it knows no better. */
static bool is_taken_back(const struct journal *journal, uint64_t id)
{
    uint64_t after, upto;

    journal_rewound(journal, &after, &upto);
    return id > after && id < upto && !seeded_bug("lost-key-counts");
}

/* ST_OK: it was seen, and the event has the id of then. ST_NOT_FOUND: new. */
static enum status find_key(struct journal *journal, struct event *event,
                            struct keyed *keyed_out)
{
    struct draft *draft = &journal->draft;
    enum status st = ST_NOT_FOUND;

    keyed_out->now_ms = key_time(journal, event);
    event->is_duplicate = 0;
    keyed_out->is_seen = false;
    keyed_out->has_key = dedup_key_of(&journal->dedup, event, &keyed_out->key);
    if (keyed_out->has_key)
        st = dedup_find(&journal->dedup, draft->txn, &keyed_out->key,
                        keyed_out->now_ms, &event->id);
    if (st == ST_OK && is_taken_back(journal, event->id))
        st = ST_NOT_FOUND;
    if (st == ST_OK) {
        keyed_out->is_seen = true;
        event->is_duplicate = 1;
        draft->duplicates += 1;
    }
    return st;
}

static enum status put_key(struct journal *journal, const struct keyed *keyed,
                           uint64_t id)
{
    return keyed->has_key ? dedup_put(&journal->dedup, journal->draft.txn,
                                      &keyed->key, id, keyed->now_ms)
                          : ST_OK;
}

static enum status put_event(struct journal *journal, struct event *event)
{
    struct keyed keyed;
    enum status st = find_key(journal, event, &keyed);

    if (st != ST_NOT_FOUND)
        return st;
    st = put_new(journal, event);
    if (st == ST_OK)
        st = put_key(journal, &keyed, event->id);
    if (st == ST_OK)
        list_event(&journal->draft, event);
    return st;
}

/* From here on the publish is the draft's, which answers it at its end. */
static void link_publish(struct draft *draft, struct publish *publish)
{
    publish->link.next = NULL;
    *draft->tail = &publish->link;
    draft->tail = &publish->link.next;
    draft->bytes += publish->link.bytes;
}

/* ---- an amendment -------------------------------------------------------- */

/* The mistake of the test build: between what belongs together a crash is
 * possible; the pause is what a slow disk would take. */
static void commit_in_between(struct journal *journal)
{
    struct draft *draft = &journal->draft;

    mdb_cursor_close(draft->cursor);
    CHECK(mdb_txn_commit(draft->txn) == 0);
    uv_sleep(5);
    CHECK(mdb_txn_begin(journal->environment.env, NULL, 0, &draft->txn) == 0);
    CHECK(mdb_cursor_open(draft->txn, journal->environment.events,
                          &draft->cursor) == 0);
}

/* Is there anything to do? A refusal leaves nothing behind. */
static enum status look_at_amendment(struct journal *journal,
                                     struct event *event, struct keyed *keyed,
                                     struct amending *amending)
{
    enum status st;

    event->channel = registry_find(journal->registry, event_channel(event));
    if (event->channel == NULL)
        return ST_NOT_FOUND;
    st = find_key(journal, event, keyed);
    if (st == ST_NOT_FOUND)
        st = amend_look(journal, event, amending);
    return st;
}

/* News goes to everybody, its id to the publisher. */
static enum status put_news(struct journal *journal, struct event *event,
                            const struct keyed *keyed,
                            struct amending *amending)
{
    struct draft *draft = &journal->draft;
    struct event *news = event->amends->event;
    enum status st = put_new(journal, news);

    if (seeded_bug("amend-apart") && st == ST_OK)
        commit_in_between(journal);
    draft->bytes += news->data_bytes + amending->old_bytes + AMEND_PAGES_BYTES;
    if (st == ST_OK)
        st = amend_rewrite(journal, event, news->id, amending);
    if (st == ST_OK)
        st = put_key(journal, keyed, news->id);
    if (st == ST_OK)
        list_event(draft, news);
    event->id = news->id;
    return st;
}

/* Nothing to do now; nor shall there be at a retry, whatever is said until then. */
static enum status put_late_key(struct journal *journal,
                                const struct event *event,
                                const struct keyed *keyed)
{
    struct draft *draft = &journal->draft;

    if (!keyed->has_key || keyed->is_seen)
        return ST_OK;
    draft->late_keys += 1;
    return dedup_put_late(&journal->dedup, draft->txn, &keyed->key, event->id,
                          keyed->now_ms);
}

/* What it finds is done; publish NULL: it was linked before. */
static enum status put_amendment(struct journal *journal, struct event *event,
                                 struct publish *publish)
{
    struct amending amending = {.old_bytes = 0};
    struct keyed keyed;
    enum status st = look_at_amendment(journal, event, &keyed, &amending);

    if (st == ST_IO)
        die("looking for an event to amend", st);
    if (st != ST_OK)
        return st;
    if (publish != NULL)
        link_publish(&journal->draft, publish);
    if (event->is_duplicate)
        st = put_late_key(journal, event, &keyed);
    else
        st = put_news(journal, event, &keyed, &amending);
    return survive("amending an event", st);
}

/* ---- a publish ----------------------------------------------------------- */

/* An event of the stream goes in, or says why it does not. */
static enum status put_followed(struct journal *journal, struct event *event)
{
    enum status st;

    event->refused = ST_OK;
    if (event->amends != NULL) {
        event_unref(&event->amends->event); /* of a try that found no room */
        st = put_amendment(journal, event, NULL);
    } else {
        st = find_channel(journal, event);
        if (st == ST_OK)
            return put_event(journal, event);
    }
    if (st == ST_OK || st == ST_NO_SPACE)
        return st;
    event->refused = (uint8_t)st;
    return ST_OK;
}

static enum status put_step(struct journal *journal, struct publish *publish)
{
    enum status st = ST_OK;

    link_publish(&journal->draft, publish);
    source_advance(journal, publish->step);
    for (unsigned i = 0; i < publish->count && st == ST_OK; i++)
        st = put_followed(journal, publish->events[i]);
    return survive("writing a stream's event", st);
}

/* Is the stream's event of this id stored, or may it have been? */
static bool was_taken(const struct journal *journal, uint64_t id)
{
    MDB_val key = {sizeof id, &id};
    MDB_val value;

    return seeded_bug("refused-is-taken") ||
           mdb_get(journal->draft.txn, journal->environment.events, &key,
                   &value) == 0 ||
           id <= atomic_load(&journal->ledger.newest_trimmed) ||
           id <= journal_missing_id(journal);
}

/* Whose are these keys? Of one that nobody knows the event may have been refused
 * here, though the stream has it. */
static enum status look_up(struct journal *journal, struct publish *publish)
{
    struct keyed keyed;
    enum status st = ST_OK;

    link_publish(&journal->draft, publish);
    for (unsigned i = 0; i < publish->count && st == ST_OK; i++) {
        struct event *event = publish->events[i];

        event->time_ms = journal->ledger.totals.last_ms;
        st = find_key(journal, event, &keyed);
        event->refused = (uint8_t)st;
        if (st == ST_NOT_FOUND && !was_taken(journal, event->given_id))
            event->refused = ST_FULL;
        if (st == ST_NOT_FOUND)
            st = ST_OK;
    }
    return survive("looking for a key", st);
}

enum status draft_put(struct journal *journal, struct publish *publish)
{
    enum status st = source_look(journal, publish);

    if (st != ST_OK)
        return st;
    if (publish->step != NULL)
        return put_step(journal, publish);
    if (publish->is_question)
        return look_up(journal, publish);
    if (publish->count > 0 && publish->events[0]->amends != NULL) {
        CHECK(publish->count == 1);
        return put_amendment(journal, publish->events[0], publish);
    }
    st = find_channels(journal, publish);
    if (st != ST_OK)
        return st;
    link_publish(&journal->draft, publish);
    for (unsigned i = 0; i < publish->count && st == ST_OK; i++)
        st = put_event(journal, publish->events[i]);
    return survive("writing an event", st);
}

/* ---- chores -------------------------------------------------------------- */

struct budget {
    struct retention_budget sweep;
    unsigned keys, rows;
};

static struct budget budget_of(const struct draft *draft, enum chores chores)
{
    switch (chores) {
    case CHORES_BESIDE:
        break;
    case CHORES_ALONE:
        return (struct budget){{.visits = 65536, .deletes = 4096}, 4096, 8192};
    case CHORES_TIGHT:
        return (struct budget){{.visits = 65536, .deletes = 8}, 8, 0};
    }
    /* As fast as events come, and faster, or the journal would only grow. */
    return (struct budget){
        {.visits = 8192 + 4 * draft->count, .deletes = 1024 + 2 * draft->count},
        256 + 2 * draft->count,
        1024};
}

static void note_changes(struct journal *journal, int64_t now_ms)
{
    const unsigned count = ledger_touched_count(&journal->ledger);

    for (unsigned i = 0; i < count; i++)
        checkpoint_note(&journal->checkpoint,
                        ledger_touched(&journal->ledger, i), now_ms);
}

static bool is_checkpoint_due(const struct journal *journal, int64_t now_ms)
{
    return checkpoint_due_in(&journal->checkpoint, &journal->ledger, now_ms) ==
           0;
}

enum status draft_chores(struct journal *journal, enum chores chores)
{
    struct draft *draft = &journal->draft;
    const struct budget budget = budget_of(draft, chores);
    const int64_t now_ms = clock_monotonic_ms(journal->options.clock);
    enum status st = ST_OK;

    if (retention_due_in(&journal->retention, &journal->ledger, draft->now_ms,
                         now_ms) == 0)
        st = retention_slice(&journal->retention, &journal->environment,
                             &journal->ledger, draft->txn, draft->now_ms,
                             now_ms, budget.sweep);
    if (st == ST_OK)
        st = checkpoint_put_owed(&journal->environment, &journal->ledger,
                                 draft->txn);
    if (st == ST_OK)
        st = dedup_trim(&journal->dedup, draft->txn, source_now_ms(journal),
                        budget.keys);
    note_changes(journal, now_ms);
    if (st == ST_OK && chores != CHORES_TIGHT)
        st = session_rows_write(&journal->sessions, &journal->environment,
                                draft->txn, draft->now_ms, now_ms);
    if (st == ST_OK && budget.rows > 0 && is_checkpoint_due(journal, now_ms)) {
        if (journal->checkpoint.left == 0)
            checkpoint_start(&journal->checkpoint, &journal->ledger);
        st = checkpoint_slice(&journal->checkpoint, &journal->environment,
                              &journal->ledger, draft->txn, budget.rows);
    }
    return survive("doing the chores", st);
}

/* ---- the end ------------------------------------------------------------- */

void draft_abort(struct journal *journal)
{
    struct draft *draft = &journal->draft;

    if (draft->txn != NULL) {
        mdb_cursor_close(draft->cursor);
        mdb_txn_abort(draft->txn);
    }
    draft->txn = NULL;
    ledger_undo(&journal->ledger);
    checkpoint_undo(&journal->checkpoint, &journal->ledger);
    retention_undo(&journal->retention);
    dedup_undo(&journal->dedup);
    sessions_undo(journal->sessions.sessions);
    source_undo(journal);
}

uint64_t draft_pages(const struct journal *journal)
{
    const struct draft *draft = &journal->draft;

    return draft->bytes / PAGE_BYTES + draft->count / 64 + draft->late_keys +
           session_rows_pages(&journal->sessions) + 4;
}

bool draft_is_empty(const struct journal *journal)
{
    return journal->draft.count == 0 && journal->draft.late_keys == 0 &&
           journal->draft.step == NULL &&
           sessions_taken_count(journal->sessions.sessions) == 0;
}

enum status draft_commit(struct journal *journal)
{
    struct draft *draft = &journal->draft;
    enum status st;

    if (!draft_is_empty(journal) &&
        !environment_has_room(&journal->environment, draft_pages(journal)))
        return ST_NO_SPACE;
    st = survive("writing a position", source_write(journal));
    if (st != ST_OK)
        return st;
    mdb_cursor_close(draft->cursor);
    st = from_lmdb(mdb_txn_commit(draft->txn));
    draft->txn = NULL; /* commit frees it whatever it returns */
    if (st == ST_IO &&
        environment_is_disk_full(&journal->environment,
                                 draft_pages(journal) * PAGE_BYTES))
        st = ST_NO_SPACE;
    return survive("committing", st);
}
