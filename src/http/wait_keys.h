/* wait_keys.h -- of all tabs of one browser only one waits: protocol.md 4.
 *
 * A key is held for a set of selectors by the one request that waits or streams
 * with it, and freed by that request alone. Requests for the same channels are
 * served by the same crew thread, so each thread has a table of its own.
 *
 * Threads   The crew thread that owns the table.
 * Memory    One entry per waiting request with a key.
 * Units     None.
 * Errors    None: NULL says that the key is busy.
 */
#ifndef HTTP_WAIT_KEYS_H
#define HTTP_WAIT_KEYS_H

#include "order.h"

struct wait_keys;
struct wait_key;

struct wait_keys *wait_keys_create(void);
void wait_keys_destroy(struct wait_keys **keys);

/* `owner`: the sub of the token, empty without one: each has keys of its own. */
struct wait_key *wait_keys_hold(struct wait_keys *keys,
                                const struct order *order, struct text owner);
void wait_keys_free(struct wait_keys *keys, struct wait_key **key);

#endif
