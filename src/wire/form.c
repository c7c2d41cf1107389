/* form.c -- names and values of a query or of a form's body.
 *
 * The text is pairs joined by `&`. Empty pairs (a trailing `&`, a bare `?`)
 * mean nothing, a name without `=` has an empty value, and a name may come
 * repeatedly. Names are compared after decoding, without copying them.
 *
 * A value with a bad escape or a NUL is reported as bad instead of being passed
 * over: taking the next name that a client can use for the same thing would
 * hide its mistake.
 */
#include <tidings/wire.h>

#include "hex.h"

/* One decoded character from `*at`, which moves behind it; -1: a bad escape. */
static int next_character(const char **at, const char *end, bool is_form)
{
    const char *here = *at;
    int high, low;

    *at = here + 1;
    if (*here == '+' && is_form)
        return ' ';
    if (*here != '%')
        return (unsigned char)*here;
    if (end - here < 3)
        return -1;
    high = hex_value(here[1]);
    low = hex_value(here[2]);
    if (high < 0 || low < 0)
        return -1;
    *at = here + 3;
    return high << 4 | low;
}

static bool decode(struct text coded, bool is_form, struct buffer *out)
{
    const char *at = coded.bytes;
    const char *end = coded.length > 0 ? coded.bytes + coded.length : at;
    char *start = buffer_reserve(out, coded.length);
    char *to = start;

    while (at < end) {
        int c = next_character(&at, end, is_form);

        if (c <= 0)
            return false; /* `out->length` is as it was */
        *to++ = (char)c;
    }
    out->length += (size_t)(to - start);
    return true;
}

static bool name_equals(struct text coded, const char *name)
{
    const char *at = coded.bytes;
    const char *end = coded.bytes + coded.length;

    while (at < end) {
        int c = next_character(&at, end, true);

        if (c <= 0 || *name == '\0' || (unsigned char)*name != c)
            return false;
        name++;
    }
    return *name == '\0';
}

/* The pair at `*cursor`, which moves behind its `&`. */
static void next_pair(struct text form, size_t *cursor, struct text *name_out,
                      struct text *value_out)
{
    const char *start = form.bytes + *cursor;
    size_t length = form.length - *cursor;
    const char *ampersand = memchr(start, '&', length);
    const char *equals;

    if (ampersand != NULL)
        length = (size_t)(ampersand - start);
    *cursor += length + (ampersand != NULL);

    equals = length > 0 ? memchr(start, '=', length) : NULL;
    name_out->bytes = start;
    name_out->length = equals != NULL ? (size_t)(equals - start) : length;
    value_out->bytes = equals != NULL ? equals + 1 : start + length;
    value_out->length = (size_t)(start + length - value_out->bytes);
}

bool form_find(struct text form, const char *name, size_t *cursor,
               struct buffer *value_out, bool *is_bad_out)
{
    struct text coded_name, coded_value;

    while (*cursor < form.length) {
        next_pair(form, cursor, &coded_name, &coded_value);
        if (coded_name.length == 0 || !name_equals(coded_name, name))
            continue;
        if (!decode(coded_value, true, value_out))
            *is_bad_out = true;
        return true;
    }
    return false;
}

bool percent_decode(struct text segment, struct buffer *out)
{
    return decode(segment, false, out);
}
