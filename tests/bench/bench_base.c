/* bench_base.c -- the clock of the measurements, and how a tool gives up.
 *
 * The monotonic clock is one for all processes of a machine, so a time that the
 * publisher wrote into an event can be subtracted from the time at which a
 * subscriber read it.
 */
#include "bench_base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int64_t bench_now_ns(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        bench_die("no monotonic clock");
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void *bench_alloc(size_t count, size_t bytes)
{
    void *memory = calloc(count > 0 ? count : 1, bytes);

    if (memory == NULL)
        bench_die("out of memory: %zu times %zu bytes", count, bytes);
    return memory;
}

void bench_die(const char *format, ...)
{
    va_list rest;

    va_start(rest, format);
    fputs("loadgen: ", stderr);
    vfprintf(stderr, format, rest);
    fputc('\n', stderr);
    va_end(rest);
    exit(2);
}
