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

struct text text_trimmed(struct text text)
{
    while (text.length > 0 && text.bytes[0] == ' ') {
        text.bytes++;
        text.length--;
    }
    while (text.length > 0 && text.bytes[text.length - 1] == ' ')
        text.length--;
    return text;
}

/* Takes the next item off a comma-separated list: its word and parameters. */
static bool next_item(struct text *list, struct text *word_out,
                      struct text *parameters_out)
{
    const char *comma, *semicolon;
    struct text item = *list;

    if (list->length == 0)
        return false;
    comma = memchr(list->bytes, ',', list->length);
    if (comma != NULL)
        item.length = (size_t)(comma - item.bytes);
    *list = comma == NULL
                ? (struct text){NULL, 0}
                : (struct text){comma + 1, list->length - item.length - 1};
    *parameters_out = (struct text){NULL, 0};
    semicolon = memchr(item.bytes, ';', item.length);
    if (semicolon != NULL) {
        size_t length = (size_t)(semicolon - item.bytes);

        *parameters_out =
            (struct text){semicolon + 1, item.length - length - 1};
        item.length = length;
    }
    *word_out = text_trimmed(item);
    return true;
}

static bool contains_word(struct text list, const char *word)
{
    struct text item, parameters;

    while (next_item(&list, &item, &parameters))
        if (text_is_word(item, word))
            return true;
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

/* "q=0", "q=0.0", "q=0.00", "q=0.000" */
static bool is_zero_weight(struct text parameters)
{
    struct text weight = text_trimmed(parameters);

    if (weight.length < 3 || (weight.bytes[0] | 0x20) != 'q' ||
        weight.bytes[1] != '=')
        return false;
    for (size_t i = 2; i < weight.length; i++)
        if (weight.bytes[i] != '0' && weight.bytes[i] != '.')
            return false;
    return true;
}

bool request_takes_coding(const struct handoff_request *request,
                          const char *coding)
{
    struct text list = request_header(request, "Accept-Encoding");
    struct text item, parameters;

    while (next_item(&list, &item, &parameters))
        if (text_is_word(item, coding))
            return !is_zero_weight(parameters);
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
