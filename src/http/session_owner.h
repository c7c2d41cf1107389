/* session_owner.h -- whose a session is: protocol.md 2, `session`.
 *
 * With keys configured a session belongs to the `sub` of the token that made it,
 * and each sub has names of its own: another's session is as one that was never
 * made.
 *
 * Threads   The crew thread of the connection.
 * Memory    The caller's.
 * Units     None.
 * Errors    None returned: the client is answered.
 */
#ifndef HTTP_SESSION_OWNER_H
#define HTTP_SESSION_OWNER_H

#include "order.h"

#include <tidings/sessions.h>

/* What the journal knows a session by. */
struct session_key {
    uint8_t length;
    char bytes[SESSION_NAME_MAX_BYTES];
};

static inline struct text session_key_text(const struct session_key *key)
{
    return (struct text){key->bytes, key->length};
}

/* `name` was admitted. False: refused, for there is no sub. */
bool session_own(struct connection *connection, struct text name,
                 struct session_key *key_out);

/* The same for the session that an order names, in place. */
bool session_own_order(struct connection *connection, struct order *order);

#endif
