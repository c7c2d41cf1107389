/* origin.h -- which page a browser's request comes from (RFC 6454).
 *
 * An origin is scheme://host[:port] and nothing behind it. Scheme and host
 * compare in any case; a port that is the scheme's own may be left out.
 *
 * Threads   Any.
 * Memory    Views of the caller's bytes.
 * Units     None.
 * Errors    None: what is malformed matches nothing.
 */
#ifndef TIDINGS_ORIGIN_H
#define TIDINGS_ORIGIN_H

#include <tidings/buffer.h>
#include <tidings/text.h>

#include <stdbool.h>

/* Never true of `*` and `null`. */
bool origin_is_valid(struct text origin);

bool origin_equals(struct text a, struct text b);

/* Is it the origin of a page that this Host header's server gave? The scheme
 * does not count: a proxy may have taken TLS off. */
bool origin_is_of_host(struct text origin, struct text host);

/* As browsers write it: lower case, without the scheme's own port. */
void origin_append(struct buffer *out, struct text origin);

/* ---- a list: origins with commas between, spaces around allowed ---------- */

/* May be empty. */
bool origin_list_is_valid(struct text list);

/* The next of the list, from `*cursor` (0 at first); false at its end. */
bool origin_list_next(struct text list, size_t *cursor,
                      struct text *origin_out);

/* Its place in the list, from 1; 0 if it is not there. */
unsigned origin_list_find(struct text list, struct text origin);

#endif
