/* over_limit.h -- the answers to requests over a limit.
 *
 * Threads   The crew thread of the connection.
 * Memory    None.
 * Units     Milliseconds.
 * Errors    None: every call answers.
 */
#ifndef HTTP_OVER_LIMIT_H
#define HTTP_OVER_LIMIT_H

#include "order.h"

#include <tidings/connection.h>
#include <tidings/limits.h>

/* 429 or 503 with Retry-After: after so long, or 0: after a little while. */
void over_limit_refuse(struct connection *connection, enum limit limit,
                       int64_t wait_ms);

/* The same to a subscriber, whose order is taken; but who asks for a stream,
 * which has to come back by itself, is given one that ends at once. */
void over_limit_turn_away(struct connection *connection, struct order **order,
                          enum limit limit, int64_t wait_ms);

#endif
