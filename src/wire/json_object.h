/* json_object.h -- the members of a JSON object, the elements of an array.
 *
 * Threads   Any.
 * Memory    Names and values look into the object's text.
 * Units     Bytes.
 * Errors    ST_BAD_INPUT with a fixed sentence.
 */
#ifndef WIRE_JSON_OBJECT_H
#define WIRE_JSON_OBJECT_H

#include <tidings/status.h>
#include <tidings/text.h>

struct json_member {
    struct text name;  /* without quotes, escapes as they are */
    struct text value; /* as it stands: a string with its quotes */
};

/* Is this text, already known to be JSON, an object? */
bool json_is_object(struct text text);

/* The next member of a valid object. `*cursor` starts at 0. False at the end.
 */
bool json_next_member(struct text object, size_t *cursor,
                      struct json_member *member_out);

/* The same for a valid array. */
bool json_next_element(struct text array, size_t *cursor,
                       struct text *value_out);

/* Does a member's name, its escapes undone, spell `name`? */
bool json_name_is(struct text raw, const char *name);

/* A value that is a string: what is between its quotes. Else false. */
bool json_string_inside(struct text value, struct text *inside_out);

struct json_wanted {
    const char *name;
    struct text *value_out; /* length 0: there is no such member */
};

/* Fills the wanted members of what must be a JSON object without others and
 * without repeated ones. Outputs are touched only on success. */
enum status json_take_apart(struct text text, const struct json_wanted *wanted,
                            unsigned count, const char **why_out) MUST_USE;

#endif
