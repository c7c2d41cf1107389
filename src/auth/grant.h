/* grant.h -- what is inside a grant, for who makes one out of claims.
 *
 * Threads   Any: fixed once made.
 * Memory    Counted by reference.
 * Units     Wall milliseconds.
 * Errors    None.
 */
#ifndef AUTH_GRANT_H
#define AUTH_GRANT_H

#include <tidings/auth.h>
#include <tidings/buffer.h>

#include <stdatomic.h>

#include "key.h"

#define GRANT_SELECTORS_MAX 256 /* of one right */
#define SUBJECT_MAX_BYTES   255

/* Selectors, one behind the other with a comma between them. */
struct selectors {
    struct buffer list;
    unsigned count;
};

struct grant {
    atomic_uint references;
    struct selectors rights[2]; /* by enum right */
    bool is_admin;
    struct buffer subject;
    int64_t expires_ms;
    unsigned char fingerprint[FINGERPRINT_BYTES]; /* of the key */
};

struct grant *grant_create(void);

#endif
