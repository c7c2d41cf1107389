/* key.h -- one key: what it is, which tokens it may have signed.
 *
 * Threads   Any: fixed once made; loading is main's.
 * Memory    make returns a key of the caller's; a secret is wiped when freed.
 * Units     Bits, bytes.
 * Errors    ST_BAD_INPUT with a fixed sentence that never has the key in it.
 */
#ifndef AUTH_KEY_H
#define AUTH_KEY_H

#include "algorithm.h"

#include <tidings/buffer.h>
#include <tidings/status.h>

#include <openssl/types.h>

#define SECRET_MIN_BYTES  32
#define SECRET_MAX_BYTES  4096
#define RSA_MIN_BITS      2048
#define RSA_MAX_BITS      16384
#define KID_MAX_BYTES     200
#define KEYS_MAX          64 /* in one keyring */
#define FINGERPRINT_BYTES 32

struct signing_key {
    enum algorithm algorithm;
    char *place; /* where it is from, for people: "keys.json, key 2" */
    char *kid;   /* NULL: it has none */
    bool is_private;
    EVP_PKEY *pair;         /* NULL for a secret */
    struct buffer material; /* the secret; else the public half, DER (SPKI) */
    unsigned char fingerprint[FINGERPRINT_BYTES]; /* SHA-256 of material */
};

/* ---- key.c ------------------------------------------------------------------
 */

/* `place` and `kid` (may be NULL) are copied; the pair is taken. */
enum status key_of_secret(struct text secret, struct signing_key **key_out,
                          const char **why_out) MUST_USE;
enum status key_of_pair(EVP_PKEY **pair, bool is_private,
                        struct signing_key **key_out,
                        const char **why_out) MUST_USE;
void key_destroy(struct signing_key **key);

/* A server checks and never signs: the private half goes. */
void key_forget_private(struct signing_key *key);

/* PEM, DER in base64, ssh, JSON: nothing whose secret everybody knows may be
 * one. */
bool secret_looks_like_a_key(struct text secret);

/* ---- key_file.c, pem.c, jwk.c ----------------------------------------------
 */

struct key_list {
    struct signing_key *keys[KEYS_MAX];
    unsigned count;
};

void key_list_fini(struct key_list *list);

/* Adds it; ST_FULL with a sentence: there are KEYS_MAX. The key is taken. */
enum status key_list_add(struct key_list *list, struct signing_key **key,
                         const char *place, char *why,
                         size_t why_bytes) MUST_USE;

/* All keys of a file. The sentence begins with the file's name. */
enum status key_file_read(const char *path, struct key_list *list, char *why,
                          size_t why_bytes) MUST_USE;
enum status key_bytes_read(const char *place, struct text bytes,
                           struct key_list *list, char *why,
                           size_t why_bytes) MUST_USE;

enum status pem_read(const char *place, struct text text, struct key_list *list,
                     char *why, size_t why_bytes) MUST_USE;
enum status jwk_read(const char *place, struct text text, struct key_list *list,
                     char *why, size_t why_bytes) MUST_USE;

/* ---- signature.c ------------------------------------------------------------
 */

bool signature_is_right(const struct signing_key *key, struct text message,
                        struct text signature) MUST_USE;

/* Needs a secret or a private half. */
void signature_append(const struct signing_key *key, struct text message,
                      struct buffer *out);

#endif
