/* url_mask.c -- URLs as they may be shown.
 *
 * A URL may carry a name and a password between `//` and an `@`. What is there
 * becomes `***`, whether it is two words, one (a token) or nonsense: what an
 * operator wrote in that place was meant as a secret.
 *
 * The list is not cut at its commas: a password may hold one that nobody
 * escaped, and half a password is no better than a whole one. Everything from
 * one `//` to the last `@` before the next `://` goes, at the worst a host too
 * many.
 */
#include <tidings/wire.h>

static bool is_scheme_end(struct text urls, size_t at)
{
    return at + 3 <= urls.length && memcmp(urls.bytes + at, "://", 3) == 0;
}

/* Behind the next `://` from `from` on; without one, `otherwise`. */
static size_t after_scheme(struct text urls, size_t from, size_t otherwise)
{
    for (size_t at = from; at < urls.length; at++)
        if (is_scheme_end(urls, at))
            return at + 3;
    return otherwise;
}

static void append_range(struct buffer *out, struct text urls, size_t from,
                         size_t to)
{
    if (to > from)
        buffer_append(out, urls.bytes + from, to - from);
}

/* What stands from one `://` up to the next. */
static void append_masked(struct buffer *out, struct text urls, size_t from,
                          size_t to)
{
    size_t host = from;

    for (size_t at = from; at < to; at++)
        if (urls.bytes[at] == '@')
            host = at + 1;
    if (host > from)
        buffer_append_string(out, "***@");
    append_range(out, urls, host, to);
}

void urls_append_masked(struct buffer *out, struct text urls)
{
    size_t at = after_scheme(urls, 0, 0);

    append_range(out, urls, 0, at);
    while (at < urls.length) {
        const size_t next = after_scheme(urls, at, urls.length);

        append_masked(out, urls, at, next);
        at = next;
    }
}
