/* bench_event_test.c -- the generator notices what a server does wrong.
 *
 * A figure is only worth as much as the check behind it. A stream of events in
 * changing wrappings is cut at random places and given to the scan piece by
 * piece, once as it is and once for each way of spoiling it; the tally must
 * show the spoiling and nothing else.
 */
#include "bench_base.h"
#include "bench_event.h"
#include "bench_reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS      400u
#define EVENT_BYTES 200u
#define LINE_BYTES  320u
#define ROUNDS      500u

/* clang-format off */
/*     name         what is spoilt                   delivered   lost  twice */
#define CASES(CASE)                                                             \
    CASE(NOTHING,  "nothing",                        EVENTS,     0u,   0u)      \
    CASE(LEFT_OUT, "event 100 is left out",          EVENTS - 1, 1u,   0u)      \
    CASE(REPEATED, "event 100 comes twice",          EVENTS,     0u,   1u)      \
    CASE(SWAPPED,  "events 100 and 101 change place", EVENTS - 1, 1u,   1u)     \
    CASE(CUT,      "the last byte has not come",     EVENTS - 1, 0u,   0u)
/* clang-format on */

enum spoilt {
#define CASE(NAME, what, delivered, lost, twice) SPOILT_##NAME,
    CASES(CASE)
#undef CASE
};

static const struct {
    const char *what;
    uint64_t delivered, lost, twice;
} cases[] = {
#define CASE(NAME, what, delivered, lost, twice) {what, delivered, lost, twice},
    CASES(CASE)
#undef CASE
};

static char stream[EVENTS * LINE_BYTES * 2];

/* One event as a server may wrap it: now and then in a new chunk. */
static size_t put_event(char *to, uint32_t number)
{
    size_t at = 0;

    if (rand() % 4 == 0)
        at += (size_t)sprintf(to, "\r\n%x\r\n", (unsigned)rand());
    at += (size_t)sprintf(to + at, "data: ");
    event_write(to + at, EVENT_BYTES, number, 0);
    at += EVENT_BYTES;
    return at + (size_t)sprintf(to + at, "\nid: %u\n\n", 5000 + number);
}

static size_t write_stream(enum spoilt spoilt)
{
    size_t at = 0;

    for (uint32_t number = 0; number < EVENTS; number++) {
        uint32_t shown = number;

        if (number == 100 && spoilt == SPOILT_LEFT_OUT)
            continue;
        if (number == 100 && spoilt == SPOILT_REPEATED)
            at += put_event(stream + at, number);
        if ((number == 100 || number == 101) && spoilt == SPOILT_SWAPPED)
            shown = 201 - number;
        at += put_event(stream + at, shown);
    }
    if (spoilt == SPOILT_CUT) {
        while (stream[at - 1] != '}')
            at--;
        at--;
    }
    return at;
}

static struct event_tally scan_in_pieces(size_t bytes)
{
    struct event_tally tally = {0};
    struct event_scan scan = {0};
    size_t used = 0, given = 0;

    while (given < bytes) {
        given += 1 + (size_t)rand() % 1500;
        if (given > bytes)
            given = bytes;
        used +=
            event_scan(&scan, stream + used, given - used, EVENT_BYTES, &tally);
        if (given - used >= EVENT_BYTES)
            bench_die("the scan keeps %zu bytes", given - used);
    }
    return tally;
}

static void check_case(enum spoilt spoilt)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct event_tally tally = scan_in_pieces(write_stream(spoilt));

        if (tally.delivered != cases[spoilt].delivered ||
            tally.lost != cases[spoilt].lost ||
            tally.twice != cases[spoilt].twice)
            bench_die("%s: delivered %llu, lost %llu, twice %llu",
                      cases[spoilt].what, (unsigned long long)tally.delivered,
                      (unsigned long long)tally.lost,
                      (unsigned long long)tally.twice);
    }
}

static void check_percentiles(void)
{
    static struct histogram times;

    for (int64_t us = 1; us <= 10000; us++)
        histogram_add(&times, us * 1000);
    for (unsigned percent = 10; percent <= 100; percent += 10) {
        double exact = percent * 100.0;
        double found = histogram_us(&times, percent / 100.0);

        if (found < exact * 0.98 || found > exact * 1.02)
            bench_die("p%u is %f, not %f", percent, found, exact);
    }
}

static void check_reply(void)
{
    static const char text[] = "HTTP/1.1 201 Created\r\nX: y\r\n"
                               "content-length: 12\r\n\r\n{\"id\":12345}";
    struct reply reply = {0};

    for (size_t bytes = 0; bytes < sizeof text - 13; bytes++) {
        if (reply_read(text, bytes, &reply) != REPLY_SHORT)
            bench_die("%zu bytes of a head are no answer", bytes);
    }
    if (reply_read(text, sizeof text - 1, &reply) != REPLY_OK ||
        reply.status != 201 || reply.body_bytes != 12 ||
        reply.head_bytes != sizeof text - 13)
        bench_die("an answer is read wrongly");
    if (reply_read("HTTP/1.1 200 OK\r\n\r\n", 19, &reply) != REPLY_BAD)
        bench_die("an answer without a length is taken");
}

int main(void)
{
#define CASE(NAME, what, delivered, lost, twice) check_case(SPOILT_##NAME);
    CASES(CASE)
#undef CASE
    check_percentiles();
    check_reply();
    return 0;
}
