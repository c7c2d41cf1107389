/* handoff_head.h -- the pieces of a request head that is about to be lent.
 *
 * A pure function over bytes, without civetweb: which of them are the target,
 * in the form that civetweb routes, and what the client really sent as its
 * path.
 *
 * Threads   Any.
 * Memory    The pieces look into the head, or are static.
 * Units     Bytes.
 * Errors    An HTTP status; 0 is none.
 */
#ifndef HANDOFF_HEAD_H
#define HANDOFF_HEAD_H

#include <tidings/text.h>

#include <stdbool.h>

/* Laid out one behind the other, these are what is lent. */
struct handoff_head {
    struct text before; /* the method and a space */
    struct text slash;  /* empty, or the path that the target lacks */
    struct text target; /* path and query */
    struct text after;  /* the version and all fields */

    struct text path;      /* as sent, without the query; never empty */
    struct text authority; /* of an absolute target, without its scheme */
    bool is_asterisk;      /* the target is `*`, and lent as `/` */
};

/* What has no target at all has all its bytes in `before`. */
int handoff_head_read(struct text bytes, struct handoff_head *head_out);

#endif
