/* algorithm.h -- the four ways to sign a token.
 *
 * Threads   Any.
 * Memory    Names are static.
 * Units     None.
 * Errors    false: there is none of this name.
 */
#ifndef AUTH_ALGORITHM_H
#define AUTH_ALGORITHM_H

#include <tidings/text.h>

#include <stdbool.h>

/* clang-format off */
/*           name   of a JWK: kty and crv         what a key of it is           */
#define ALGORITHMS(A)                                                           \
    A(HS256, "HS256", "oct", "",        "a secret of 32 bytes or more")         \
    A(RS256, "RS256", "RSA", "",        "an RSA key of 2048 bits or more")      \
    A(ES256, "ES256", "EC",  "P-256",   "a key on the curve P-256")             \
    A(EDDSA, "EdDSA", "OKP", "Ed25519", "an Ed25519 key")
/* clang-format on */

enum algorithm {
#define A(id, name, kty, crv, what) ALGORITHM_##id,
    ALGORITHMS(A)
#undef A
};

/* The exact name, as in the header of a token. */
bool algorithm_find(struct text name, enum algorithm *algorithm_out);
bool algorithm_of_kty(struct text kty, enum algorithm *algorithm_out);

const char *algorithm_name(enum algorithm algorithm);
const char *algorithm_curve(enum algorithm algorithm);
const char *algorithm_key(enum algorithm algorithm); /* "an Ed25519 key" */

#endif
