/* fuzz.h -- what every fuzz target of the wire has.
 *
 * A target feeds bytes to a parser and CHECKs what must hold for any bytes:
 * that results lie inside the input, that cutting the input differently changes
 * nothing, that what a formatter wrote is read back as what went in.
 *
 * Threads   One.
 * Memory    libFuzzer copies an input to a block of its exact size, so that the
 *           address sanitizer sees a read beyond it.
 * Units     Bytes.
 * Errors    A broken claim aborts (check.h).
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <tidings/check.h>
#include <tidings/wire.h>

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline struct text text_of_input(const uint8_t *data, size_t size)
{
    return (struct text){(const char *)data, size};
}

/* Does `part` lie inside `whole`? */
static inline bool lies_inside(struct text part, struct text whole)
{
    uintptr_t start = (uintptr_t)part.bytes;
    uintptr_t whole_start = (uintptr_t)whole.bytes;

    return start >= whole_start &&
           start + part.length <= whole_start + whole.length;
}

/* Formats the event in every way and reads each back (read_back.c). Type and
 * data are valid UTF-8 and the type is a valid type. */
void check_formats(const struct event_view *event);

#endif
