/* claims.h -- the claims of a token whose signature is right.
 *
 * Threads   Any.
 * Memory    read gives a grant of the caller's; texts look into the JSON.
 * Units     Wall milliseconds.
 * Errors    ST_BAD_INPUT with a fixed sentence.
 */
#ifndef AUTH_CLAIMS_H
#define AUTH_CLAIMS_H

#include <tidings/status.h>
#include <tidings/text.h>

#include <stdint.h>

struct grant;
struct keyring;

struct claims {
    struct grant *grant;
    struct text issuer, audience; /* as they stand; empty: not there */
    int64_t not_before_ms;        /* 0: not there */
};

/* Are they what they must look like? */
enum status claims_read(struct text json, struct claims *claims_out,
                        const char **why_out) MUST_USE;

/* Do they hold now, and for us? */
enum status claims_judge(const struct claims *claims,
                         const struct keyring *keyring, int64_t now_ms,
                         const char **why_out) MUST_USE;

#endif
