/* admission.h -- which fresh connections come in, and how.
 *
 * Threads   admission_open: main. admission_admit: the accepting thread.
 *           admission_reserve_share, the getters: any.
 * Memory    struct admissions is a part of the server.
 * Units     Connections; microseconds.
 * Errors    None: who does not come in is closed and counted.
 */
#ifndef HTTP_ADMISSION_H
#define HTTP_ADMISSION_H

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

/* `files`: descriptors that the process may have. */
void admissions_open(struct admissions *admissions, const struct config *config,
                     uint64_t files, struct metrics *metrics);
void admissions_close(struct admissions *admissions);

/* False: close it. `open`: connections that there are. */
bool admissions_admit(struct admissions *admissions,
                      const struct address *address, unsigned open,
                      int64_t now_us, struct admission *admission_out);

#endif
