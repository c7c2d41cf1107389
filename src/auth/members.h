/* members.h -- the members of a JSON object that a stranger wrote, by name.
 *
 * Threads   Any.
 * Memory    Values look into the object's text.
 * Units     Bytes.
 * Errors    ST_BAD_INPUT with a fixed sentence.
 */
#ifndef AUTH_MEMBERS_H
#define AUTH_MEMBERS_H

#include <tidings/buffer.h>
#include <tidings/status.h>

#include <stdbool.h>

#define MEMBERS_MAX 64 /* of one object; more is nothing that we are sent */

struct wanted {
    const char *name;
    struct text *value_out; /* as it stands; length 0: not there */
};

/* Fills the wanted members of what must be a JSON object, in which no name
 * (escapes undone) stands twice. Other members are left alone. The outputs of
 * members that are not there become empty. */
enum status members_take(struct text object, const struct wanted *wanted,
                         unsigned count, const char **why_out) MUST_USE;

/* The value of a JSON string; false: it is none, or its escapes make no text.
 * `out` is emptied first. */
bool member_string(struct text value, struct buffer *out) MUST_USE;

/* Is it the string `word`? */
bool member_is(struct text value, const char *word);

#endif
