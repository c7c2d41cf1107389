/* token_cache.h -- tokens that were checked a moment ago.
 *
 * After a restart or a network's hiccup everybody comes back with the token of
 * before. Its signature need not be checked again: that costs tens of
 * microseconds for RS256, and a look here less than two.
 *
 * Full      The entry of its row that expires first makes room.
 *
 * Threads   The crew thread that owns the cache.
 * Memory    At most TOKEN_CACHE_ENTRIES, each with a reference of a grant; none
 *           before the first token comes.
 * Units     Wall milliseconds.
 * Errors    As token_check; only good tokens are kept.
 */
#ifndef HTTP_TOKEN_CACHE_H
#define HTTP_TOKEN_CACHE_H

#include <tidings/auth.h>
#include <tidings/metrics.h>

enum { TOKEN_CACHE_ENTRIES = 8192 };

struct token_cache;

struct token_cache *token_cache_create(void);
void token_cache_destroy(struct token_cache **cache);

/* As token_check, which is asked if the cache does not know. `*grant_out` is a
 * new reference. */
enum status token_cache_check(struct token_cache *cache,
                              struct keyring *keyring, struct text token,
                              int64_t now_wall_ms, struct metrics *metrics,
                              struct grant **grant_out,
                              const char **why_out) MUST_USE;

#endif
