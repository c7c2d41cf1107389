/* writer.c -- the loop of the journal's thread.
 *
 *   wait for publishes, or for the next chore
 *   take all that wait
 *   for each transaction's worth of them:
 *     put them in, with a slice of the chores that are due
 *     commit                                          durable from here on
 *     publish the figures, then the newest id
 *     hand the batch to the listeners
 *     answer the publishers
 *
 * So nothing is answered or delivered before it is on the disk, and while one
 * commit runs the next batch gathers in the mailbox: the more publishers, the
 * more of them share a commit.
 *
 * Figures come before the batch, so that whoever holds a batch finds them at
 * least as new. Each channel's figures come before the journal's newest id:
 * who loads that id first and then a channel's last id knows that the channel
 * has nothing between the two. Listeners come before answers: there are as many
 * of them as crew threads, while a thousand answers may take longer than the
 * commit.
 *
 * No room: the transaction is given up, its publishers are told so, and the
 * next ones are tried as ever. A slice of retention tries to make room. When
 * nobody publishes, a tiny commit once a second finds out whether there is room
 * again, so that readiness comes back by itself.
 */
#include "writer.h"

#include "base/seeded_bug.h"
#include "draft.h"
#include "gathering.h"
#include "publish.h"
#include "source.h"

#include <tidings/check.h>
#include <tidings/logger.h>
#include <tidings/platform.h>

#include <stdlib.h>

#define TIGHT_STEPS  64 /* in a row, between publishes */
#define PAGE_BYTES   4096
#define SPARE_BYTES  (1u << 20) /* more than what found no room */
#define PROBE_MS     1000
#define WAIT_MOST_MS 60000

void writer_init(struct journal *journal)
{
    const struct journal_options *options = &journal->options;

    ledger_init(&journal->ledger, journal->registry, options);
    retention_init(&journal->retention, options->keep_bytes);
    dedup_init(&journal->dedup, &journal->environment,
               options->dedup_window_ms);
    checkpoint_init(&journal->checkpoint, 0);
}

void writer_fini(struct journal *journal)
{
    free((void *)journal->draft.events);
    checkpoint_fini(&journal->checkpoint);
    dedup_fini(&journal->dedup);
    retention_fini(&journal->retention);
    ledger_fini(&journal->ledger);
}

/* ---- after the commit ---------------------------------------------------- */

/* Only this thread writes the figures: no locked instruction is needed. */
static void figure_add(_Atomic uint64_t *figure, uint64_t by)
{
    atomic_store_explicit(
        figure, atomic_load_explicit(figure, memory_order_relaxed) + by,
        memory_order_relaxed);
}

static void settle(struct journal *journal)
{
    const struct draft *draft = &journal->draft;

    figure_add(&journal->figures.events, draft->count);
    figure_add(&journal->figures.duplicates, draft->duplicates);
    figure_add(&journal->figures.trimmed, journal->retention.trimmed);
    ledger_settle(&journal->ledger);
    checkpoint_settle(&journal->checkpoint,
                      clock_monotonic_ms(journal->options.clock));
    retention_settle(&journal->retention);
    dedup_settle(&journal->dedup);
    sessions_settle(journal->sessions.sessions);
    source_settle(journal);
    atomic_store_explicit(&journal->figures.stored_bytes,
                          journal->ledger.totals.bytes, memory_order_relaxed);
    atomic_store_explicit(&journal->figures.kept, journal->ledger.totals.count,
                          memory_order_relaxed);
    atomic_store_explicit(&journal->figures.oldest_id,
                          journal->ledger.totals.oldest_id,
                          memory_order_relaxed);
    /* Sequentially consistent: listeners ask afterwards who wants the batch. */
    atomic_store(&journal->last_id, journal->ledger.totals.last_id);
}

static bool may_log(const struct journal *journal, struct log_limit *limit)
{
    uint64_t suppressed;

    return logger_may(limit, clock_monotonic_ms(journal->options.clock),
                      &suppressed);
}

static void set_can_commit(struct journal *journal, bool can)
{
    const bool could = atomic_exchange_explicit(&journal->figures.can_commit,
                                                can, memory_order_relaxed);

    if (could && !can && may_log(journal, &journal->full_limit))
        LOG_LINE(LOG_ERROR, "journal",
                 "no room on the disk or in the map; publishers are refused",
                 LOG_NUM("bytes", journal->ledger.totals.bytes));
    if (!could && can && may_log(journal, &journal->roomy_limit))
        LOG_LINE(LOG_INFO, "journal", "there is room again",
                 LOG_NUM("bytes", journal->ledger.totals.bytes));
}

/* What the stream never gave, or took back, ends there: who is live must look
 * into the journal to be told of it. */
static uint64_t newest_hole(const struct journal *journal)
{
    uint64_t hole = journal_missing_id(journal), after, upto;

    journal_rewound(journal, &after, &upto);
    if (upto > hole)
        hole = upto;
    return seeded_bug("hole-in-batch") && hole >= journal->draft.events[0]->id
               ? 0
               : hole;
}

