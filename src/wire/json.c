/* json.c -- is it JSON, and text as a JSON string.
 *
 * The check is RFC 8259 to the letter and nothing more lenient: what passes
 * goes unchanged into answers that browsers hand to JSON.parse, and jsmn, which
 * takes objects apart elsewhere (json_object.c), accepts much that is no JSON.
 *
 * It is a loop with two steps, not a recursion: a value is due, or a value is
 * done. Which container is open at each depth is one bit of a 64-bit word, and
 * that word is also why the depth ends at 64. So no input, however nested, can
 * use up the stack, and the check allocates nothing.
 *
 * Data that is no JSON goes out as a JSON string. Beside what the RFC wants,
 * U+2028, U+2029, <, > and & are escaped, so that the text may also stand
 * inside a script element or an old browser's eval.
 */
#include <tidings/wire.h>

#include "json_string.h"
#include "put.h"

#define DEPTH_MAX 64

struct scan {
    const char *at, *end;
    uint64_t objects; /* bit 0: the innermost container is an object */
    unsigned depth;
};

enum step { STEP_VALUE_DUE, STEP_VALUE_DONE, STEP_BAD };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' ||
                                    *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

/* Takes `c` if it is next. */
static bool take(struct scan *scan, char c)
{
    if (scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

static bool take_escape(struct scan *scan)
{
    unsigned ignored;

    if (scan->at == scan->end)
        return false;
    if (*scan->at != 'u')
        return json_short_escape(*scan->at++) != 0;
    scan->at++;
    if (!json_hex4(scan->at, scan->end, &ignored))
        return false;
    scan->at += 4;
    return true;
}

static bool take_string(struct scan *scan)
{
    if (!take(scan, '"'))
        return false;
    while (scan->at < scan->end) {
        unsigned char c = (unsigned char)*scan->at++;

        if (c == '"')
            return true;
        if (c < 0x20)
            return false;
        if (c == '\\' && !take_escape(scan))
            return false;
    }
    return false;
}

static bool take_digits(struct scan *scan)
{
    const char *start = scan->at;

    while (scan->at < scan->end && is_digit(*scan->at))
        scan->at++;
    return scan->at > start;
}

static bool take_number(struct scan *scan)
{
    (void)take(scan, '-');
    if (!take(scan, '0') && !take_digits(scan))
        return false;
    if (take(scan, '.') && !take_digits(scan))
        return false;
    if (take(scan, 'e') || take(scan, 'E')) {
        if (!take(scan, '+'))
            (void)take(scan, '-');
        return take_digits(scan);
    }
    return true;
}

static bool take_word(struct scan *scan, const char *word, size_t length)
{
    if ((size_t)(scan->end - scan->at) < length ||
        memcmp(scan->at, word, length) != 0)
        return false;
    scan->at += length;
    return true;
}

static bool take_name_and_colon(struct scan *scan)
{
    skip_space(scan);
    if (!take_string(scan))
        return false;
    skip_space(scan);
    return take(scan, ':');
}

static enum step open_container(struct scan *scan, bool is_object)
{
    if (scan->depth == DEPTH_MAX)
        return STEP_BAD;
    scan->at++;
    skip_space(scan);
    if (take(scan, is_object ? '}' : ']'))
        return STEP_VALUE_DONE; /* opened and closed */
    scan->depth++;
    scan->objects = scan->objects << 1 | is_object;
    if (is_object && !take_name_and_colon(scan))
        return STEP_BAD;
    return STEP_VALUE_DUE;
}

static enum step begin_value(struct scan *scan)
{
    bool is_good;

    skip_space(scan);
    if (scan->at == scan->end)
        return STEP_BAD;
    switch (*scan->at) {
    case '{':
        return open_container(scan, true);
    case '[':
        return open_container(scan, false);
    case '"':
        is_good = take_string(scan);
        break;
    case 't':
        is_good = take_word(scan, "true", 4);
        break;
    case 'f':
        is_good = take_word(scan, "false", 5);
        break;
    case 'n':
        is_good = take_word(scan, "null", 4);
        break;
    default:
        is_good = take_number(scan);
        break;
    }
    return is_good ? STEP_VALUE_DONE : STEP_BAD;
}

/* A comma and, in an object, the next name; or the container's end. */
static enum step go_on_after_value(struct scan *scan)
{
    bool is_in_object = (scan->objects & 1) != 0;

    skip_space(scan);
    if (take(scan, ',')) {
        if (is_in_object && !take_name_and_colon(scan))
            return STEP_BAD;
        return STEP_VALUE_DUE;
    }
    if (!take(scan, is_in_object ? '}' : ']'))
        return STEP_BAD;
    scan->depth--;
    scan->objects >>= 1;
    return STEP_VALUE_DONE;
}

bool json_is_valid(struct text text)
{
    struct scan scan = {text.bytes, text.bytes, 0, 0};
    enum step step = STEP_VALUE_DUE;

    if (text.length == 0)
        return false;
    scan.end = text.bytes + text.length;
    while (step != STEP_BAD) {
        if (step == STEP_VALUE_DUE)
            step = begin_value(&scan);
        else if (scan.depth > 0)
            step = go_on_after_value(&scan);
        else
            break;
    }
    if (step == STEP_BAD)
        return false;
    skip_space(&scan);
    return scan.at == scan.end && utf8_is_valid(text);
}

/* ---- writing ------------------------------------------------------------- */

#define LONG_ESCAPE_BYTES 6 /* \u001f */
#define BY_CODE           'u'
#define PERHAPS           '?' /* the first of three bytes that may be U+2028 */

/* What a byte becomes behind a backslash: a letter, \u and its code; 0: itself.
 */
/* clang-format off */
static const char escapes[256] = {
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', /* the controls, 00 to 1f */
    'b', 't', 'n', 'u', 'f', 'r', 'u', 'u',
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
    ['"'] = '"',  ['\\'] = '\\', [0x7f] = BY_CODE,
    ['<'] = BY_CODE, ['>'] = BY_CODE, ['&'] = BY_CODE,
    [0xe2] = PERHAPS,
};
/* clang-format on */

static char escape_of(char c)
{
    return escapes[(unsigned char)c];
}

static char *put_code(char *at, unsigned code)
{
    static const char digits[] = "0123456789abcdef";

    at = PUT_LITERAL(at, "\\u");
    *at++ = digits[code >> 12 & 15];
    *at++ = digits[code >> 8 & 15];
    *at++ = digits[code >> 4 & 15];
    *at++ = digits[code & 15];
    return at;
}

/* U+2028 or U+2029 here? Its bytes differ from others' only in the last. */
static bool is_line_separator(const char *at, const char *end)
{
    return end - at >= 3 && memcmp(at, "\xe2\x80", 2) == 0 &&
           ((unsigned char)at[2] & 0xfe) == 0xa8;
}

/* The character at `*at`, which is not plain; moves `*at` behind it. */
static char *put_escaped(char *to, const char **at, const char *end)
{
    unsigned char c = (unsigned char)**at;
    char escape = escapes[c];

    if (escape == PERHAPS && is_line_separator(*at, end)) {
        to = put_code(to, 0x2000u | ((unsigned char)(*at)[2] & 0x7fu));
        *at += 3;
        return to;
    }
    *at += 1;
    if (escape == PERHAPS) {
        *to++ = (char)c;
        return to;
    }
    if (escape == BY_CODE)
        return put_code(to, c);
    *to++ = '\\';
    *to++ = escape;
    return to;
}

/* With its quotes, and as if every escape were of the long kind. */
static size_t escaped_most_bytes(struct text text)
{
    size_t escape_count = 0;
    size_t i;

    for (i = 0; i < text.length; i++)
        escape_count += escape_of(text.bytes[i]) != 0;
    return text.length + escape_count * (LONG_ESCAPE_BYTES - 1) + 2;
}

void json_append_string(struct buffer *out, struct text text)
{
    char *start = buffer_reserve(out, escaped_most_bytes(text));
    char *to = start;
    const char *at = text.bytes;
    const char *end = text.length > 0 ? text.bytes + text.length : at;

    *to++ = '"';
    while (at < end) {
        const char *plain = at;

        while (at < end && escape_of(*at) == 0)
            at++;
        to = put_bytes(to, plain, (size_t)(at - plain));
        if (at < end)
            to = put_escaped(to, &at, end);
    }
    *to++ = '"';
    out->length += (size_t)(to - start);
}

static void replace_all(char *bytes, size_t length, char old, char new)
{
    char *end = bytes + length;

    while ((bytes = memchr(bytes, old, (size_t)(end - bytes))) != NULL)
        *bytes++ = new;
}

void json_append_data(struct buffer *out, struct text text)
{
    char *start;

    if (!json_is_valid(text)) {
        json_append_string(out, text);
        return;
    }
    /* In valid JSON a line break can only be between tokens. */
    start = buffer_reserve(out, text.length);
    memcpy(start, text.bytes, text.length);
    replace_all(start, text.length, '\n', ' ');
    replace_all(start, text.length, '\r', ' ');
    out->length += text.length;
}
