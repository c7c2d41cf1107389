/* workbench.c -- what the journal's tests share. */
#include "workbench.h"

#include "journal/journal_state.h"
#include "journal/verify.h"
#include "journal/writer.h"

#include <tidings/check.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int64_t bench_time(void *arg)
{
    return ((struct bench *)arg)->now_ms;
}

void bench_begin(struct bench *bench)
{
    *bench = (struct bench){.now_ms = INT64_C(1700000000000)};
    snprintf(bench->directory, sizeof bench->directory,
             "/tmp/tidings-journal-XXXXXX");
    assert_non_null(mkdtemp(bench->directory));
    bench->clock = (struct clock){bench_time, bench_time, bench};
    bench->options = (struct journal_options){
        .directory = bench->directory,
        .map_bytes = (size_t)1 << 30,
        .first_id = 1,
        .dedup_window_ms = 1000,
        .channels_max = 1000,
        .mailbox_count = 1000,
        .mailbox_bytes = (size_t)64 << 20,
        .commit_events_max = 1000,
        .clock = &bench->clock,
    };
}

void bench_open(struct bench *bench)
{
    char why[256];

    if (journal_open(&bench->options, &bench->journal, why, sizeof why) !=
        ST_OK)
        fail_msg("%s", why);
    assert_int_equal(journal_reader_open(bench->journal, &bench->reader),
                     ST_OK);
}

void bench_shut(struct bench *bench)
{
    journal_reader_close(&bench->reader);
    journal_close(&bench->journal);
}

void remove_directory(const char *directory)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "writer.lock",
                                        "ballast"};
    char path[128];

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(directory);
}

void bench_close(struct bench *bench)
{
    bench_shut(bench);
    remove_directory(bench->directory);
}

/* ---- publishing ---------------------------------------------------------- */

static void keep_answer(struct publish *publish)
{
    *(struct publish **)publish->asker = publish;
}

struct publish *make_publish(const char *channel, const char *data,
                             unsigned count)
{
    struct publish *publish = publish_create(count);

    for (unsigned i = 0; i < count; i++)
        publish->events[i] = event_create(text_of(channel), text_of("t"),
                                          text_of(data), text_of(""));
    return publish;
}

static struct publish *run(struct bench *bench, struct publish *publish)
{
    struct publish *answered = NULL;

    publish->answer = keep_answer;
    publish->asker = (void *)&answered;
    assert_int_equal(journal_post(bench->journal, &publish), ST_OK);
    assert_null(publish);
    writer_handle(bench->journal, mailbox_take(&bench->journal->mailbox));
    assert_non_null(answered);
    return answered;
}

enum status run_publish(struct bench *bench, struct publish *publish)
{
    struct publish *answered = run(bench, publish);
    const enum status result = answered->result;

    publish_destroy(&answered);
    return result;
}

enum status publish_keyed(struct bench *bench, const char *channel,
                          const char *data, const char *key, uint64_t *id_out)
{
    struct publish *publish = publish_create(1);
    enum status result;

    publish->events[0] = event_create(text_of(channel), text_of("t"),
                                      text_of(data), text_of(key));
    publish = run(bench, publish);
    result = publish->result;
    *id_out = publish->events[0]->id;
    publish_destroy(&publish);
    return result;
}

uint64_t publish_now(struct bench *bench, const char *channel, const char *data)
{
    uint64_t id;

    assert_int_equal(publish_keyed(bench, channel, data, "", &id), ST_OK);
    return id;
}

struct publish *make_amendment(enum amendment_kind kind, const char *channel,
                               uint64_t id, const char *type, const char *data,
                               const char *key)
{
    struct publish *publish = publish_create(1);

    publish->events[0] =
        event_create(text_of(channel), text_of(type != NULL ? type : ""),
                     text_of(data), text_of(key));
    event_set_amendment(publish->events[0], kind, id, type != NULL);
    return publish;
}

struct outcome run_amendment(struct bench *bench, struct publish *publish)
{
    struct publish *answered = run(bench, publish);
    const struct outcome outcome = {answered->result, answered->events[0]->id,
                                    answered->events[0]->is_duplicate != 0};

    publish_destroy(&answered);
    return outcome;
}

struct outcome amend_now(struct bench *bench, enum amendment_kind kind,
                         const char *channel, uint64_t id, const char *type,
                         const char *data)
{
    return run_amendment(bench,
                         make_amendment(kind, channel, id, type, data, ""));
}

static void print_finding(void *arg, const char *sentence)
{
    (void)arg;
    print_error("%s\n", sentence);
}

uint64_t sound_events(struct bench *bench)
{
    struct verify_result result;

    assert_int_equal(
        journal_verify(bench->journal, print_finding, NULL, &result), ST_OK);
    assert_int_equal(result.findings, 0);
    return result.events;
}

void settle_chores(struct bench *bench)
{
    for (int i = 0; i < 200; i++) {
        while (writer_tick(bench->journal))
            ;
        bench->now_ms += 100;
    }
}

struct channel_entry *channel_of(struct bench *bench, const char *name)
{
    struct channel_entry *entry =
        registry_find(journal_registry(bench->journal), text_of(name));

    assert_non_null(entry);
    return entry;
}

/* ---- reading ------------------------------------------------------------- */

void ids_add(struct ids *ids, uint64_t id)
{
    if (ids->count == ids->room) {
        ids->room = ids->room * 2 + 64;
        ids->ids = must_realloc(ids->ids, ids->room * sizeof ids->ids[0]);
    }
    ids->ids[ids->count++] = id;
}

void ids_fini(struct ids *ids)
{
    free(ids->ids);
    *ids = (struct ids){NULL, 0, 0};
}

void ids_assert_equal(const struct ids *read, const struct ids *expected)
{
    for (unsigned i = 0; i < read->count && i < expected->count; i++)
        if (read->ids[i] != expected->ids[i])
            fail_msg("event %u is %llu, not %llu", i,
                     (unsigned long long)read->ids[i],
                     (unsigned long long)expected->ids[i]);
    assert_int_equal(read->count, expected->count);
}

static void on_event(void *arg, const struct event_view *event)
{
    struct ids *ids = arg;

    if (ids->count > 0)
        assert_true(event->id > ids->ids[ids->count - 1]);
    ids_add(ids, event->id);
}

void read_all(struct bench *bench, struct journal_query query,
              struct ids *ids_out)
{
    struct journal_slice slice = {.is_end = false};

    while (!slice.is_end) {
        const unsigned before = ids_out->count;

        assert_int_equal(
            journal_read(bench->reader, &query, on_event, ids_out, &slice),
            ST_OK);
        assert_int_equal(ids_out->count - before, slice.events);
        assert_true(slice.events <= query.max_events);
        assert_true(slice.upto >= query.after);
        if (slice.events > 0) {
            assert_true(ids_out->ids[before] > query.after);
            assert_true(ids_out->ids[ids_out->count - 1] <= slice.upto);
        }
        if (!slice.is_end)
            assert_true(slice.upto > query.after);
        query.after = slice.upto;
    }
    assert_true(query.after >= journal_last_id(bench->journal));
}
