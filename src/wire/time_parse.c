/* time_parse.c -- an instant out of a text that says its offset.
 *
 *     2014-03-02T22:00:00Z          RFC 3339, Z or an offset, with or without
 *     2014-03-02T23:00:00.5+01:00   a fraction, a blank for the T
 *     2014-03-02 22:00:00 UTC       as announcements show it
 *
 * Without an offset a text says no instant and is not taken.
 */
#include <tidings/wire.h>

#include "civil.h"

enum { FRACTION_DIGITS_MAX = 9 };

/* The first three digits count, the rest only has to be digits. */
static bool take_fraction(struct text *rest, int64_t *ms_out)
{
    unsigned digit, count = 0;
    int64_t ms = 0;

    *ms_out = 0;
    if (!civil_take_char(rest, '.'))
        return true;
    while (count < FRACTION_DIGITS_MAX && civil_take_digits(rest, 1, &digit))
        if (count++ < 3)
            ms = ms * 10 + digit;
    for (unsigned i = count; i < 3; i++)
        ms *= 10;
    *ms_out = ms;
    return count > 0;
}

static bool take_offset(struct text *rest, int64_t *seconds_out)
{
    unsigned hours, minutes;
    bool is_east;

    *seconds_out = 0;
    if (civil_take_char(rest, 'Z') || civil_take_char(rest, 'z'))
        return true;
    if (text_is(*rest, " UTC")) {
        rest->length = 0;
        return true;
    }
    is_east = civil_take_char(rest, '+');
    if (!is_east && !civil_take_char(rest, '-'))
        return false;
    if (!civil_take_digits(rest, 2, &hours) || !civil_take_char(rest, ':') ||
        !civil_take_digits(rest, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *seconds_out = (int64_t)(hours * 3600 + minutes * 60) * (is_east ? 1 : -1);
    return true;
}

bool time_parse(struct text text, int64_t *wall_ms_out)
{
    int64_t date, time, ms, offset;

    if (!civil_take_date(&text, &date) ||
        !(civil_take_char(&text, 'T') || civil_take_char(&text, 't') ||
          civil_take_char(&text, ' ')) ||
        !civil_take_time(&text, true, false, &time) ||
        !take_fraction(&text, &ms) || !take_offset(&text, &offset) ||
        text.length > 0)
        return false;
    *wall_ms_out = (date + time - offset) * 1000 + ms;
    return true;
}
