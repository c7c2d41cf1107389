/* names.c -- what a channel, an event type and a selector may be.
 *
 * A channel is tokens of [A-Za-z0-9_-] joined by dots: the same spelling works
 * as a NATS subject, in a path, in JSON and in an SSE line without any
 * escaping, and that is why no other spelling is let in anywhere. A selector
 * may say `*` for one token and, at its end, `>` for one or more.
 *
 * A type is free text, but it becomes one line of an event stream, so control
 * characters (C0, DEL and C1) are refused.
 */
#include <tidings/wire.h>

#include "base/seeded_bug.h"

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* The token that starts at `*cursor`; moves the cursor past its dot, or past
 * the end after the last one. False when there is none left. */
static bool next_token(struct text name, size_t *cursor, struct text *token_out)
{
    const char *start = name.bytes + *cursor;
    const char *dot;
    size_t left;

    if (*cursor > name.length)
        return false;
    left = name.length - *cursor;
    dot = left > 0 ? memchr(start, '.', left) : NULL;
    token_out->bytes = start;
    token_out->length = dot != NULL ? (size_t)(dot - start) : left;
    *cursor += token_out->length + 1;
    return true;
}

static bool token_is_plain(struct text token)
{
    size_t i;

    for (i = 0; i < token.length; i++)
        if (!is_name_char(token.bytes[i]))
            return false;
    return token.length > 0;
}

static bool length_is_right(struct text name)
{
    return name.length >= 1 && name.length <= EVENT_CHANNEL_MAX_BYTES;
}

bool channel_name_is_valid(struct text name)
{
    struct text token;
    size_t cursor = 0;

    if (!length_is_right(name))
        return false;
    while (next_token(name, &cursor, &token))
        if (!token_is_plain(token))
            return false;
    return true;
}

bool selector_is_valid(struct text selector)
{
    struct text token;
    size_t cursor = 0;

    if (!length_is_right(selector))
        return false;
    while (next_token(selector, &cursor, &token)) {
        bool is_last = cursor > selector.length;

        if (!token_is_plain(token) && !text_is(token, "*") &&
            !(is_last && text_is(token, ">")))
            return false;
    }
    return true;
}

bool selector_is_pattern(struct text selector)
{
    if (selector.length == 0)
        return false;
    return memchr(selector.bytes, '*', selector.length) != NULL ||
           selector.bytes[selector.length - 1] == '>';
}

bool selector_matches(struct text selector, struct text channel)
{
    struct text want, have;
    size_t want_at = 0, have_at = 0;

    while (next_token(selector, &want_at, &want)) {
        if (!next_token(channel, &have_at, &have))
            return false;
        if (text_is(want, ">"))
            return true; /* `have` and whatever follows it */
        if (!text_is(want, "*") && !text_equals(want, have))
            return false;
    }
    return have_at > channel.length;
}

/* Token by token: `>` covers whatever is left, a `*` any one token but `>`,
 * which may be many, and a plain token only itself, since `*` matches others
 * too. Nothing shorter or longer is covered. */
bool selector_covers(struct text right, struct text asked)
{
    struct text may, want;
    size_t may_at = 0, want_at = 0;

    while (next_token(right, &may_at, &may)) {
        if (!next_token(asked, &want_at, &want))
            return false;
        if (text_is(may, ">"))
            return true;
        if (text_is(want, ">"))
            return seeded_bug("right-star-covers-greater") && text_is(may, "*");
        if (!text_is(may, "*") && !text_equals(may, want))
            return false;
    }
    return want_at > asked.length;
}

bool list_next(struct text list, size_t *cursor, struct text *item_out)
{
    const char *comma;
    struct text item;

    if (*cursor >= list.length)
        return false;
    item = (struct text){list.bytes + *cursor, list.length - *cursor};
    comma = memchr(item.bytes, ',', item.length);
    if (comma != NULL)
        item.length = (size_t)(comma - item.bytes);
    *cursor += item.length + 1;
    while (item.length > 0 && item.bytes[0] == ' ') {
        item.bytes++;
        item.length--;
    }
    while (item.length > 0 && item.bytes[item.length - 1] == ' ')
        item.length--;
    *item_out = item;
    return true;
}

bool selector_list_is_valid(struct text list)
{
    struct text selector;
    size_t cursor = 0;

    while (list_next(list, &cursor, &selector))
        if (!selector_is_valid(selector))
            return false;
    return list.length == 0 || list.bytes[list.length - 1] != ',';
}

static bool has_control(struct text type)
{
    size_t i;

    for (i = 0; i < type.length; i++) {
        unsigned char c = (unsigned char)type.bytes[i];

        if (c < 0x20 || c == 0x7f)
            return true;
        if (c == 0xc2 && (unsigned char)type.bytes[i + 1] < 0xa0)
            return true; /* U+0080 to U+009F; UTF-8, so a byte follows */
    }
    return false;
}

bool event_type_is_valid(struct text type)
{
    return type.length <= EVENT_TYPE_MAX_BYTES && utf8_is_valid(type) &&
           (!has_control(type) || seeded_bug("type-with-controls"));
}

bool event_type_is_reserved(struct text type)
{
    static const char prefix[] = "tidings.";

    return type.length >= sizeof prefix - 1 &&
           memcmp(type.bytes, prefix, sizeof prefix - 1) == 0;
}
