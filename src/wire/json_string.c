/* json_string.c -- what a JSON string's escapes mean.
 *
 * The short escapes are a table. \u escapes are UTF-16: two of them may be one
 * character, and half of such a pair is none. We store UTF-8, which cannot hold
 * a half, so that is refused instead of being replaced: an event must not
 * arrive as something that nobody published.
 *
 * Unescaping never makes a text longer (6 bytes become at most 3, 12 become 4);
 * so one reserve is enough, and views into the buffer that were taken before
 * stay valid if room for all was reserved at first.
 */
#include "json_string.h"

#include <tidings/wire.h>

#include "hex.h"
#include "put.h"

struct escape_row {
    char letter;
    char meaning;
};

/* clang-format off */
static const struct escape_row escape_rows[] = {
    {'"', '"'},  {'\\', '\\'}, {'/', '/'},  {'b', '\b'},
    {'f', '\f'}, {'n', '\n'},  {'r', '\r'}, {'t', '\t'},
};
/* clang-format on */

#define ESCAPE_ROWS (sizeof escape_rows / sizeof escape_rows[0])

char json_short_escape(char letter)
{
    size_t i;

    for (i = 0; i < ESCAPE_ROWS; i++)
        if (escape_rows[i].letter == letter)
            return escape_rows[i].meaning;
    return 0;
}

bool json_hex4(const char *at, const char *end, unsigned *code_out)
{
    unsigned code = 0;
    int i;

    if (end - at < 4)
        return false;
    for (i = 0; i < 4; i++) {
        int value = hex_value(at[i]);

        if (value < 0)
            return false;
        code = code << 4 | (unsigned)value;
    }
    *code_out = code;
    return true;
}

static char *put_utf8(char *at, unsigned code)
{
    if (code < 0x80) {
        *at++ = (char)code;
    } else if (code < 0x800) {
        *at++ = (char)(0xc0 | code >> 6);
        *at++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *at++ = (char)(0xe0 | code >> 12);
        *at++ = (char)(0x80 | (code >> 6 & 0x3f));
        *at++ = (char)(0x80 | (code & 0x3f));
    } else {
        *at++ = (char)(0xf0 | code >> 18);
        *at++ = (char)(0x80 | (code >> 12 & 0x3f));
        *at++ = (char)(0x80 | (code >> 6 & 0x3f));
        *at++ = (char)(0x80 | (code & 0x3f));
    }
    return at;
}

/* The character of the digits at `*at` (behind \u), with the second half of a
 * pair; moves `*at` behind it. False for half a pair. */
static bool read_character(const char **at, const char *end, unsigned *code_out)
{
    unsigned code, low;

    if (!json_hex4(*at, end, &code))
        return false;
    *at += 4;
    if (code >= 0xd800 && code <= 0xdbff) {
        if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u' ||
            !json_hex4(*at + 2, end, &low) || low < 0xdc00 || low > 0xdfff)
            return false;
        *at += 6;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code <= 0xdfff) {
        return false;
    }
    *code_out = code;
    return true;
}

/* One escape, behind its backslash. NULL: it is none. */
static char *put_meaning(char *to, const char **at, const char *end)
{
    unsigned code;
    char letter, meaning;

    if (*at == end)
        return NULL;
    letter = *(*at)++;
    if (letter == 'u')
        return read_character(at, end, &code) ? put_utf8(to, code) : NULL;
    meaning = json_short_escape(letter);
    if (meaning == 0)
        return NULL;
    *to++ = meaning;
    return to;
}

enum status json_unescape(struct text raw, struct buffer *out)
{
    const char *at = raw.bytes;
    const char *end;
    char *start, *to;

    if (raw.length == 0)
        return ST_OK;
    end = raw.bytes + raw.length;
    start = to = buffer_reserve(out, raw.length);
    while (at < end) {
        const char *backslash = memchr(at, '\\', (size_t)(end - at));

        if (backslash == NULL)
            backslash = end;
        to = put_bytes(to, at, (size_t)(backslash - at));
        if (backslash == end)
            break;
        at = backslash + 1;
        to = put_meaning(to, &at, end);
        if (to == NULL)
            return ST_BAD_INPUT; /* `out->length` is as it was */
    }
    out->length += (size_t)(to - start);
    return ST_OK;
}
