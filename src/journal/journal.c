/* journal.c -- opening, starting, stopping; and what others may ask.
 *
 * A new journal gets its first id from the clock, unix seconds << 20: a journal
 * that was wiped or restored from nothing goes on above any id that clients may
 * still hold, as long as it took fewer than a million events a second. The
 * first id is stored and never changes.
 *
 * Stop closes the mailbox; the thread still commits and answers what is inside,
 * writes the rows that are behind, and ends.
 */
#include "journal_state.h"
#include "publish.h"
#include "recovery.h"
#include "source.h"
#include "writer.h"

#include <tidings/session_sharing.h>

#include <tidings/check.h>

#include <stdio.h>
#include <stdlib.h>

#define MAP_BYTES_DEFAULT (UINT64_C(64) << 30)
#define ID_SHIFT          20
#define MS_PER_S          1000

/* The smallest id of an event that is published now. */
static uint64_t id_of_now(const struct journal *journal)
{
    return (uint64_t)(clock_wall_ms(journal->options.clock) / MS_PER_S)
           << ID_SHIFT;
}

/* A journal that came back from a backup has lost its newest events, whose ids
 * clients hold: going on where the backup ends would give those ids to other
 * events. So each start begins at the present; ids that were chosen by hand
 * (small ones) go on from the last. */
static void choose_start_id(struct journal *journal)
{
    if (journal->source.name == NULL &&
        atomic_load(&journal->first_id) >= UINT64_C(1) << 40)
        journal->start_id = id_of_now(journal);
}

/* A journal that was to follow a stream and never met it has none. */
static enum status load_first_id(struct journal *journal, MDB_txn *txn)
{
    const struct environment *environment = &journal->environment;
    uint64_t first_id = 0;
    enum status st =
        environment_number(environment, txn, "first_id", &first_id);

    if (st == ST_NOT_FOUND) {
        st = ST_OK;
        if (journal->source.name == NULL && !environment->is_read_only) {
            first_id = id_of_now(journal);
            st = environment_put_number(environment, txn, "first_id", first_id);
        }
    }
    atomic_store(&journal->first_id, first_id);
    return st;
}

/* Reads or writes what a journal knows about itself. */
static enum status load_identity(struct journal *journal, MDB_txn *txn,
                                 char *why, size_t why_bytes)
{
    const struct environment *environment = &journal->environment;
    uint64_t version, first_id = journal->options.first_id;
    enum status st = environment_number(environment, txn, "version", &version);

    if (st == ST_OK && version != JOURNAL_VERSION &&
        version != JOURNAL_VERSION_AMENDED) {
        snprintf(why, why_bytes, "the journal was written by another version");
        return ST_CORRUPT;
    }
    if (st == ST_OK)
        return load_first_id(journal, txn);
    if (st != ST_NOT_FOUND || environment->is_read_only)
        return st;

    st = environment_put_number(environment, txn, "version", JOURNAL_VERSION);
    if (st != ST_OK || journal->source.name != NULL)
        return st; /* the stream says where ids begin */
    if (first_id == 0)
        first_id = id_of_now(journal);
    atomic_store(&journal->first_id, first_id);
    return environment_put_number(environment, txn, "first_id", first_id);
}

static enum status load(struct journal *journal, char *why, size_t why_bytes)
{
    const bool is_read_only = journal->environment.is_read_only;
    MDB_txn *txn;
    enum status st = from_lmdb(mdb_txn_begin(
        journal->environment.env, NULL, is_read_only ? MDB_RDONLY : 0, &txn));

    if (st != ST_OK)
        return st;
    st = load_identity(journal, txn, why, why_bytes);
    if (st == ST_OK)
        st = recovery_load(journal, txn, why, why_bytes);
    if (st == ST_OK)
        st = session_rows_load(&journal->sessions, &journal->environment, txn);
    if (st == ST_OK)
        st = source_load(journal, txn);
    if (st != ST_OK) {
        mdb_txn_abort(txn);
        return st;
    }
    choose_start_id(journal);
    journal->resumed_id = journal_last_id(journal);
    return from_lmdb(mdb_txn_commit(txn));
}

