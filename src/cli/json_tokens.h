/* json_tokens.h -- the answers of a server, taken apart.
 *
 * Thin words around jsmn: a text becomes tokens, and one asks for members by
 * name and for elements one after the other. Tokens are numbers; -1 is "none",
 * and asking none for something gives none, so that questions can be chained.
 *
 * Threads   The owner.
 * Memory    init allocates the tokens, fini frees them; texts look into the
 *           input.
 * Units     None.
 * Errors    ST_BAD_INPUT not JSON; fini is harmless then.
 */
#ifndef CLI_JSON_TOKENS_H
#define CLI_JSON_TOKENS_H

#include <tidings/buffer.h>
#include <tidings/status.h>
#include <tidings/text.h>

struct json_tokens {
    struct text text;
    void *tokens; /* jsmn's */
    int count;
};

enum status json_tokens_init(struct json_tokens *json,
                             struct text text) MUST_USE;
void json_tokens_fini(struct json_tokens *json);

/* The value of an object's member. The whole text is token 0. */
int json_member(const struct json_tokens *json, int object, const char *name);

/* The first element of an array (the first name of an object), and the one
 * behind `token` inside `parent`. */
int json_first(const struct json_tokens *json, int parent);
int json_next(const struct json_tokens *json, int parent, int token);

bool json_is_array(const struct json_tokens *json, int token);
bool json_is_string(const struct json_tokens *json, int token);

/* As written, a string without its quotes; of none: empty. */
struct text json_raw(const struct json_tokens *json, int token);

/* A string's value; anything else as written. For people's eyes: controls are
 * left escaped. */
void json_append_shown(const struct json_tokens *json, int token,
                       struct buffer *out);

#endif