static void tell_batch(struct journal *journal, unsigned from, unsigned upto,
                       uint64_t after_id)
{
    const struct draft *draft = &journal->draft;
    struct batch *batch;

    if (from == upto)
        return;
    batch = batch_create(draft->events + from, upto - from, after_id);
    for (unsigned i = 0; i < journal->listener_count; i++)
        journal->listeners[i].listen(journal->listeners[i].arg, batch);
    batch_unref(&batch);
}

/* What lies before the hole is a batch, and what lies behind it. */
static void tell_listeners(struct journal *journal, uint64_t after_id)
{
    const struct draft *draft = &journal->draft;
    unsigned before = 0;
    uint64_t hole;

    if (draft->count == 0)
        return;
    hole = newest_hole(journal);
    if (hole > after_id)
        while (before < draft->count && draft->events[before]->id <= hole)
            before++;
    tell_batch(journal, 0, before, after_id);
    tell_batch(journal, before, draft->count,
               hole > after_id ? hole : after_id);
}

static void answer_all(struct draft *draft, enum status result)
{
    struct msg *msg = draft->oldest;

    draft->oldest = NULL;
    draft->tail = &draft->oldest;
    while (msg != NULL) {
        struct msg *next = msg->next;

        publish_answer(publish_of(msg), result);
        msg = next;
    }
}

static bool commit(struct journal *journal)
{
    const uint64_t started_ns = uv_hrtime();

    if (draft_commit(journal) != ST_OK)
        return false;
    figure_add(&journal->figures.commits, 1);
    figure_add(&journal->figures.commit_us, (uv_hrtime() - started_ns) / 1000);
    return true;
}

/* ---- no room ------------------------------------------------------------- */

static bool may_commit(const struct journal *journal)
{
    return atomic_load_explicit(&journal->figures.can_commit,
                                memory_order_relaxed);
}

static void give_up(struct journal *journal)
{
    struct environment *environment = &journal->environment;

    journal->refused_pages = draft_pages(journal);
    draft_abort(journal);
    /* If it is not the map that is full, it is the disk. */
    if (environment_has_room(environment, journal->refused_pages))
        environment_drop_ballast(environment);
    /* A probe that is due stays due: publishers who try again and again must
     * not put it off. */
    if (may_commit(journal))
        journal->probe_ms =
            clock_monotonic_ms(journal->options.clock) + PROBE_MS;
    figure_add(&journal->figures.no_space, 1);
    set_can_commit(journal, false);
}

/* A transaction without publishers. False: no room for it. */
static bool run_chores(struct journal *journal, enum chores chores)
{
    draft_begin(journal);
    if (draft_chores(journal, chores) != ST_OK || !commit(journal)) {
        give_up(journal);
        return false;
    }
    settle(journal);
    return true;
}

static bool put_probe(struct journal *journal)
{
    draft_begin(journal);
    if (environment_put_number(&journal->environment, journal->draft.txn,
                               "probe",
                               (uint64_t)journal->draft.now_ms) != ST_OK ||
        !commit(journal)) {
        draft_abort(journal);
        return false;
    }
    settle(journal);
    return true;
}

/* Once a second: has the disk room for the ballast again, and is there room for
 * what found none? */
static void run_probe(struct journal *journal)
{
    struct environment *environment = &journal->environment;
    const uint64_t spare_bytes =
        journal->refused_pages * PAGE_BYTES + SPARE_BYTES;

    journal->probe_ms = clock_monotonic_ms(journal->options.clock) + PROBE_MS;
    environment_load_ballast(environment, spare_bytes);
    if (!may_commit(journal) &&
        environment_has_room(environment, journal->refused_pages) &&
        put_probe(journal))
        set_can_commit(journal, true);
}

static bool needs_probe(const struct journal *journal)
{
    return !may_commit(journal) || !journal->environment.has_ballast;
}

static int64_t probe_due_in(const struct journal *journal)
{
    return journal->probe_ms - clock_monotonic_ms(journal->options.clock);
}

static bool is_sweep_due(const struct journal *journal)
{
    return retention_due_in(&journal->retention, &journal->ledger,
                            clock_wall_ms(journal->options.clock),
                            clock_monotonic_ms(journal->options.clock)) == 0;
}

/* Deletes what is due in tiny steps. False if not even that finds room. */
static bool make_room(struct journal *journal)
{
    for (int i = 0; i < TIGHT_STEPS && is_sweep_due(journal); i++)
        if (!run_chores(journal, CHORES_TIGHT))
            return false;
    return true;
}

/* ---- publishes ----------------------------------------------------------- */

/* Fills a transaction from the list. On ST_OK the rest is left in `*msgs`. */
static enum status fill(struct journal *journal, struct msg **msgs)
{
    while (*msgs != NULL && draft_has_room(journal, publish_of(*msgs))) {
        struct publish *publish = publish_of(*msgs);
        enum status st;

        *msgs = (*msgs)->next;
        st = draft_put(journal, publish);
        if (st == ST_NO_SPACE)
            return st;
        if (st != ST_OK)
            publish_answer(publish, st);
    }
    return draft_chores(journal, CHORES_BESIDE);
}

