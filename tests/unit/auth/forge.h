/* forge.h -- keys and tokens for tests, good ones and any others.
 *
 * Threads   One.
 * Memory    Everything that is returned lives in a pool that forge_empty frees.
 * Units     Wall milliseconds.
 * Errors    A failed assertion of cmocka.
 */
#ifndef FORGE_H
#define FORGE_H

#include <tidings/auth.h>

#include "auth/key.h"

#define NOW_MS 1800000000000 /* the present of all tests */
#define NOW_S  "1800000000"

void forge_empty(void);
void forge_empty_rings(void); /* only these */

/* A new key of the algorithm with its private half; with `kid` or NULL. */
struct signing_key *forge_key(const char *algorithm, const char *kid);

/* A ring of the public halves of these keys, as from a JWKS or PEM. */
struct keyring *forge_ring(unsigned count, struct signing_key *const *keys,
                           const char *issuer, const char *audience);

/* header "." claims "." signature of these JSON texts. */
struct text forge_token(const struct signing_key *key, const char *header,
                        const char *claims);

/* The same with any text for a signature. */
struct text forge_unsigned(const char *header, const char *claims,
                           const char *signature);

struct text forge_text(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* Why it is refused now; "" if it is not. */
const char *forge_why(const struct keyring *ring, struct text token);

#endif
