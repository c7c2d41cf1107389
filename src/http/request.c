/* request.c -- what a request says, found by name.
 *
 * Civetweb lends strings that are gone when the handler returns, and a move to
 * another thread outlives the handler: what is needed later is copied to an
 * arena whose size is the size of what came in, since decoding never makes it
 * longer.
 */
#include "request.h"

#include <tidings/check.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void arena_init(struct arena *arena, size_t capacity)
{
    arena->bytes = must_malloc(capacity + 1);
    arena->used = 0;
    arena->capacity = capacity;
}

void arena_fini(struct arena *arena)
{
    free(arena->bytes);
    memset(arena, 0, sizeof *arena);
}

struct text arena_copy(struct arena *arena, struct text text)
{
    char *place = arena->bytes + arena->used;

    CHECK(text.length <= arena->capacity - arena->used);
    if (text.length > 0)
        memcpy(place, text.bytes, text.length);
    arena->used += text.length;
    return (struct text){place, text.length};
}

struct text request_header(const struct handoff_request *request,
                           const char *name)
{
    for (unsigned i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return text_of(request->headers[i].value);
    return (struct text){NULL, 0};
}

bool text_is_word(struct text text, const char *word)
{
    return text.length == strlen(word) &&
           strncasecmp(text.bytes, word, text.length) == 0;
}

static struct text trimmed(struct text text)
{
    while (text.length > 0 && text.bytes[0] == ' ') {
        text.bytes++;
        text.length--;
    }
    while (text.length > 0 && text.bytes[text.length - 1] == ' ')
        text.length--;
    return text;
}

static bool contains_word(struct text list, const char *word)
{
    while (list.length > 0) {
        const char *comma = memchr(list.bytes, ',', list.length);
        struct text item = list, rest = {NULL, 0};
        const char *parameters;

        if (comma != NULL) {
            item.length = (size_t)(comma - list.bytes);
            rest = (struct text){comma + 1, list.length - item.length - 1};
        }
        parameters = memchr(item.bytes, ';', item.length);
        if (parameters != NULL)
            item.length = (size_t)(parameters - item.bytes);
        if (text_is_word(trimmed(item), word))
            return true;
        list = rest;
    }
    return false;
}

bool request_accepts(const struct handoff_request *request, const char *header,
                     const char *word)
{
    for (unsigned i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, header) == 0 &&
            contains_word(text_of(request->headers[i].value), word))
            return true;
    return false;
}

enum status parameter_find(const struct parameters *parameters,
                           const char *name, struct arena *arena,
                           struct text *value_out)
{
    const struct text sources[] = {parameters->form, parameters->query};

    *value_out = (struct text){NULL, 0};
    for (unsigned i = 0; i < 2; i++) {
        struct buffer value;
        size_t cursor = 0;
        bool is_bad = false, is_there;

        buffer_init(&value);
        is_there = form_find(sources[i], name, &cursor, &value, &is_bad);
        if (is_there && !is_bad)
            *value_out = arena_copy(arena, buffer_text(&value));
        buffer_fini(&value);
        if (is_bad)
            return ST_BAD_INPUT;
        if (is_there)
            return ST_OK;
    }
    return ST_OK;
}

bool parameter_is_on(const struct parameters *parameters, const char *name,
                     struct arena *arena)
{
    struct text value;

    return parameter_find(parameters, name, arena, &value) == ST_OK &&
           value.bytes != NULL &&
           (value.length == 0 || text_is(value, "1") ||
            text_is_word(value, "true") || text_is_word(value, "yes"));
}

bool text_to_number(struct text text, uint64_t most, uint64_t *number_out)
{
    uint64_t number = 0;

    if (text.length == 0 || text.length > 19)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text.bytes[i] - '0');
    }
    if (number > most)
        return false;
    *number_out = number;
    return true;
}
