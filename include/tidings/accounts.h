/* accounts.h -- who holds how much: connections and streams by address and by
 * token subject, and how fast each of them goes.
 *
 * An account belongs to an address (IPv4, or an IPv6 /64) or to a token's
 * subject. It counts what is *held* now, which is given back, and what was
 * *spent*, which fades with time. It lives while somebody refers to it or holds
 * something, and is then remembered as long as nobody needs its place, so that
 * a rate outlives the connection.
 *
 * Threads   Any: one lock, held for the finding and changing of one account.
 * Memory    A table of fixed size, made at start: two accounts for each
 *           connection and some that are only remembered. When all are in use,
 *           which that size rules out, ref gives ACCOUNT_NONE and nothing is
 *           limited for it.
 * Units     Microseconds of a monotonic clock; milliseconds to wait.
 * Errors    None: a limit that is reached is an answer.
 */
#ifndef TIDINGS_ACCOUNTS_H
#define TIDINGS_ACCOUNTS_H

#include <tidings/address.h>

#include <stdbool.h>
#include <stdint.h>

struct accounts;

typedef uint32_t account_id; /* valid from its ref to its unref */

#define ACCOUNT_NONE ((account_id)0)

/* What is held. */
enum account_hold {
    HOLD_CONNECTIONS, /* in the ordinary way */
    HOLD_RESERVED,    /* connections that may only do what the reserve is for */
    HOLD_STREAMS,
    HOLD_COUNT
};

/* What is spent. */
enum account_rate {
    RATE_CONNECTIONS,
    RATE_EVENTS,
    RATE_BYTES,
    RATE_CHANNELS,
    RATE_SESSIONS,
    RATE_COUNT
};

struct charge {
    enum account_rate rate;
    uint64_t amount;
    uint64_t per_second; /* 0: no limit */
};

struct accounts *accounts_create(unsigned connections_max);
void accounts_destroy(struct accounts **accounts);

account_id accounts_ref_address(struct accounts *accounts,
                                const struct address *address);
account_id accounts_ref_subject(struct accounts *accounts, struct text subject);
void accounts_unref(struct accounts *accounts, account_id *id);

/* False: `most` are held already (0: no limit). Each true is followed by a
 * give_back before the unref. */
bool accounts_hold(struct accounts *accounts, account_id id,
                   enum account_hold what, uint64_t most);
void accounts_give_back(struct accounts *accounts, account_id id,
                        enum account_hold what);

/* All of the charges or none: 0, or the milliseconds until it may be tried
 * again, and which of them takes so long. One that is larger than a second's worth is let in when nothing is
 * owed, and then paid off. */
int64_t accounts_spend(struct accounts *accounts, account_id id,
                       const struct charge *charges, unsigned count,
                       int64_t now_us, enum account_rate *over_out);

/* For tests and figures: accounts that are in use. */
unsigned accounts_in_use(struct accounts *accounts);

#endif
