/* members.c -- strict where JSON is not: a name may stand once.
 *
 * RFC 8259 leaves open what `{"exp":1,"exp":2}` means, and readers differ; who
 * checks a token must not read it otherwise than who made it. So all names of
 * the object are unescaped and compared, each with those before it; their
 * number is bounded, so that is a few thousand comparisons at most. Objects
 * inside are not looked into: nobody here reads them.
 */
#include "members.h"

#include <tidings/wire.h>

#include "base/seeded_bug.h"
#include "wire/json_object.h"

/* The names read so far, one behind the other. */
struct names {
    struct buffer bytes;
    size_t ends[MEMBERS_MAX];
    unsigned count;
};

static struct text name_at(const struct names *names, unsigned i)
{
    const size_t start = i > 0 ? names->ends[i - 1] : 0;

    return (struct text){names->bytes.bytes + start, names->ends[i] - start};
}

static enum status add_name(struct names *names, struct text raw,
                            const char **why_out)
{
    if (names->count == MEMBERS_MAX) {
        *why_out = "the object has more than 64 members";
        return ST_BAD_INPUT;
    }
    if (json_unescape(raw, &names->bytes) != ST_OK) {
        *why_out = "the name of a member is no text";
        return ST_BAD_INPUT;
    }
    names->ends[names->count++] = names->bytes.length;
    for (unsigned i = 0; i + 1 < names->count; i++) {
        if (text_equals(name_at(names, i), name_at(names, names->count - 1)) &&
            !seeded_bug("token-name-twice")) {
            *why_out = "the object has the same member twice";
            return ST_BAD_INPUT;
        }
    }
    return ST_OK;
}

static void put_where_wanted(const struct wanted *wanted, unsigned count,
                             struct text name, struct text value)
{
    for (unsigned i = 0; i < count; i++)
        if (text_is(name, wanted[i].name))
            *wanted[i].value_out = value;
}

enum status members_take(struct text object, const struct wanted *wanted,
                         unsigned count, const char **why_out)
{
    struct names names = {.count = 0};
    struct json_member member;
    enum status st = ST_OK;
    size_t cursor = 0;

    for (unsigned i = 0; i < count; i++)
        *wanted[i].value_out = (struct text){"", 0};
    if (!utf8_is_valid(object) || !json_is_valid(object) ||
        !json_is_object(object)) {
        *why_out = "it is no JSON object";
        return ST_BAD_INPUT;
    }
    buffer_init(&names.bytes);
    (void)buffer_reserve(&names.bytes, object.length);
    while (st == ST_OK && json_next_member(object, &cursor, &member)) {
        st = add_name(&names, member.name, why_out);
        if (st == ST_OK)
            put_where_wanted(wanted, count, name_at(&names, names.count - 1),
                             member.value);
    }
    buffer_fini(&names.bytes);
    return st;
}

bool member_string(struct text value, struct buffer *out)
{
    struct text inside;

    out->length = 0;
    return json_string_inside(value, &inside) &&
           json_unescape(inside, out) == ST_OK;
}

bool member_is(struct text value, const char *word)
{
    struct text inside;

    return json_string_inside(value, &inside) && json_name_is(inside, word);
}
