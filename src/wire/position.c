/* position.c -- how far a client has read, in the forms that clients send.
 *
 * A position is our own id, a unix time (in milliseconds as digits, in seconds
 * behind `rt-`), a word, a count from the end, or an object with one position
 * for each channel. Ids and times in milliseconds are both plain digits: what
 * tells them apart is the range, since an id is never in [10^11, 10^14) (1973
 * to 5138).
 *
 * The grammar is exact and everything else is refused with a sentence. A client
 * whose position we misread would silently lose events or get them twice; one
 * that is told can be mended.
 *
 * A time is cut to whole milliseconds, never rounded up: events after it have a
 * time that is greater, so cutting can only give the client what it asked for.
 */
#include <tidings/check.h>
#include <tidings/wire.h>

#include "json_object.h"

#define NUMBER_MAX       UINT64_C(9007199254740991) /* 2^53 - 1 */
#define NUMBER_DIGITS    16
#define TIME_MIN         UINT64_C(100000000000)    /* 10^11 */
#define TIME_END         UINT64_C(100000000000000) /* 10^14 */
#define SECONDS_MAX      (NUMBER_MAX / 1000 - 1)
#define DECIMALS_MAX     9
#define LAST_MAX         10000
#define JSON_MAX_BYTES   2048
#define JSON_MEMBERS_MAX (JSON_MAX_BYTES / sizeof "'a':1") /* and a comma */

/* clang-format off */
static const char why_form[] =
    "a position is digits, rt-SECONDS, last-COUNT, earliest, latest, "
    "or a JSON object of channels and ids";
static const char why_big[] =
    "a position is at most 9007199254740991";
static const char why_seconds[] =
    "behind rt- come unix seconds, with up to 9 decimals behind a dot";
static const char why_last[] =
    "behind last- comes a count from 1 to 10000";
static const char why_json[] =
    "a position that starts with { must be a JSON object";
static const char why_json_long[] =
    "a JSON position is at most 2048 bytes long";
static const char why_json_name[] =
    "each name in a JSON position must be a channel";
static const char why_json_value[] =
    "each value in a JSON position must be an integer or a string of digits";
static const char why_json_twice[] =
    "a channel appears twice in the JSON position";
/* clang-format on */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_all_digits(struct text text)
{
    size_t i;

    for (i = 0; i < text.length; i++)
        if (!is_digit(text.bytes[i]))
            return false;
    return text.length > 0;
}

/* `text` is all digits. False: greater than 2^53 - 1. */
static bool read_number(struct text text, uint64_t *number_out)
{
    uint64_t number = 0;
    size_t i;

    if (text.length > NUMBER_DIGITS)
        return false;
    for (i = 0; i < text.length; i++)
        number = number * 10 + (uint64_t)(text.bytes[i] - '0');
    if (number > NUMBER_MAX)
        return false;
    *number_out = number;
    return true;
}

static bool starts_with(struct text text, const char *prefix,
                        struct text *rest_out)
{
    size_t length = strlen(prefix);

    if (text.length < length || memcmp(text.bytes, prefix, length) != 0)
        return false;
    rest_out->bytes = text.bytes + length;
    rest_out->length = text.length - length;
    return true;
}

static enum status parse_digits(struct text text, struct position *position,
                                const char **why_out)
{
    uint64_t number;

    if (!read_number(text, &number)) {
        *why_out = why_big;
        return ST_BAD_INPUT;
    }
    position->number = number;
    position->kind =
        number >= TIME_MIN && number < TIME_END ? POSITION_TIME : POSITION_ID;
    return ST_OK;
}

/* The first three of the decimals as milliseconds. */
static uint64_t decimals_as_ms(struct text decimals)
{
    uint64_t ms = 0;
    size_t i;

    for (i = 0; i < 3; i++)
        ms = ms * 10 +
             (i < decimals.length ? (uint64_t)(decimals.bytes[i] - '0') : 0);
    return ms;
}

