/* text.h -- a view of bytes that somebody else owns.
 *
 * Not ended by NUL and may contain it. Parsers give views of their input,
 * formatters take them.
 *
 * Threads   Any.
 * Memory    A view owns nothing; it is valid as long as what it looks at.
 * Units     Bytes.
 * Errors    None.
 */
#ifndef TIDINGS_TEXT_H
#define TIDINGS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct text {
    const char *bytes;
    size_t length;
};

/* For "%.*s". */
#define TEXT_ARGS(t) (int)(t).length, (t).bytes

static inline struct text text_of(const char *string)
{
    return (struct text){string, strlen(string)};
}

static inline bool text_equals(struct text a, struct text b)
{
    return a.length == b.length &&
           (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

static inline bool text_is(struct text t, const char *string)
{
    return text_equals(t, text_of(string));
}

#endif
