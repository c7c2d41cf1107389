/* workbench.h -- a journal in a temporary directory, a clock that tests move.
 *
 * Threads   The test's. Without journal_start the test is the journal's thread:
 *           publish_now() commits before it returns.
 * Memory    bench_close removes the directory.
 * Units     Milliseconds.
 * Errors    A failed assertion ends the test.
 */
#ifndef WORKBENCH_H
#define WORKBENCH_H

#include <tidings/journal.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct bench {
    char directory[64];
    struct clock clock;
    int64_t now_ms;
    struct journal_options options;
    struct journal *journal;
    struct journal_reader *reader;
};

/* Options may be changed between begin and open, and before every reopen. */
void bench_begin(struct bench *bench);
void bench_open(struct bench *bench);
void bench_shut(struct bench *bench); /* closes, keeps the directory */
void bench_close(struct bench *bench);

void remove_directory(const char *directory);

/* One event in its own transaction; the id. */
uint64_t publish_now(struct bench *bench, const char *channel,
                     const char *data);
enum status publish_keyed(struct bench *bench, const char *channel,
                          const char *data, const char *key, uint64_t *id_out);

/* An amendment in its own transaction. `type` NULL: the old one stays. */
struct outcome {
    enum status result;
    uint64_t id;
    bool is_duplicate;
};
struct outcome amend_now(struct bench *bench, enum amendment_kind kind,
                         const char *channel, uint64_t id, const char *type,
                         const char *data);
struct publish *make_amendment(enum amendment_kind kind, const char *channel,
                               uint64_t id, const char *type, const char *data,
                               const char *key);
struct outcome run_amendment(struct bench *bench, struct publish *publish);

/* Is everything as journal_verify wants it? How many events there are. */
uint64_t sound_events(struct bench *bench);

/* A publish of `count` equal events, not posted. */
struct publish *make_publish(const char *channel, const char *data,
                             unsigned count);

/* Runs it as the journal's thread would; the outcome. Destroys it. */
enum status run_publish(struct bench *bench, struct publish *publish);

/* Lets retention, keys and rows come to rest. */
void settle_chores(struct bench *bench);

struct channel_entry *channel_of(struct bench *bench, const char *name);

/* Ids that were read, for comparison. */
struct ids {
    uint64_t *ids;
    unsigned count, room;
};
void ids_add(struct ids *ids, uint64_t id);
void ids_fini(struct ids *ids);
void ids_assert_equal(const struct ids *read, const struct ids *expected);

/* Reads slice after slice to the end and checks the slices' promises. */
void read_all(struct bench *bench, struct journal_query query,
              struct ids *ids_out);

#endif
