/* logger.c -- one line per thing, and no stranger's byte can make it two.
 *
 * A line is built in an array on the stack and given to standard error in one
 * fwrite: that stream has no buffer, so this is one write to the system, and
 * lines of several threads do not mix.
 *
 *   time=2026-01-02T03:04:05.678Z level=info chapter=journal what="opened"
 * ids=9
 *   {"time":"...","level":"info","chapter":"journal","what":"opened","ids":9}
 *
 * Text is written in quotes when it has anything but harmless characters in it.
 * Quotes, backslashes, controls (C1 too) and bytes that are no UTF-8 are
 * escaped as \uXXXX, in both forms, so a value can end neither its field nor
 * the line.
 *
 * Every field leaves room for what must come after it. What does not fit is cut
 * and the cut is shown by three dots; a line is always closed properly.
 */
#include <tidings/clock.h>
#include <tidings/logger.h>

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "seeded_bug.h"

#define LINE_BYTES 2048
#define LINE_ROOM  (LINE_BYTES - 8) /* dots, quote, brace, line feed */

static enum log_level least_level = LOG_INFO; /* fixed before threads start */
static bool writes_json;                      /* fixed before threads start */

static const char *const level_name[] = {
#define LEVEL(name, text) text,
    LOG_LEVELS(LEVEL)
#undef LEVEL
};

struct line {
    size_t length;
    bool is_cut;
    char bytes[LINE_BYTES];
};

void logger_init(enum log_level least, bool is_json)
{
    least_level = least;
    writes_json = is_json;
}

/* All or nothing of `length` bytes. */
static void add(struct line *line, const char *bytes, size_t length)
{
    if (line->is_cut || line->length + length > LINE_ROOM) {
        line->is_cut = true;
        return;
    }
    memcpy(line->bytes + line->length, bytes, length);
    line->length += length;
}

static void add_string(struct line *line, const char *string)
{
    add(line, string, strlen(string));
}

/* What is added when a line was cut, or always: there is room kept for it. */
static void close_with(struct line *line, const char *string)
{
    const size_t length = strlen(string);

    memcpy(line->bytes + line->length, string, length);
    line->length += length;
}

/* Is the character of `length` bytes, whose first byte is right, no UTF-8 (too
 * long, a surrogate, past the last) or a control or line end in disguise? */
static bool is_hostile(const unsigned char *at, size_t length)
{
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return true;
    switch (at[0]) {
    case 0xc2: /* C1 controls */
    case 0xe0:
        return at[1] < 0xa0;
    case 0xe2: /* line and paragraph separator */
        return at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9);
    case 0xed:
        return at[1] > 0x9f;
    case 0xf0:
        return at[1] < 0x90;
    case 0xf4:
        return at[1] > 0x8f;
    default:
        return false;
    }
}

/* Bytes of the UTF-8 character at the start that may be shown; 0: escape it. */
static size_t shown_bytes(const unsigned char *at, size_t left)
{
    size_t length;

    if (seeded_bug("log-unescaped"))
        return 1;
    if (at[0] < 0x80)
        return at[0] >= 0x20 && at[0] != 0x7f && at[0] != '"' && at[0] != '\\';
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    length = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    return left < length || is_hostile(at, length) ? 0 : length;
}

static void add_escaped(struct line *line, struct text text)
{
    size_t i = 0;

    while (i < text.length && !line->is_cut) {
        const unsigned char *at = (const unsigned char *)text.bytes + i;
        const size_t shown = shown_bytes(at, text.length - i);

        if (shown > 0) {
            add(line, text.bytes + i, shown);
            i += shown;
        } else {
            char escape[8];
            snprintf(escape, sizeof escape, "\\u%04x", at[0]);
            add(line, escape, 6);
            i += 1;
        }
    }
}

static bool needs_quotes(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        const unsigned char c = (unsigned char)text.bytes[i];

        if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '=')
            return true;
    }
    return text.length == 0;
}

static void add_value(struct line *line, struct text text)
{
    const bool quoted = writes_json || needs_quotes(text);

    if (quoted)
        add(line, "\"", 1);
    if (line->is_cut)
        return;
    add_escaped(line, text);
    if (line->is_cut)
        close_with(line, "...");
    if (quoted)
        close_with(line, "\"");
}

static void add_key(struct line *line, const char *key)
{
    char opening[80];
    const char *format = writes_json ? ",\"%.60s\":" : " %.60s=";

    if (line->length == 0)
        format = writes_json ? "{\"%.60s\":" : "%.60s=";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* four literals above */
    snprintf(opening, sizeof opening, format, key);
#pragma GCC diagnostic pop
    add_string(line, opening);
}

static void add_field(struct line *line, const struct log_field *field)
{
    const size_t before = line->length;
    char digits[24];

    if (line->is_cut)
        return;
    add_key(line, field->key);
    if (line->is_cut)
        return;
    if (field->kind == LOG_TEXT) {
        add_value(line, field->text);
        if (line->is_cut && line->bytes[line->length - 1] != '"' &&
            line->bytes[line->length - 1] != '.')
            line->length = before; /* not even the quote had room */
        return;
    }
    snprintf(digits, sizeof digits, "%" PRId64, field->number);
    add_string(line, digits);
    if (line->is_cut)
        line->length = before;
}

static void add_time(struct line *line)
{
    const int64_t now_ms = clock_wall_ms(&system_clock);
    const time_t seconds = (time_t)(now_ms / 1000);
    struct tm parts;
    char text[40];
    size_t length;

    if (gmtime_r(&seconds, &parts) == NULL)
        return;
    length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + length, sizeof text - length, ".%03dZ",
             (int)(now_ms % 1000));
    add_field(line, &LOG_STR("time", text));
}

void logger_write(enum log_level level, const char *chapter, const char *what,
                  unsigned field_count, const struct log_field *fields)
{
    struct line line;

    if (level < least_level)
        return;
    line.length = 0;
    line.is_cut = false;
    add_time(&line);
    add_field(&line, &LOG_STR("level", level_name[level]));
    add_field(&line, &LOG_STR("chapter", chapter));
    add_field(&line, &LOG_STR("what", what));
    for (unsigned i = 0; i < field_count; i++)
        add_field(&line, &fields[i]);
    if (writes_json)
        close_with(&line, "}");
    close_with(&line, "\n");
    (void)fwrite(line.bytes, 1, line.length, stderr);
}

bool logger_may(struct log_limit *limit, int64_t now_ms,
                uint64_t *suppressed_out)
{
    if (limit->next_ms != 0 && now_ms < limit->next_ms) {
        limit->suppressed += 1;
        return false;
    }
    *suppressed_out = limit->suppressed;
    limit->suppressed = 0;
    limit->next_ms = now_ms + 1000;
    return true;
}
