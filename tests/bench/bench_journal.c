/* bench_journal.c -- the journal alone: ingest, commit, restart, resume.
 *
 *   bench_journal DIRECTORY [EVENTS]
 *
 * DIRECTORY is made and emptied; EVENTS (10,000,000) is the size of the large
 * journal. Ingest is measured with so many publishes of one event waiting at
 * any time as the first column says: that is how many share a commit. The large
 * journal is written by a child process that is killed, so that the restart is
 * one after a crash.
 */
#include <tidings/check.h>
#include <tidings/journal.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#define CHANNELS   10000u
#define DATA_BYTES 200u
#define MISSED     1000u
#define RESUMES    200u
#define INGEST_NS  UINT64_C(1500000000)

static char data[DATA_BYTES];

static struct journal *open_journal(const char *directory, uint64_t keep_bytes,
                                    unsigned waiting)
{
    const struct journal_options options = {
        .directory = directory,
        .first_id = 1,
        .keep_bytes = keep_bytes,
        .channels_max = 1000000,
        .mailbox_count = waiting,
        .mailbox_bytes = (size_t)1 << 30,
        .commit_events_max = 10000,
        .clock = &system_clock,
    };
    struct journal *journal;
    char why[256];

    if (journal_open(&options, &journal, why, sizeof why) != ST_OK) {
        fprintf(stderr, "%s\n", why);
        exit(EXIT_FAILURE);
    }
    return journal;
}

static void remove_files(const char *directory)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "writer.lock",
                                        "ballast"};
    char path[1024];

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        (void)unlink(path);
    }
}

static struct text channel_name(uint64_t i, char name[32])
{
    /* A walk that meets every channel equally often, in no simple order. */
    snprintf(name, 32, "user.%u.inbox", (unsigned)(i * 7919 % CHANNELS));
    return text_of(name);
}

static void post_one(struct journal *journal, uint64_t i)
{
    struct publish *publish = publish_create(1);
    char name[32];

    publish->events[0] =
        event_create(channel_name(i, name), text_of("news"),
                     (struct text){data, sizeof data}, text_of(""));
    CHECK(journal_post_before(journal, &publish, 60000) == ST_OK);
}

static double seconds_since(uint64_t started_ns)
{
    return (double)(uv_hrtime() - started_ns) / 1e9;
}

/* ---- ingest ---------------------------------------------------------------
 */

static void measure_ingest(const char *directory, unsigned waiting,
                           uint64_t keep_bytes)
{
    struct journal *journal;
    struct journal_figures figures;
    uint64_t started_ns, i = 0;
    double seconds;

    remove_files(directory);
    journal = open_journal(directory, keep_bytes, waiting);
    journal_start(journal);
    started_ns = uv_hrtime();
    while (uv_hrtime() - started_ns < INGEST_NS)
        post_one(journal, i++);
    journal_stop(journal);
    seconds = seconds_since(started_ns);
    journal_figures(journal, &figures);
    printf("%7u  %9.0f  %8.1f  %10.0f  %9.0f  %9" PRIu64 "\n", waiting,
           (double)figures.events / seconds,
           (double)figures.events / (double)figures.commits,
           (double)figures.commit_us / (double)figures.commits,
           (double)figures.stored_bytes / 1048576, figures.trimmed);
    journal_close(&journal);
}

/* ---- the large journal ----------------------------------------------------
 */

static void fill(const char *directory, uint64_t events)
{
    const pid_t child = fork();
    int outcome;

    CHECK(child >= 0);
    if (child == 0) {
        struct journal *journal = open_journal(directory, 0, 20000);

        journal_start(journal);
        for (uint64_t i = 0; i < events; i++)
            post_one(journal, i);
        while (journal_last_id(journal) < events)
            uv_sleep(1);
        (void)kill(getpid(), SIGKILL);
    }
    CHECK(waitpid(child, &outcome, 0) == child);
}

static void count_event(void *arg, const struct event_view *event)
{
    (void)event;
    *(unsigned *)arg += 1;
}

static unsigned catch_up(struct journal_reader *reader,
                         struct journal_query query)
{
    struct journal_slice slice = {.is_end = false};
    unsigned count = 0;

