/* json_tokens.c -- jsmn's tokens, walked.
 *
 * jsmn gives a flat array in the order of the text; what belongs to a token are
 * those behind it that start before it ends. So the next element of an array is
 * the first token that starts behind the end of this one.
 *
 * jsmn is lax about what it takes for JSON. That is good enough here: the text
 * comes from our own server and the worst outcome is an odd line on a terminal.
 */
#include "json_tokens.h"

#define JSMN_STATIC
#include <jsmn.h>
#include <stdlib.h>
#include <tidings/check.h>
#include <tidings/wire.h>

static const jsmntok_t *at(const struct json_tokens *json, int token)
{
    const jsmntok_t *tokens = json->tokens;

    return &tokens[token];
}

enum status json_tokens_init(struct json_tokens *json, struct text text)
{
    jsmn_parser parser;
    int count;

    *json = (struct json_tokens){text, NULL, 0};
    jsmn_init(&parser);
    count = jsmn_parse(&parser, text.bytes, text.length, NULL, 0);
    if (count <= 0)
        return ST_BAD_INPUT;
    json->tokens = must_calloc((size_t)count, sizeof(jsmntok_t));
    jsmn_init(&parser);
    json->count = jsmn_parse(&parser, text.bytes, text.length, json->tokens,
                             (unsigned)count);
    return json->count > 0 ? ST_OK : ST_BAD_INPUT;
}

void json_tokens_fini(struct json_tokens *json)
{
    free(json->tokens);
    json->tokens = NULL;
    json->count = 0;
}

int json_first(const struct json_tokens *json, int parent)
{
    if (parent < 0 || parent + 1 >= json->count ||
        at(json, parent + 1)->start >= at(json, parent)->end)
        return -1;
    return parent + 1;
}

int json_next(const struct json_tokens *json, int parent, int token)
{
    int next = token;

    if (token < 0)
        return -1;
    while (next < json->count && at(json, next)->start < at(json, token)->end)
        next++;
    if (next == token) /* an empty string is as long as nothing */
        next++;
    if (next >= json->count || at(json, next)->start >= at(json, parent)->end)
        return -1;
    return next;
}

int json_member(const struct json_tokens *json, int object, const char *name)
{
    int key;

    if (object < 0 || at(json, object)->type != JSMN_OBJECT)
        return -1;
    key = json_first(json, object);
    while (key >= 0) {
        const int value = key + 1;

        if (value >= json->count)
            return -1;
        if (text_is(json_raw(json, key), name))
            return value;
        key = json_next(json, object, value);
    }
    return -1;
}

bool json_is_array(const struct json_tokens *json, int token)
{
    return token >= 0 && at(json, token)->type == JSMN_ARRAY;
}

bool json_is_string(const struct json_tokens *json, int token)
{
    return token >= 0 && at(json, token)->type == JSMN_STRING;
}

struct text json_raw(const struct json_tokens *json, int token)
{
    const jsmntok_t *found;

    if (token < 0)
        return (struct text){"", 0};
    found = at(json, token);
    return (struct text){json->text.bytes + found->start,
                         (size_t)(found->end - found->start)};
}

void json_append_shown(const struct json_tokens *json, int token,
                       struct buffer *out)
{
    const struct text raw = json_raw(json, token);
    const size_t before = out->length;

    if (!json_is_string(json, token)) {
        buffer_append_text(out, raw);
        return;
    }
    if (json_unescape(raw, out) == ST_OK) {
        size_t i = before;

        while (i < out->length && (unsigned char)out->bytes[i] >= 0x20 &&
               out->bytes[i] != 0x7f)
            i++;
        if (i == out->length)
            return;
    }
    out->length = before;
    buffer_append_text(out, raw);
}
