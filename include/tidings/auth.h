/* auth.h -- who may do what: keys, tokens, rights (protocol.md 8).
 *
 * A token is a JSON Web Token (RFC 7519) in compact form (RFC 7515). It is
 * checked against a keyring; what it allows is a grant. The key decides the
 * algorithm, never the token; no claim is read before the signature is checked.
 *
 *     keyring   all keys that hold now; immutable; a reload makes another one
 *     grant     what one checked token allows; immutable
 *
 * Threads   Any: both are immutable and shared by an atomic count. Loading
 *           reads files and is main's.
 * Memory    create and load return a reference of the caller's. A grant keeps
 *           the keyring's key it was signed with recognisable, not the keyring.
 * Units     Wall milliseconds.
 * Errors    ST_BAD_INPUT with a sentence that never repeats the token or a key.
 */
#ifndef TIDINGS_AUTH_H
#define TIDINGS_AUTH_H

#include <tidings/config.h>
#include <tidings/status.h>
#include <tidings/text.h>
#include <tidings/wire.h> /* selector_covers */

#include <stdbool.h>
#include <stdint.h>

#define TOKEN_MAX_BYTES 8192  /* longer ones are refused before they are read */
#define TOKEN_LEEWAY_MS 60000 /* for exp and nbf, as clocks differ */

struct keyring;
struct grant;

/* ---- keys ------------------------------------------------------------------ */

/* From the settings (files, JWKS, environment). No keys configured: ST_OK and an
 * empty ring, with which nobody needs a token. */
enum status keyring_load(const struct config *config,
                         struct keyring **keyring_out, char *why,
                         size_t why_bytes) MUST_USE;
struct keyring *keyring_ref(struct keyring *keyring);
void keyring_unref(struct keyring **keyring);

bool keyring_is_empty(const struct keyring *keyring);
unsigned keyring_count(const struct keyring *keyring);

/* The same keys in the same order, issuer and audience? Then nothing changed. */
bool keyring_equals(const struct keyring *one, const struct keyring *other);

/* For people: the key of this number, from 0. False: there are not so many. */
struct key_view {
    const char *algorithm; /* "ES256" */
    const char *place;     /* "keys.json, key 2", "token_secret" */
    const char *kid;       /* NULL: it has none */
};
bool keyring_key(const struct keyring *keyring, unsigned number,
                 struct key_view *view_out);

/* Is the key that signed this grant's token still there? */
bool keyring_holds(const struct keyring *keyring, const struct grant *grant);

/* ---- tokens ---------------------------------------------------------------- */

/* ST_BAD_INPUT it is no token of ours; ST_NOT_FOUND no key here signed it;
 * ST_TIMEOUT it has expired; ST_RESERVED it is signed, but not good here or now.
 * `*why_out` is a fixed sentence for an operator (`tidings token check`, the
 * debug log), not for whoever sent the token. */
enum status token_check(const struct keyring *keyring, struct text token,
                        int64_t now_wall_ms, struct grant **grant_out,
                        const char **why_out) MUST_USE;

/* The same, step by step, for `tidings token check`: what is known of a token,
 * also of one that is refused. What comes behind the first failed step is not
 * there: nothing of the claims without a right signature. */
struct token_report {
    const char *algorithm; /* of the header, if it is one of ours; else NULL */
    struct buffer kid;     /* of the header; empty: it has none */
    int key;               /* the key that signed it (keyring_key); -1: none */
    struct buffer claims;  /* their JSON; empty: not signed */
    struct grant *grant;   /* what it would allow; NULL: no right claims */
    const char *why;       /* it is refused; NULL: it is good */
};
void token_explain(const struct keyring *keyring, struct text token,
                   int64_t now_wall_ms, struct token_report *report_out);
void token_report_fini(struct token_report *report);

/* ---- making them -----------------------------------------------------------
 */

struct signing_key;

/* The one key of a file: a secret, or a pair with its private half (PEM). The
 * other: a secret as it is. */
enum status signing_key_read(const char *path, struct signing_key **key_out,
                             char *why, size_t why_bytes) MUST_USE;
enum status signing_key_of_secret(struct text secret,
                                  struct signing_key **key_out,
                                  const char **why_out) MUST_USE;
void signing_key_destroy(struct signing_key **key);
const char *signing_key_algorithm(const struct signing_key *key);

/* A new one: the private half or secret, and the public half (empty for
 * HS256), as they belong into files. ST_NOT_FOUND: no such algorithm. */
enum status signing_key_new(const char *algorithm, struct buffer *private_out,
                            struct buffer *public_out) MUST_USE;

/* Empty texts and zeros are left out of the token. */
struct token_claims {
    struct text kid, issuer, audience, subject;
    struct text subscribe, publish; /* selectors with commas between; valid */
    bool is_admin;
    int64_t issued_ms, expires_ms, not_before_ms; /* whole seconds are used */
};

/* Appends a token; a token that would be refused at the time that it is for is
 * bad input, with why. */
enum status token_make(struct buffer *out, struct signing_key *key,
                       const struct token_claims *claims,
                       const char **why_out) MUST_USE;

/* ---- rights ---------------------------------------------------------------- */

enum right { RIGHT_SUBSCRIBE, RIGHT_PUBLISH };

struct grant *grant_ref(struct grant *grant);
void grant_unref(struct grant **grant);

/* May it do this on every channel that the selector (a channel or a pattern,
 * checked) can ever match? */
bool grant_allows(const struct grant *grant, enum right right,
                  struct text selector);
/* All of them, with commas between. */
struct text grant_selectors(const struct grant *grant, enum right right);

bool grant_is_admin(const struct grant *grant);

/* The claim `sub`; empty if the token has none. */
struct text grant_subject(const struct grant *grant);

/* The claim `exp`: from then on the grant is over (without leeway, which is for
 * clocks that differ when a token is checked). */
int64_t grant_expires_ms(const struct grant *grant);

#endif
