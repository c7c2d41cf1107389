/* put.h -- writing into room that was reserved before.
 *
 * A formatter on the hot path reserves once for the most that it can need, puts
 * piece after piece, and adds the difference to the buffer's length. Every call
 * returns where the next piece goes.
 *
 * Threads   Any.
 * Memory    The caller reserved enough; nothing is checked here.
 * Units     Bytes.
 * Errors    None.
 */
#ifndef WIRE_PUT_H
#define WIRE_PUT_H

#include <tidings/text.h>

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PUT_U64_MAX_BYTES 20

/* `literal` is a string literal: its length is known to the compiler. */
#define PUT_LITERAL(at, literal) put_bytes((at), (literal), sizeof(literal) - 1)

static inline char *put_bytes(char *at, const char *bytes, size_t length)
{
    if (length > 0) /* `bytes` may be NULL then */
        memcpy(at, bytes, length);
    return at + length;
}

static inline char *put_text(char *at, struct text text)
{
    return put_bytes(at, text.bytes, text.length);
}

/* Exactly `width` digits, with leading zeros. */
static inline char *put_digits(char *at, unsigned number, unsigned width)
{
    unsigned i;

    for (i = width; i > 0; i--) {
        at[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
    return at + width;
}

static inline char *put_u64(char *at, uint64_t number)
{
    char digits[PUT_U64_MAX_BYTES];
    char *first = digits + sizeof digits;

    do {
        *--first = (char)('0' + (char)(number % 10));
        number /= 10;
    } while (number > 0);
    return put_bytes(at, first, (size_t)(digits + sizeof digits - first));
}

#endif
