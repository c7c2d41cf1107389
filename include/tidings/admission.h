/* admission.h -- who is let in, and how: fresh connections, and the clients for
 * whom a trusted proxy speaks.
 *
 * Threads   open, close: main. admissions_admit: the accepting thread. The
 *           others: any, with the metrics of the calling thread.
 * Memory    struct admissions is a part of the server, alive while crews are.
 * Units     Connections; microseconds, monotonic.
 * Errors    None: who does not come in is closed and counted.
 */
#ifndef TIDINGS_ADMISSION_H
#define TIDINGS_ADMISSION_H

#include <tidings/accounts.h>
#include <tidings/config.h>
#include <tidings/limits.h>
#include <tidings/metrics.h>
#include <tidings/rate.h>

struct admissions {
    /* Fixed from open. */
    const struct config *config;
    struct accounts *accounts;
    struct networks proxies; /* trusted: their clients are counted, not they */
    unsigned connections_max, reserve, per_address, reserve_per_address;

    /* The accepting thread. */
    struct metrics *metrics;
    struct rate rate;
};

/* How somebody was let in. */
struct admission {
    account_id account; /* of the client's address; given back at the end */
    enum limit limit;   /* other than NONE: into the reserve, because of it */
    bool is_proxied;    /* the peer is a trusted proxy, and others' clients come
                           through it */
    bool needs_header;  /* a PROXY header must come first */
};

/* `files`: descriptors that the process may have. */
void admissions_open(struct admissions *admissions, const struct config *config,
                     uint64_t files, struct metrics *metrics);
void admissions_close(struct admissions *admissions);

/* Where a fresh connection is from and to. */
struct arrival {
    struct address peer, local;
    bool is_tls; /* the listener's */
};

/* When `open` are there. False: close it. */
bool admissions_admit(struct admissions *admissions,
                      const struct arrival *arrival, unsigned open,
                      int64_t now_us, struct admission *admission_out);

/* Must whoever comes from there say a PROXY header first? */
bool admissions_need_header(const struct admissions *admissions,
                            const struct address *peer, bool is_tls);

/* A proxy's connection, now that its PROXY header has said whose it is. `over`:
 * what all together had too much of when it came. False: close it. */
bool admissions_admit_source(struct admissions *admissions,
                             const struct address *address, enum limit over,
                             int64_t now_us, struct metrics *metrics,
                             struct admission *admission_out);

/* A request that a proxy passes on: it counts as a connection of its client as
 * long as it is served. */
void admissions_admit_request(struct admissions *admissions,
                              const struct address *client, enum limit over,
                              struct metrics *metrics,
                              struct admission *admission_out);

void admissions_give_back(struct admissions *admissions,
                          struct admission *admission);

#endif
