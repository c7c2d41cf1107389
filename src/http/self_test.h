/* self_test.h -- one request through the real door, before we say "ready".
 *
 * Threads   Main, while the crews run. Blocks up to the deadline.
 * Memory    None.
 * Units     Milliseconds.
 * Errors    ST_TIMEOUT, ST_IO with a sentence in `why`.
 */
#ifndef HTTP_SELF_TEST_H
#define HTTP_SELF_TEST_H

#include <tidings/status.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct admissions;

/* At the first address of the list; what it redirects counts as served. */
enum status self_test(const struct admissions *admissions, const char *listen,
                      uint16_t port, bool is_tls, unsigned within_ms, char *why,
                      size_t why_bytes) MUST_USE;

#endif
