/* forwarded.h -- what proxies say about whom they speak for.
 *
 * Each proxy adds at the right whom it got the request from. So the list is
 * read from the right: the first address that is no trusted proxy is the
 * client, and what stands left of it is the client's own invention.
 *
 * Threads   Any.
 * Memory    Values.
 * Units     None.
 * Errors    None: what is malformed is a hop that nobody knows.
 */
#ifndef TIDINGS_FORWARDED_H
#define TIDINGS_FORWARDED_H

#include <tidings/address.h>

enum {
    FORWARDED_HOPS = 16
}; /* the newest; more proxies in a row is a mistake */

struct forwarded {
    struct address hops[FORWARDED_HOPS]; /* the newest last */
    bool is_known[FORWARDED_HOPS];
    unsigned count;
};

/* One header line of the request after the other; all zero at the start. */
void forwarded_add_x(struct forwarded *forwarded, struct text value);
void forwarded_add_rfc(struct forwarded *forwarded, struct text value);

/* `peer` is whom the request came from, a trusted proxy. */
struct address forwarded_client(const struct forwarded *forwarded,
                                const struct networks *trusted,
                                const struct address *peer);

#endif