    while (!slice.is_end) {
        CHECK(journal_read(reader, &query, count_event, &count, &slice) ==
              ST_OK);
        query.after = slice.upto;
    }
    return count;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_times(const char *what, double *ms, unsigned count)
{
    qsort(ms, count, sizeof ms[0], compare);
    printf("%-44s p50 %8.3f ms  p99 %8.3f ms\n", what, ms[count / 2],
           ms[count * 99 / 100]);
}

/* The way of the crew: slices, one channel, a trail. */
static void measure_resume(struct journal *journal,
                           struct journal_reader *reader)
{
    double find_ms[RESUMES], read_ms[RESUMES];

    for (unsigned i = 0; i < RESUMES; i++) {
        char name[32];
        struct channel_entry *entry = registry_find(journal_registry(journal),
                                                    channel_name(i * 31, name));
        struct journal_trail trail = {NULL, 0, 0};
        struct journal_query query = {.only = entry,
                                      .trail = &trail,
                                      .max_events = 256,
                                      .max_bytes = 65536,
                                      .max_scanned = 100000};
        uint64_t started_ns = uv_hrtime();

        CHECK(journal_find_last(reader, &entry, 1, MISSED, &query.after) ==
              ST_OK);
        find_ms[i] = seconds_since(started_ns) * 1000;
        started_ns = uv_hrtime();
        CHECK(catch_up(reader, query) <= MISSED);
        read_ms[i] = seconds_since(started_ns) * 1000;
        journal_trail_fini(&trail);
    }
    print_times("find the newest 1,000 of a channel", find_ms, RESUMES);
    print_times("resume a channel after 1,000 missed", read_ms, RESUMES);
}

static bool wants_all(void *arg, const struct channel_entry *channel)
{
    (void)arg;
    return channel->number != 0;
}

static void measure_scan(struct journal *journal, struct journal_reader *reader)
{
    struct journal_query query = {.wants = wants_all,
                                  .max_events = 1000,
                                  .max_bytes = 1 << 20,
                                  .max_scanned = 100000};
    uint64_t started_ns = uv_hrtime();
    unsigned count = catch_up(reader, query);
    double seconds = seconds_since(started_ns);

    printf("read all %u events: %.0f /s\n", count, count / seconds);
    query.wants = NULL;
    query.only =
        registry_find(journal_registry(journal), text_of("user.7.inbox"));
    query.after = journal_last_id(journal) - 100000;
    started_ns = uv_hrtime();
    count = catch_up(reader, query);
    printf("one channel's %u among 100,000: %.3f ms\n", count,
           seconds_since(started_ns) * 1000);
}

static void measure_large(const char *directory, uint64_t events)
{
    struct journal *journal;
    struct journal_reader *reader;
    uint64_t started_ns, after;

    remove_files(directory);
    started_ns = uv_hrtime();
    fill(directory, events);
    printf("%" PRIu64 " events over %u channels written in %.1f s\n", events,
           CHANNELS, seconds_since(started_ns));
    started_ns = uv_hrtime();
    journal = open_journal(directory, 0, 1000);
    printf("open after SIGKILL: %.3f s\n", seconds_since(started_ns));
    CHECK(journal_last_id(journal) == events);
    CHECK(journal_reader_open(journal, &reader) == ST_OK);
    measure_resume(journal, reader);
    started_ns = uv_hrtime();
    CHECK(journal_find_time(reader, 1, &after) == ST_OK);
    printf("find a time: %.3f ms\n", seconds_since(started_ns) * 1000);
    measure_scan(journal, reader);
    journal_reader_close(&reader);
    journal_close(&journal);
}

int main(int argc, char **argv)
{
    static const unsigned waiting[] = {1, 10, 100, 1000, 10000};
    const uint64_t events = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000000;

    if (argc < 2) {
        fprintf(stderr, "usage: bench_journal DIRECTORY [EVENTS]\n");
        return EXIT_FAILURE;
    }
    memset(data, 'x', sizeof data);
    setvbuf(stdout, NULL, _IONBF, 0);
    printf("waiting   events/s  a commit  us/commit  MiB kept    trimmed\n");
    for (unsigned i = 0; i < sizeof waiting / sizeof waiting[0]; i++)
        measure_ingest(argv[1], waiting[i], 0);
    printf("with 64 MiB kept:\n");
    measure_ingest(argv[1], 1000, 64 << 20);
    measure_ingest(argv[1], 10000, 64 << 20);
    measure_large(argv[1], events);
    remove_files(argv[1]);
    (void)rmdir(argv[1]);
    return EXIT_SUCCESS;
}