static enum status parse_seconds(struct text text, struct position *position,
                                 const char **why_out)
{
    struct text whole = text, decimals = {NULL, 0};
    const char *dot =
        text.length > 0 ? memchr(text.bytes, '.', text.length) : NULL;
    uint64_t seconds = 0;
    bool is_good = true;

    if (dot != NULL) {
        whole.length = (size_t)(dot - text.bytes);
        decimals.bytes = dot + 1;
        decimals.length = text.length - whole.length - 1;
        is_good = is_all_digits(decimals) && decimals.length <= DECIMALS_MAX;
    }
    if (!is_good || !is_all_digits(whole) || !read_number(whole, &seconds) ||
        seconds > SECONDS_MAX) {
        *why_out = why_seconds;
        return ST_BAD_INPUT;
    }
    position->kind = POSITION_TIME;
    position->number = seconds * 1000 + decimals_as_ms(decimals);
    return ST_OK;
}

static enum status parse_last(struct text text, struct position *position,
                              const char **why_out)
{
    uint64_t count = 0;

    if (!is_all_digits(text) || !read_number(text, &count) || count < 1 ||
        count > LAST_MAX) {
        *why_out = why_last;
        return ST_BAD_INPUT;
    }
    position->kind = POSITION_LAST;
    position->number = count;
    return ST_OK;
}

/* An integer as it stands, or a string of digits. */
static bool read_value(struct text value, struct position *position)
{
    const char *ignored;

    (void)json_string_inside(value, &value);
    return is_all_digits(value) &&
           parse_digits(value, position, &ignored) == ST_OK;
}

static bool contains(const struct text *names, unsigned count, struct text name)
{
    unsigned i;

    for (i = 0; i < count; i++)
        if (text_equals(names[i], name))
            return true;
    return false;
}

/* The sentence for what is wrong with it; NULL: nothing. */
static const char *fault_of_channels(struct text text)
{
    struct text names[JSON_MEMBERS_MAX];
    struct json_member member;
    struct position ignored;
    unsigned count = 0;
    size_t cursor = 0;

    if (text.length > JSON_MAX_BYTES)
        return why_json_long;
    if (!json_is_valid(text))
        return why_json;
    while (json_next_member(text, &cursor, &member)) {
        if (!channel_name_is_valid(member.name))
            return why_json_name;
        if (!read_value(member.value, &ignored))
            return why_json_value;
        if (contains(names, count, member.name))
            return why_json_twice;
        CHECK(count < JSON_MEMBERS_MAX);
        names[count++] = member.name;
    }
    return NULL;
}

static enum status parse_channels(struct text text, struct position *position,
                                  const char **why_out)
{
    const char *why = fault_of_channels(text);

    if (why != NULL) {
        *why_out = why;
        return ST_BAD_INPUT;
    }
    position->kind = POSITION_CHANNELS;
    position->json = text;
    return ST_OK;
}

enum status position_parse(struct text text, struct position *position_out,
                           const char **why_out)
{
    struct position position = {POSITION_LATEST, 0, {NULL, 0}};
    enum status st = ST_OK;
    struct text rest;

    if (text.length == 0 || text_is(text, "latest")) {
        position.kind = POSITION_LATEST;
    } else if (text_is(text, "earliest")) {
        position.kind = POSITION_EARLIEST;
    } else if (is_all_digits(text)) {
        st = parse_digits(text, &position, why_out);
    } else if (starts_with(text, "rt-", &rest)) {
        st = parse_seconds(rest, &position, why_out);
    } else if (starts_with(text, "last-", &rest)) {
        st = parse_last(rest, &position, why_out);
    } else if (text.bytes[0] == '{') {
        st = parse_channels(text, &position, why_out);
    } else {
        *why_out = why_form;
        st = ST_BAD_INPUT;
    }
    if (st == ST_OK)
        *position_out = position;
    return st;
}

bool position_next_channel(struct text json, size_t *cursor,
                           struct text *channel_out,
                           struct position *position_out)
{
    struct position position = {POSITION_ID, 0, {NULL, 0}};
    struct json_member member;

    if (!json_next_member(json, cursor, &member) ||
        !read_value(member.value, &position))
        return false;
    *channel_out = member.name;
    *position_out = position;
    return true;
}
