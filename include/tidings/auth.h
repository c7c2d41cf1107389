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

#define TOKEN_MAX_BYTES 8192 /* longer ones are refused before they are read */

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

/* Is the key that signed this grant's token still there? */
bool keyring_holds(const struct keyring *keyring, const struct grant *grant);

/* ---- tokens ---------------------------------------------------------------- */

/* `*why_out` is a fixed sentence for an operator (`tidings token check`, the
 * debug log), not for whoever sent the token. */
enum status token_check(const struct keyring *keyring, struct text token,
                        int64_t now_wall_ms, struct grant **grant_out,
                        const char **why_out) MUST_USE;

/* ---- rights ---------------------------------------------------------------- */

enum right { RIGHT_SUBSCRIBE, RIGHT_PUBLISH };

struct grant *grant_ref(struct grant *grant);
void grant_unref(struct grant **grant);

/* May it do this on every channel that the selector (a channel or a pattern,
 * checked) can ever match? */
bool grant_allows(const struct grant *grant, enum right right,
                  struct text selector);
bool grant_is_admin(const struct grant *grant);

/* The claim `sub`; empty if the token has none. */
struct text grant_subject(const struct grant *grant);

/* The claim `exp`: from then on the grant is over (without leeway, which is for
 * clocks that differ when a token is checked). */
int64_t grant_expires_ms(const struct grant *grant);

#endif
