/* verify.c -- one pass over the events, then a comparison with the figures.
 *
 * The pass goes forward, so a chain is checked as it is written: an event's
 * previous id must be the one that its channel showed last; at its first event,
 * something that was trimmed, or nothing.
 *
 * An amendment is two things in one transaction, so both are looked for from
 * either side: a record that was amended names the event that told so, and that
 * event names it back.
 *
 * What start-up would make of the rows is made here, in a journal of its own
 * that has only the books and looks at the same snapshot.
 */
#include "verify.h"

#include "record.h"
#include "recovery.h"
#include "writer.h"

#include <tidings/check.h>
#include <tidings/wire.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SENTENCE_BYTES 400

struct seen {
    uint64_t first_id, last_id, count, bytes;
};

struct verifier {
    MDB_txn *txn;
    struct journal books; /* registry and ledger, as a start would load them */
    struct seen *seen;    /* by number */
    uint32_t seen_count;
    uint64_t last_id;
    int64_t last_ms;
    verify_finding_fn *tell;
    void *arg;
    struct verify_result result;
};

__attribute__((format(printf, 2, 3))) static void
find(struct verifier *verifier, const char *format, ...)
{
    char sentence[SENTENCE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    verifier->result.findings += 1;
    verifier->tell(verifier->arg, sentence);
}

static void check_chain(struct verifier *verifier, uint64_t id,
                        const struct record *record,
                        const struct ledger_channel *channel)
{
    const struct seen *seen = &verifier->seen[record->channel];
    const struct channel_figures *figures = &channel->figures;

    if (seen->count > 0 && record->previous_id != seen->last_id)
        find(verifier,
             "event %" PRIu64 " of %s names %" PRIu64
             " as the previous one, which is %" PRIu64,
             id, channel->entry->name, record->previous_id, seen->last_id);
    if (seen->count == 0 && record->previous_id > figures->trimmed_id)
        find(verifier,
             "event %" PRIu64 " of %s names %" PRIu64
             " as the previous one, which is neither there nor trimmed",
             id, channel->entry->name, record->previous_id);
}

/* ---- amendments ---------------------------------------------------------- */

/* Does the record begin with `head` and an id? */
static bool names_an_id(const struct record *record, const char *head,
                        uint64_t *id_out)
{
    const struct text head_text = text_of(head);
    struct text rest = record->data;
    uint64_t id = 0;

    if (rest.length < head_text.length ||
        memcmp(rest.bytes, head, head_text.length) != 0)
        return false;
    rest.bytes += head_text.length;
    rest.length -= head_text.length;
    while (rest.length > 0 && rest.bytes[0] >= '0' && rest.bytes[0] <= '9') {
        id = id * 10 + (uint64_t)(rest.bytes[0] - '0');
        rest.bytes++;
        rest.length--;
    }
    *id_out = id;
    return true;
}

/* Which event of its channel does this one say it amends? False: none. */
static bool read_target(const struct record *record, uint64_t *id_out)
{
#define A(name, member, type_name)                                             \
    if (text_is(record->type, type_name))                                      \
        return names_an_id(record, "{\"" member "\":", id_out);
    AMENDMENTS(A)
#undef A
    return false;
}

static bool find_record(const struct verifier *verifier, uint64_t id,
                        struct record *record_out)
{
    MDB_val key = {sizeof id, &id};
    MDB_val value;

    return mdb_get(verifier->txn, verifier->books.environment.events, &key,
                   &value) == 0 &&
           record_decode(value.mv_data, value.mv_size, record_out) == ST_OK;
}

/* The event that told of it must be there: it is newer, and what is newer is
 * trimmed later. */
static void check_amended(struct verifier *verifier, uint64_t id,
                          const struct record *record)
{
    struct record news;
    uint64_t target = 0;

    verifier->result.corrected += record->fate == RECORD_CORRECTED;
    verifier->result.withdrawn += record->fate == RECORD_WITHDRAWN;
    if (!find_record(verifier, record->amended_by, &news) ||
        news.channel != record->channel || !read_target(&news, &target) ||
        target != id)
        find(verifier,
             "event %" PRIu64 " was amended by %" PRIu64
             ", which does not say so",
             id, record->amended_by);
}

/* What it amends may be trimmed by now, but not as it was before. */
static void check_news(struct verifier *verifier, uint64_t id,
                       const struct record *record)
{
    struct record amended;
    uint64_t target;

    if (record->fate == RECORD_PUBLISHED && read_target(record, &target) &&
        find_record(verifier, target, &amended) &&
        (amended.channel != record->channel || amended.amended_by < id))
        find(verifier,
             "event %" PRIu64 " says that it amends %" PRIu64
             ", which is as it was",
             id, target);
}

/* ---- events -------------------------------------------------------------- */

static void check_event(struct verifier *verifier, uint64_t id,
                        const MDB_val *value)
{
    struct ledger_channel *channel;
    struct record record;
    struct seen *seen;

    if (record_decode(value->mv_data, value->mv_size, &record) != ST_OK) {
        find(verifier, "event %" PRIu64 " has not the form of a record", id);
        return;
    }
    if (!record_is_intact(value->mv_data, value->mv_size, id))
        find(verifier, "event %" PRIu64 " is damaged", id);
    channel = ledger_by_number(&verifier->books.ledger, record.channel);
    if (channel == NULL || record.channel >= verifier->seen_count) {
        find(verifier, "event %" PRIu64 " is of an unknown channel", id);
        return;
    }
    if (id <= verifier->last_id)
        find(verifier, "event %" PRIu64 " stands behind %" PRIu64, id,
             verifier->last_id);
    if (record.time_ms < verifier->last_ms)
        find(verifier, "event %" PRIu64 " is older than the one before it", id);
    check_chain(verifier, id, &record, channel);
    if (record.fate != RECORD_PUBLISHED)
        check_amended(verifier, id, &record);
    if (event_type_is_reserved(record.type))
        check_news(verifier, id, &record);

    seen = &verifier->seen[record.channel];
    if (seen->count == 0)
        seen->first_id = id;
    seen->last_id = id;
    seen->count += 1;
    seen->bytes += record_stored_bytes(value->mv_size);
    verifier->last_id = id;
    verifier->last_ms = record.time_ms;
    verifier->result.events += 1;
    verifier->result.bytes += record_stored_bytes(value->mv_size);
}

static enum status check_events(struct verifier *verifier, MDB_txn *txn)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int code =
        mdb_cursor_open(txn, verifier->books.environment.events, &cursor);

    if (code != 0)
        return from_lmdb(code);
    while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        uint64_t id;

        CHECK(key.mv_size == sizeof id);
        memcpy(&id, key.mv_data, sizeof id);
        check_event(verifier, id, &value);
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? ST_OK : from_lmdb(code);
}