/* The mistake of the test build: publishers are told while a crash can still
 * take their events back. What comes after looks at the events, so they are
 * kept (for good); the pause is what a slow disk would take. */
static void answer_too_early(struct draft *draft)
{
    for (unsigned i = 0; i < draft->count; i++)
        (void)event_ref(draft->events[i]);
    answer_all(draft, ST_OK);
    uv_sleep(5);
}

static void commit_some(struct journal *journal, struct msg **msgs)
{
    const uint64_t after_id = journal->ledger.totals.last_id;
    enum status st;

    draft_begin(journal);
    st = fill(journal, msgs);
    if (seeded_bug("ack-before-commit") && st == ST_OK)
        answer_too_early(&journal->draft);
    if (st != ST_OK || !commit(journal)) {
        give_up(journal);
        answer_all(&journal->draft, ST_NO_SPACE);
        (void)make_room(journal);
        return;
    }
    if (!draft_is_empty(journal))
        set_can_commit(journal, true);
    settle(journal);
    tell_listeners(journal, after_id);
    answer_all(&journal->draft, ST_OK);
}

void writer_handle(struct journal *journal, struct msg *msgs)
{
    if (needs_probe(journal) && probe_due_in(journal) <= 0)
        run_probe(journal);
    while (msgs != NULL)
        commit_some(journal, &msgs);
}

/* ---- between publishes --------------------------------------------------- */

/* A follower's keys grow old as events come, not while nothing does. */
static int64_t keys_due_in(const struct journal *journal)
{
    const int64_t left_ms = journal->dedup.due_ms - source_now_ms(journal);

    if (journal->dedup.due_ms == INT64_MAX ||
        (left_ms > 0 && journal->source.name != NULL))
        return -1;
    return left_ms > 0 ? left_ms : 0;
}

static int64_t chores_due_in(const struct journal *journal)
{
    const int64_t wall_ms = clock_wall_ms(journal->options.clock);
    const int64_t now_ms = clock_monotonic_ms(journal->options.clock);
    const int64_t due_ms[] = {
        retention_due_in(&journal->retention, &journal->ledger, wall_ms,
                         now_ms),
        checkpoint_due_in(&journal->checkpoint, &journal->ledger, now_ms),
        session_rows_due_in(&journal->sessions, wall_ms, now_ms),
        keys_due_in(journal),
    };
    int64_t least_ms = WAIT_MOST_MS;

    for (unsigned i = 0; i < sizeof due_ms / sizeof due_ms[0]; i++)
        if (due_ms[i] >= 0 && due_ms[i] < least_ms)
            least_ms = due_ms[i];
    return least_ms;
}

unsigned writer_wait_ms(const struct journal *journal)
{
    int64_t wait_ms = chores_due_in(journal);

    /* Without room, chores would only fail again before the next probe. */
    if (!may_commit(journal) ||
        (needs_probe(journal) && probe_due_in(journal) < wait_ms))
        wait_ms = probe_due_in(journal);
    return wait_ms > 0 ? (unsigned)wait_ms : 0;
}

bool writer_tick(struct journal *journal)
{
    if (writer_wait_ms(journal) > 0)
        return false;
    if (may_commit(journal) && chores_due_in(journal) == 0)
        (void)run_chores(journal, CHORES_ALONE);
    else if (may_commit(journal) || make_room(journal))
        run_probe(journal);
    return true;
}

void writer_checkpoint(struct journal *journal)
{
    while (checkpoint_count(&journal->checkpoint) > 0) {
        draft_begin(journal);
        if (journal->checkpoint.left == 0)
            checkpoint_start(&journal->checkpoint, &journal->ledger);
        if (checkpoint_slice(&journal->checkpoint, &journal->environment,
                             &journal->ledger, journal->draft.txn,
                             UINT32_MAX) != ST_OK ||
            !commit(journal)) {
            give_up(journal); /* the next start counts the events itself */
            return;
        }
        settle(journal);
    }
}

/* What changed too late for the last publish. */
static void write_sessions(struct journal *journal)
{
    if (may_commit(journal) && sessions_are_behind(journal->sessions.sessions))
        (void)run_chores(journal, CHORES_ALONE);
}

static void handle_and_plan(struct journal *journal,
                            struct gathering *gathering, struct msg *msgs)
{
    const unsigned came = gathering_count(msgs);
    const uint64_t started_ns = uv_hrtime();

    writer_handle(journal, msgs);
    gathering_plan(gathering, came, mailbox_count(&journal->mailbox),
                   (uv_hrtime() - started_ns) / 1000);
}

void writer_run(void *arg)
{
    struct journal *journal = arg;
    struct gathering gathering = {0};

    platform_name_thread("journal");
    for (;;) {
        struct msg *msgs =
            mailbox_wait_for(&journal->mailbox, writer_wait_ms(journal),
                             gathering.wanted, gathering.patience_us);

        if (msgs != NULL)
            handle_and_plan(journal, &gathering, msgs);
        else if (atomic_load(&journal->is_stopping))
            break;
        else
            (void)writer_tick(journal);
    }
    write_sessions(journal);
    writer_checkpoint(journal);
}
