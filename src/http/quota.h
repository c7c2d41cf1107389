/* quota.h -- what one client uses up: a token's subject, or without one the
 * address that asks.
 *
 * Threads   The crew thread of the connection.
 * Memory    None.
 * Units     None.
 * Errors    LIMIT_NONE: it may. Else what it is over, and the milliseconds
 *           until it is not; 0: nobody knows.
 */
#ifndef HTTP_QUOTA_H
#define HTTP_QUOTA_H

#include <tidings/connection.h>
#include <tidings/limits.h>

/* Spends what it is to publish these, if all of that may be spent. */
enum limit quota_publish(struct connection *connection,
                         const struct publish *publish,
                         int64_t *wait_ms_out) MUST_USE;

/* The same for one session more. */
enum limit quota_session(struct connection *connection,
                         int64_t *wait_ms_out) MUST_USE;

/* One stream more of the subject, from now to the request's end. */
enum limit quota_stream(struct connection *connection) MUST_USE;

#endif
