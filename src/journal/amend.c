/* amend.c -- history is rewritten in its place, and everybody is told.
 *
 * A correction or a withdrawal does two things in one transaction: the record
 * of the old event gets new content, and a new event says so on the same
 * channel. Who comes back from before the old event reads the new content under
 * the old id; who has seen it reads the new event. No crash leaves one without
 * the other.
 *
 * The record keeps its key, time and link, so ids, the search by time and the
 * chain of the channel stay as they are. It notes the id of the event that told
 * of the amendment, so that the same correction again is known as such, and so
 * that `tidings log verify` can see that both halves are there. A withdrawn
 * record is a link of the chain and no more; readers pass it over.
 *
 * The record may change its size, and it may stand before the `upto` of its
 * channel's row, which a start does not count again: so the row goes with the
 * same transaction.
 *
 * Programs that know nothing of this would call such records damaged. The first
 * amendment therefore raises the journal's version, in its transaction: older
 * programs refuse the journal with a clear word, and open it as ever as long as
 * nothing was amended.
 *
 * Pages of LMDB are never overwritten, so what a withdrawn event held stays in
 * free pages of the file until they are used again.
 */
#include "amend.h"

#include "base/seeded_bug.h"

#include <tidings/check.h>
#include <tidings/wire.h>

/* ---- looking ------------------------------------------------------------- */

static enum status find_record(struct journal *journal, uint64_t id,
                               MDB_val *value_out, struct record *record_out)
{
    MDB_val key = {sizeof id, &id};
    const enum status st = from_lmdb(
        mdb_cursor_get(journal->draft.cursor, &key, value_out, MDB_SET));

    if (st != ST_OK)
        return st;
    if (!record_is_intact(value_out->mv_data, value_out->mv_size, id))
        return ST_CORRUPT;
    return record_decode(value_out->mv_data, value_out->mv_size, record_out);
}

/* Would the amendment leave everything as it is? */
static bool is_in_force(const struct event *event, const struct record *record)
{
    switch (event->amends->kind) {
    case AMENDMENT_CORRECTION:
        return record->fate != RECORD_WITHDRAWN &&
               text_equals(record->data, event_data(event)) &&
               (!event->amends->has_type ||
                text_equals(record->type, event_type(event)));
    case AMENDMENT_WITHDRAWAL:
        return record->fate == RECORD_WITHDRAWN;
    }
    return false;
}

/* The stored record as it will be. Its old content is left behind. */
static void change(const struct event *event, struct amending *amending)
{
    struct record *record = &amending->record;

    if (event->amends->kind == AMENDMENT_WITHDRAWAL) {
        record->fate = RECORD_WITHDRAWN;
        record->type = record->data = text_of("");
        return;
    }
    record->fate = RECORD_CORRECTED;
    record->data = event_data(event);
    if (event->amends->has_type) {
        record->type = event_type(event);
        return;
    }
    /* The old type: where it stands will be written over. */
    memcpy(amending->type, record->type.bytes, record->type.length);
    record->type.bytes = amending->type;
}

/* ---- telling ------------------------------------------------------------- */

static void append_head(struct buffer *text, const struct event *event)
{
    buffer_append_string(text, "{\"");
    buffer_append_string(text, amendment_member(event->amends->kind));
    buffer_append_string(text, "\":");
    buffer_append_u64(text, event->amends->id);
}

static void append_content(struct buffer *text, const struct record *record)
{
    buffer_append_string(text, ",\"type\":");
    json_append_string(text, record->type);
    buffer_append_string(text, ",\"data\":");
}

/* What the event that tells everybody says. Data that is JSON is a part of it,
 * unless the whole would be nested too deep to be taken for JSON itself. */
static void append_news(struct buffer *text, const struct event *event,
                        const struct record *record)
{
    append_head(text, event);
    if (event->amends->kind == AMENDMENT_CORRECTION) {
        size_t start;

        append_content(text, record);
        start = text->length;
        json_append_data(text, record->data);
        buffer_append_char(text, '}');
        if (json_is_valid(buffer_text(text)))
            return;
        text->length = start;
        json_append_string(text, record->data);
    }
    buffer_append_char(text, '}');
}

static struct event *make_news(const struct event *event,
                               const struct record *record)
{
    struct buffer text;
    struct event *news;

    buffer_init(&text);
    append_news(&text, event, record);
    news = event_create(event_channel(event),
                        text_of(amendment_type(event->amends->kind)),
                        buffer_text(&text), text_of(""));
    news->time_ms = event->time_ms;
    news->given_id = event->given_id;
    news->channel = event->channel;
    buffer_fini(&text);
    return news;
}

enum status amend_look(struct journal *journal, struct event *event,
                       struct amending *amending_out)
{
    struct amendment *amends = event->amends;
    struct record *record = &amending_out->record;
    MDB_val value;
    enum status st = find_record(journal, amends->id, &value, record);

    CHECK(amends->event == NULL);
    if (st != ST_OK)
        return st;
    if (record->channel != event->channel->number)
        return ST_NOT_FOUND;
    if (event_type_is_reserved(record->type))
        return ST_RESERVED;
    if (is_in_force(event, record)) {
        event->is_duplicate = 1;
        event->id = record->amended_by != 0 ? record->amended_by : amends->id;
        return ST_OK;
    }
    if (record->fate == RECORD_WITHDRAWN)
        return ST_WITHDRAWN;
    amending_out->old_bytes = record_stored_bytes(value.mv_size);
    change(event, amending_out);
    amends->event = make_news(event, record);
    return ST_OK;
}

/* ---- rewriting ----------------------------------------------------------- */

static enum status raise_version(struct journal *journal)
{
    const struct environment *environment = &journal->environment;
    uint64_t version;
    const enum status st = environment_number(environment, journal->draft.txn,
                                              "version", &version);

    if (st != ST_OK || version == JOURNAL_VERSION_AMENDED)
        return st;
    return environment_put_number(environment, journal->draft.txn, "version",
                                  JOURNAL_VERSION_AMENDED);
}

enum status amend_rewrite(struct journal *journal, const struct event *event,
                          uint64_t by, struct amending *amending)
{
    struct record *record = &amending->record;
    uint64_t id = event->amends->id;
    MDB_val key = {sizeof id, &id};
    MDB_val value;
    enum status st;

    record->amended_by = by;
    value = (MDB_val){record_bytes(record), NULL};
    st = from_lmdb(
        mdb_cursor_put(journal->draft.cursor, &key, &value, MDB_RESERVE));
    if (st != ST_OK)
        return st;
    record_encode(value.mv_data, id, record);
    ledger_amend(&journal->ledger,
                 ledger_channel(&journal->ledger, event->channel), by,
                 amending->old_bytes, record_stored_bytes(value.mv_size));
    if (seeded_bug("amend-without-row"))
        ledger_channel(&journal->ledger, event->channel)->owes_row = false;
    return raise_version(journal);
}