static void check_figure(struct verifier *verifier, const char *name,
                         const char *figure, uint64_t stored, uint64_t counted)
{
    if (stored != counted)
        find(verifier,
             "channel %s: %s is stored as %" PRIu64 ", but is %" PRIu64, name,
             figure, stored, counted);
}

static void check_figures(void *arg, struct channel_entry *entry)
{
    struct verifier *verifier = arg;
    const struct ledger_channel *channel =
        ledger_by_number(&verifier->books.ledger, entry->number);
    const struct channel_figures *figures = &channel->figures;
    const struct seen *seen = &verifier->seen[entry->number];

    verifier->result.channels += 1;
    check_figure(verifier, entry->name, "count", figures->count, seen->count);
    check_figure(verifier, entry->name, "bytes", figures->bytes, seen->bytes);
    check_figure(verifier, entry->name, "last id", figures->last_id,
                 seen->count > 0 ? seen->last_id : figures->trimmed_id);
    if (figures_lack_first(figures)) {
        if (seen->first_id < figures_first(figures))
            find(verifier, "channel %s: first id %" PRIu64 " was trimmed",
                 entry->name, seen->first_id);
        return;
    }
    check_figure(verifier, entry->name, "first id", figures->first_id,
                 seen->first_id);
}

static void check_session(void *arg, struct text name,
                          const struct session_row *row)
{
    struct verifier *verifier = arg;

    verifier->result.sessions += 1;
    if (row == NULL)
        find(verifier, "a session is damaged, perhaps %.*s",
             TEXT_ARGS(session_name_is_valid(name) ? name : text_of("?")));
}

/* Numbers may have holes, so the count of channels is not the highest. */
static void note_number(void *arg, struct channel_entry *entry)
{
    struct verifier *verifier = arg;

    if (entry->number >= verifier->seen_count)
        verifier->seen_count = entry->number + 1;
}

static enum status verify(struct verifier *verifier, MDB_txn *txn)
{
    char why[SENTENCE_BYTES];
    enum status st = recovery_load(&verifier->books, txn, why, sizeof why);

    if (st == ST_CORRUPT)
        find(verifier, "%s", why);
    if (st != ST_OK)
        return st;
    registry_each(verifier->books.registry, note_number, verifier);
    verifier->seen =
        must_calloc(verifier->seen_count + 1, sizeof verifier->seen[0]);
    st = check_events(verifier, txn);
    if (st == ST_OK)
        registry_each(verifier->books.registry, check_figures, verifier);
    free(verifier->seen);
    if (st == ST_OK)
        st = session_rows_each(&verifier->books.environment, txn, check_session,
                               verifier);
    return st;
}

enum status journal_verify(struct journal *journal, verify_finding_fn *tell,
                           void *arg, struct verify_result *result_out)
{
    struct verifier *verifier = must_calloc(1, sizeof *verifier);
    MDB_txn *txn;
    enum status st = from_lmdb(
        mdb_txn_begin(journal->environment.env, NULL, MDB_RDONLY, &txn));

    verifier->tell = tell;
    verifier->arg = arg;
    verifier->books.options = journal->options;
    verifier->books.environment = journal->environment;
    verifier->books.registry = registry_create(UINT32_MAX);
    writer_init(&verifier->books);
    if (st == ST_OK) {
        verifier->txn = txn;
        st = verify(verifier, txn);
        mdb_txn_abort(txn);
    }
    writer_fini(&verifier->books);
    registry_destroy(&verifier->books.registry);
    *result_out = verifier->result;
    free(verifier);
    return st;
}
