/* json_object.c -- members and elements, one after the other, with jsmn.
 *
 * jsmn makes a token of every value, nested ones too, and wants room for all of
 * them beforehand: memory that a stranger would choose. But it can be told
 * where to start and stops when its tokens are used up. So each member is read
 * with exactly two tokens, a name and a value, whatever the value contains; if
 * that is a container, jsmn has only seen where it opens, and counting brackets
 * outside of strings finds its end. Nothing is allocated and the walk is
 * linear.
 *
 * jsmn is lenient and this relies on it: the text must have passed
 * json_is_valid.
 */
#include "json_object.h"

#include <tidings/check.h>
#include <tidings/wire.h>

#include "json_string.h"

#define JSMN_STATIC
#include <jsmn.h>

#define NAME_MAX_BYTES 32 /* of the names that we look for */
#define WANTED_MAX     8

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t skip_space(struct text text, size_t at)
{
    while (at < text.length && is_space(text.bytes[at]))
        at++;
    return at;
}

bool json_is_object(struct text text)
{
    size_t at = skip_space(text, 0);

    return at < text.length && text.bytes[at] == '{';
}

/* Behind the string that opens at `at`. */
static size_t string_end(struct text text, size_t at)
{
    for (at++; at < text.length && text.bytes[at] != '"'; at++)
        if (text.bytes[at] == '\\')
            at++;
    return at + 1;
}

/* Behind the container that opens at `at`. */
static size_t container_end(struct text text, size_t at)
{
    unsigned depth = 0;

    for (;;) {
        CHECK(at < text.length);
        switch (text.bytes[at]) {
        case '"':
            at = string_end(text, at);
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            depth--;
            break;
        default:
            break;
        }
        at++;
        if (depth == 0)
            return at;
    }
}

static size_t value_end(struct text text, const jsmntok_t *token)
{
    if (token->type == JSMN_STRING)
        return (size_t)token->end + 1; /* its quote */
    if (token->type == JSMN_PRIMITIVE)
        return (size_t)token->end;
    return container_end(text, (size_t)token->start);
}

bool json_next_member(struct text object, size_t *cursor,
                      struct json_member *member_out)
{
    jsmntok_t name_and_value[2];
    const jsmntok_t *name = &name_and_value[0];
    const jsmntok_t *value = &name_and_value[1];
    jsmn_parser parser;
    size_t at = *cursor != 0 ? *cursor : skip_space(object, 0) + 1;
    size_t start, end;

    jsmn_init(&parser);
    parser.pos = (unsigned)at;
    /* The result says nothing: it is the complaint about the third token. */
    (void)jsmn_parse(&parser, object.bytes, object.length, name_and_value, 2);
    if (parser.toknext < 2)
        return false;

    start = (size_t)value->start - (value->type == JSMN_STRING);
    end = value_end(object, value);
    member_out->name.bytes = object.bytes + name->start;
    member_out->name.length = (size_t)(name->end - name->start);
    member_out->value.bytes = object.bytes + start;
    member_out->value.length = end - start;
    *cursor = end;
    return true;
}

/* Behind the number or word at `at`. */
static size_t word_end(struct text text, size_t at)
{
    while (at < text.length && !is_space(text.bytes[at]) &&
           text.bytes[at] != ',' && text.bytes[at] != ']')
        at++;
    return at;
}

bool json_next_element(struct text array, size_t *cursor,
                       struct text *value_out)
{
    size_t at =
        skip_space(array, *cursor != 0 ? *cursor : skip_space(array, 0) + 1);
    size_t end;

    if (at < array.length && array.bytes[at] == ',')
        at = skip_space(array, at + 1);
    if (at >= array.length || array.bytes[at] == ']')
        return false;
    if (array.bytes[at] == '"')
        end = string_end(array, at);
    else if (array.bytes[at] == '{' || array.bytes[at] == '[')
        end = container_end(array, at);
    else
        end = word_end(array, at);
    *value_out = (struct text){array.bytes + at, end - at};
    *cursor = end;
    return true;
}

bool json_name_is(struct text raw, const char *name)
{
    struct buffer plain;
    bool is_equal;

    if (memchr(raw.bytes, '\\', raw.length) == NULL)
        return text_is(raw, name);
    if (raw.length > NAME_MAX_BYTES * 6) /* every character as \uXXXX */
        return false;
    buffer_init(&plain);
    is_equal = json_unescape(raw, &plain) == ST_OK &&
               text_is(buffer_text(&plain), name);
    buffer_fini(&plain);
    return is_equal;
}

bool json_string_inside(struct text value, struct text *inside_out)
{
    if (value.length < 2 || value.bytes[0] != '"')
        return false;
    inside_out->bytes = value.bytes + 1;
    inside_out->length = value.length - 2;
    return true;
}

static unsigned find_wanted(const struct json_wanted *wanted, unsigned count,
                            struct text name)
{
    unsigned i;

    for (i = 0; i < count; i++)
        if (json_name_is(name, wanted[i].name))
            break;
    return i;
}

enum status json_take_apart(struct text text, const struct json_wanted *wanted,
                            unsigned count, const char **why_out)
{
    struct text values[WANTED_MAX] = {{NULL, 0}};
    struct json_member member;
    size_t cursor = 0;
    unsigned i;

    CHECK(count <= WANTED_MAX);
    if (!json_is_object(text) || !json_is_valid(text)) {
        *why_out = "a JSON object is expected";
        return ST_BAD_INPUT;
    }
    while (json_next_member(text, &cursor, &member)) {
        i = find_wanted(wanted, count, member.name);
        if (i == count) {
            *why_out = "the object has a member that has no meaning here";
            return ST_BAD_INPUT;
        }
        if (values[i].length > 0) {
            *why_out = "the object has the same member twice";
            return ST_BAD_INPUT;
        }
        values[i] = member.value;
    }
    for (i = 0; i < count; i++)
        *wanted[i].value_out = values[i];
    return ST_OK;
}