enum status journal_open(const struct journal_options *options,
                         struct journal **journal_out, char *why,
                         size_t why_bytes)
{
    struct journal *journal = must_calloc(1, sizeof *journal);
    const size_t map_bytes =
        options->map_bytes > 0 ? options->map_bytes : MAP_BYTES_DEFAULT;
    enum status st;

    CHECK(options->clock != NULL && options->commit_events_max > 0);
    snprintf(why, why_bytes, "%s", "");
    journal->options = *options;
    journal->options.directory = NULL; /* the caller's memory */
    journal->options.follows = NULL;
    if (options->follows != NULL && options->follows[0] != '\0')
        journal->source.name = must_strdup(options->follows);
    journal->registry = registry_create(options->channels_max);
    writer_init(journal);
    mailbox_init(&journal->mailbox, "journal", options->mailbox_count,
                 options->mailbox_bytes, NULL, NULL);
    atomic_store(&journal->figures.can_commit, true);
    session_rows_init(&journal->sessions, options->sessions_max,
                      options->session_keep_ms, journal->source.name != NULL);

    st = environment_open(&journal->environment, options->directory, map_bytes,
                          options->is_read_only, why, why_bytes);
    if (st == ST_OK)
        st = load(journal, why, why_bytes);
    if (st != ST_OK) {
        if (why_bytes > 0 && why[0] == '\0')
            snprintf(why, why_bytes, "cannot read the journal in %s: %s",
                     options->directory, status_text(st));
        journal_close(&journal);
        return st;
    }
    *journal_out = journal;
    return ST_OK;
}

void journal_add_listener(struct journal *journal, journal_listener_fn *listen,
                          void *arg)
{
    CHECK(!journal->is_started);
    journal->listeners =
        must_realloc(journal->listeners, (journal->listener_count + 1) *
                                             sizeof journal->listeners[0]);
    journal->listeners[journal->listener_count++] =
        (struct listener){listen, arg};
}

void journal_start(struct journal *journal)
{
    CHECK(!journal->environment.is_read_only && !journal->is_started);
    journal->is_started = true;
    CHECK(uv_thread_create(&journal->thread, writer_run, journal) == 0);
}

void journal_stop(struct journal *journal)
{
    if (!journal->is_started)
        return;
    atomic_store(&journal->is_stopping, true);
    mailbox_close(&journal->mailbox);
    CHECK(uv_thread_join(&journal->thread) == 0);
    journal->is_started = false;
}

/* What was posted and never looked at: only if the thread was never started. */
static void refuse_rest(struct journal *journal)
{
    struct msg *msg = mailbox_take(&journal->mailbox);

    while (msg != NULL) {
        struct msg *next = msg->next;

        publish_answer(publish_of(msg), ST_CLOSED);
        msg = next;
    }
}

void journal_close(struct journal **journal)
{
    struct journal *mine = *journal;

    *journal = NULL;
    if (mine == NULL)
        return;
    CHECK(!mine->is_started);
    refuse_rest(mine);
    mailbox_fini(&mine->mailbox);
    writer_fini(mine);
    session_rows_fini(&mine->sessions);
    environment_close(&mine->environment);
    free(mine->source.name);
    free(mine->source.row);
    registry_destroy(&mine->registry);
    free(mine->listeners);
    free(mine);
}

/* ---- questions ----------------------------------------------------------- */

struct registry *journal_registry(struct journal *journal)
{
    return journal->registry;
}

uint64_t journal_trimmed_id(const struct journal *journal)
{
    return atomic_load_explicit(&journal->ledger.newest_trimmed,
                                memory_order_acquire);
}

uint64_t journal_last_id(const struct journal *journal)
{
    return atomic_load(&journal->last_id);
}

uint64_t journal_first_id(const struct journal *journal)
{
    const uint64_t first_id = atomic_load(&journal->first_id);

    return first_id > 0 ? first_id : 1;
}

uint64_t journal_missing_id(const struct journal *journal)
{
    return atomic_load(&journal->source.missing_id);
}

void journal_rewound(const struct journal *journal, uint64_t *after_out,
                     uint64_t *upto_out)
{
    *after_out = atomic_load(&journal->source.rewound_after);
    *upto_out = atomic_load(&journal->source.rewound_upto);
}

void journal_figures(struct journal *journal, struct journal_figures *out)
{
    *out = (struct journal_figures){
        .commits = atomic_load(&journal->figures.commits),
        .events = atomic_load(&journal->figures.events),
        .duplicates = atomic_load(&journal->figures.duplicates),
        .trimmed = atomic_load(&journal->figures.trimmed),
        .no_space = atomic_load(&journal->figures.no_space),
        .stored_bytes = atomic_load(&journal->figures.stored_bytes),
        .commit_us = atomic_load(&journal->figures.commit_us),
        .oldest_id = atomic_load(&journal->figures.oldest_id),
        .last_id = journal_last_id(journal),
        .mailbox_count = mailbox_count(&journal->mailbox),
        .mailbox_refused = mailbox_refused(&journal->mailbox),
        .sessions = sessions_count(journal->sessions.sessions),
        .sessions_owed = sessions_count_owed(journal->sessions.sessions),
        .sessions_left_out = atomic_load(&journal->figures.sessions_left_out),
        .can_commit = atomic_load(&journal->figures.can_commit),
    };
}
