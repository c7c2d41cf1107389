/* request.h -- reading a routed request: headers, query, form.
 *
 * Threads   The crew thread that routes the request.
 * Memory    Views into the request; decoded values are copied into the caller's
 *           arena.
 * Units     None.
 * Errors    ST_BAD_INPUT a bad percent-escape or NUL.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "../../third_party/civetweb_handoff.h"

#include <tidings/buffer.h>
#include <tidings/connection.h>
#include <tidings/wire.h>

/* A fixed piece of memory for the texts of one request: nothing in it moves. */
struct arena {
    char *bytes;
    size_t used, capacity;
};

void arena_init(struct arena *arena, size_t capacity);
void arena_fini(struct arena *arena);

/* A copy in the arena; the capacity is the sum of what may be copied. */
struct text arena_copy(struct arena *arena, struct text text);

/* The first header of that name (any case); an empty text with NULL bytes if
 * there is none. */
struct text request_header(const struct handoff_request *request,
                           const char *name);

/* Does Accept-Encoding name the coding, other than with a weight of zero
 * (RFC 9110 12.5.3)? `*` is not enough: who wants it says so. */
bool request_takes_coding(const struct handoff_request *request,
                          const char *coding);

/* Does a comma-separated header contain the word (any case, up to `;`)? */
bool request_accepts(const struct handoff_request *request, const char *header,
                     const char *word);

/* Query and form of one request. */
struct parameters {
    struct text form, query;
};

/* The decoded value of `name`, from the form, else the query, copied to the
 * arena. NULL bytes: not there. ST_BAD_INPUT: badly escaped. */
enum status parameter_find(const struct parameters *parameters,
                           const char *name, struct arena *arena,
                           struct text *value_out) MUST_USE;

/* "1", "true", "yes", or present and empty. */
bool parameter_is_on(const struct parameters *parameters, const char *name,
                     struct arena *arena);

/* A number without sign, at most `most`; false if it is none. */
bool text_to_number(struct text text, uint64_t most, uint64_t *number_out);

/* Without the spaces at its ends. */
struct text text_trimmed(struct text text);

/* Is `text` this word in any case? */
bool text_is_word(struct text text, const char *word);

#endif
