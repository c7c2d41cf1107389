/* bench_event.c -- the events that the generator sends and checks.
 *
 * A generator shares the machine with the server that it measures, so looking
 * at an event must cost nearly nothing. Two events that follow each other in
 * one write are always the same distance apart. The scan learns the shortest
 * distance at which one number followed the one before; from then on it looks
 * there first and searches only when it was wrong (a chunk's head, a new
 * answer). As that distance was measured between neighbours, no third event
 * fits into it, so nothing can be overlooked.
 */
#define _GNU_SOURCE /* memmem */

#include "bench_event.h"

#include <stdbool.h>
#include <string.h>

static const char head[] =
    "{\"k\":\"#S=00000000 T=000000000000000000\",\"pad\":\"";
static const char mark[] = "#S=";

#define MARK_BYTES  (sizeof mark - 1)
#define MARK_AT     6u  /* where it stands in an event */
#define TIME_AT     14u /* from the mark */
#define NUMBER_SIZE 8u
#define TIME_SIZE   18u

static void put_digits(char *to, unsigned digits, uint64_t value)
{
    while (digits > 0) {
        to[--digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

static uint64_t get_digits(const char *from, unsigned digits)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < digits; i++)
        value = value * 10 + (uint64_t)(from[i] - '0');
    return value;
}

void event_write(char *to, size_t bytes, uint32_t number, int64_t time_ns)
{
    memcpy(to, head, sizeof head - 1);
    put_digits(to + MARK_AT + MARK_BYTES, NUMBER_SIZE, number);
    put_digits(to + MARK_AT + TIME_AT, TIME_SIZE, (uint64_t)time_ns);
    memset(to + sizeof head - 1, 'x', bytes - (sizeof head - 1) - 2);
    to[bytes - 2] = '"';
    to[bytes - 1] = '}';
}

static void note(struct event_scan *scan, const char *at,
                 struct event_tally *tally)
{
    uint32_t number = (uint32_t)get_digits(at + MARK_BYTES, NUMBER_SIZE);

    if (number < scan->expected) {
        tally->twice++;
        return;
    }
    tally->lost += number - scan->expected;
    scan->expected = number + 1;
    tally->delivered++;
    if (tally->histogram != NULL) {
        int64_t sent_ns = (int64_t)get_digits(at + TIME_AT, TIME_SIZE);

        histogram_add(tally->histogram, tally->now_ns - sent_ns);
    }
}

/* The next mark at or after `from`, or NULL. */
static const char *find(const struct event_scan *scan, const char *from,
                        const char *end)
{
    if (scan->gap > 0 && (size_t)(end - from) >= scan->gap + MARK_BYTES &&
        memcmp(from + scan->gap, mark, MARK_BYTES) == 0)
        return from + scan->gap;
    return memmem(from, (size_t)(end - from), mark, MARK_BYTES);
}

size_t event_scan(struct event_scan *scan, const char *text, size_t bytes,
                  size_t event_bytes, struct event_tally *tally)
{
    const char *end = text + bytes;
    const char *from = text;
    bool follows = false; /* `from` is the end of an event */

    for (;;) {
        const char *at = find(scan, from, end);

        if (at == NULL) {
            size_t rest = (size_t)(end - from);

            return bytes - (rest < MARK_BYTES ? rest : MARK_BYTES - 1);
        }
        if ((size_t)(end - at) < event_bytes - MARK_AT)
            return (size_t)(at - text);
        if (follows && (scan->gap == 0 || (size_t)(at - from) < scan->gap))
            scan->gap = (uint32_t)(at - from);
        note(scan, at, tally);
        from = at + event_bytes - MARK_AT;
        follows = true;
    }
}
