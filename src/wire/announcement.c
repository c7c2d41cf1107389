/* announcement.c -- the scheduled shutdown in texts.
 *
 * The note is the last word of an operator and the schedule the rule: a time
 * shuts until then whatever the schedule says; "open" holds the schedule off
 * until then. A note whose time has passed says nothing, so one that was left
 * behind by a crash does no harm.
 */
#include <tidings/announcement.h>

#include "json_object.h"

#include <tidings/wire.h>

static const char open_word[] = "open ";

int64_t announcement_seconds(int64_t until_ms, int64_t now_ms)
{
    return until_ms <= now_ms ? 1 : (until_ms - now_ms + 999) / 1000;
}

void announcement_append_members(struct buffer *out, int64_t until_ms,
                                 int64_t now_ms)
{
    buffer_append_string(out, "\"action\":\"scheduled_shutdown\",\"until\":\"");
    time_append_plain(out, until_ms);
    buffer_append_string(out, " UTC\",\"until_secs\":");
    buffer_append_u64(out, (uint64_t)announcement_seconds(until_ms, now_ms));
}

static enum status wrong(const char *why, const char **why_out)
{
    *why_out = why;
    return ST_BAD_INPUT;
}

enum status announcement_check(int64_t until_ms, int64_t now_ms,
                               const char **why_out)
{
    if (until_ms <= now_ms)
        return wrong("that time has passed", why_out);
    if (until_ms - now_ms > ANNOUNCED_AHEAD_MAX_MS)
        return wrong("that is more than 31 days ahead", why_out);
    return ST_OK;
}

enum status announcement_read_order(struct text json, int64_t *until_ms_out,
                                    const char **why_out)
{
    struct text until = {NULL, 0}, inside;
    const struct json_wanted wanted[] = {{"until", &until}};

    if (!json_is_valid(json) ||
        json_take_apart(json, wanted, 1, why_out) != ST_OK)
        return wrong("the body is {\"until\":\"2014-03-02T22:00:00Z\"}",
                     why_out);
    if (!json_string_inside(until, &inside) ||
        !time_parse(inside, until_ms_out))
        return wrong("until is a time as RFC 3339 has it, such as "
                     "2014-03-02T22:00:00Z or 2014-03-02T23:00:00+01:00",
                     why_out);
    return ST_OK;
}

static struct text trimmed(struct text text)
{
    while (text.length > 0 && strchr(" \t\r\n", text.bytes[0]) != NULL) {
        text.bytes++;
        text.length--;
    }
    while (text.length > 0 &&
           strchr(" \t\r\n", text.bytes[text.length - 1]) != NULL)
        text.length--;
    return text;
}

enum status note_read(struct text text, struct note *note_out,
                      const char **why_out)
{
    size_t prefix = sizeof open_word - 1;
    struct note note = {0, 0};
    int64_t time_ms;
    bool is_open;

    text = trimmed(text);
    is_open =
        text.length > prefix && memcmp(text.bytes, open_word, prefix) == 0;
    if (is_open) {
        text.bytes += prefix;
        text.length -= prefix;
    }
    if (!time_parse(text, &time_ms))
        return wrong("its text is no time such as 2014-03-02T22:00:00Z or "
                     "2014-03-02 22:00:00 UTC",
                     why_out);
    *(is_open ? &note.open_until_ms : &note.shut_until_ms) = time_ms;
    *note_out = note;
    return ST_OK;
}

void note_append(struct buffer *out, const struct note *note)
{
    if (note->open_until_ms != 0)
        buffer_append_string(out, open_word);
    time_append_iso(out, note->open_until_ms != 0 ? note->open_until_ms
                                                  : note->shut_until_ms);
    buffer_append_char(out, '\n');
}

bool note_is_over(const struct note *note, int64_t now_ms)
{
    return note->shut_until_ms <= now_ms && note->open_until_ms <= now_ms;
}

int64_t note_shutdown_until(const struct note *note,
                            const struct schedule *schedule, int64_t now_ms)
{
    int64_t until_ms = 0;

    if (note->open_until_ms > now_ms)
        return 0;
    if (note->shut_until_ms > now_ms) {
        until_ms = note->shut_until_ms;
        (void)schedule_covers(schedule, until_ms, &until_ms);
        return until_ms;
    }
    (void)schedule_covers(schedule, now_ms, &until_ms);
    return until_ms;
}

struct note note_cancelled(const struct schedule *schedule, int64_t now_ms)
{
    struct note note = {0, 0};

    (void)schedule_covers(schedule, now_ms, &note.open_until_ms);
    return note;
}
