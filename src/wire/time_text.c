/* time_text.c -- wall time as people and JSON read it, always in UTC.
 *
 * The date is computed from the number of days (the usual proof: count years
 * from March, so that the leap day is the last of its year; 400 years have
 * 146,097 days). That is exact for every year, needs neither the time zone's
 * tables nor their lock, and costs a few divisions.
 *
 * Times outside the years 0000 to 9999 are shown as the nearest one inside: a
 * wrong time must not change the shape of what we send.
 */
#include <tidings/wire.h>

#include "put.h"

#define MS_PER_DAY   INT64_C(86400000)
#define FIRST_MS     INT64_C(-62167219200000) /* 0000-01-01T00:00:00.000 */
#define LAST_MS      INT64_C(253402300799999) /* 9999-12-31T23:59:59.999 */
#define DAYS_PER_ERA 146097                   /* 400 years */

struct moment {
    unsigned year, month, day, hour, minute, second, ms;
};

static void set_date(struct moment *moment, unsigned days)
{
    unsigned era = days / DAYS_PER_ERA;
    unsigned day_of_era = days % DAYS_PER_ERA;
    unsigned year_of_era = (day_of_era - day_of_era / 1460 +
                            day_of_era / 36524 - day_of_era / 146096) /
                           365;
    unsigned day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month_from_march = (5 * day_of_year + 2) / 153;

    moment->day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    moment->month =
        month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    moment->year = era * 400 + year_of_era + (moment->month <= 2);
}

static struct moment moment_of(int64_t wall_ms)
{
    struct moment moment;
    int64_t days;
    unsigned rest;

    if (wall_ms < FIRST_MS)
        wall_ms = FIRST_MS;
    if (wall_ms > LAST_MS)
        wall_ms = LAST_MS;

    /* Counted from an era before the year 0, so that nothing is negative. */
    days = (wall_ms - FIRST_MS) / MS_PER_DAY + DAYS_PER_ERA - 60;
    rest = (unsigned)((wall_ms - FIRST_MS) % MS_PER_DAY);
    set_date(&moment, (unsigned)days);
    moment.year -= 400;
    moment.ms = rest % 1000;
    moment.second = rest / 1000 % 60;
    moment.minute = rest / 60000 % 60;
    moment.hour = rest / 3600000;
    return moment;
}

static char *put_date_and_time(char *at, const struct moment *moment, char gap)
{
    at = put_digits(at, moment->year, 4);
    *at++ = '-';
    at = put_digits(at, moment->month, 2);
    *at++ = '-';
    at = put_digits(at, moment->day, 2);
    *at++ = gap;
    at = put_digits(at, moment->hour, 2);
    *at++ = ':';
    at = put_digits(at, moment->minute, 2);
    *at++ = ':';
    return put_digits(at, moment->second, 2);
}

void time_append_iso(struct buffer *out, int64_t wall_ms)
{
    struct moment moment = moment_of(wall_ms);
    char *start = buffer_reserve(out, sizeof "YYYY-mm-ddTHH:MM:SS.mmmZ");
    char *at = put_date_and_time(start, &moment, 'T');

    *at++ = '.';
    at = put_digits(at, moment.ms, 3);
    *at++ = 'Z';
    out->length += (size_t)(at - start);
}

void time_append_plain(struct buffer *out, int64_t wall_ms)
{
    struct moment moment = moment_of(wall_ms);
    char *start = buffer_reserve(out, sizeof "YYYY-mm-dd HH:MM:SS");
    char *at = put_date_and_time(start, &moment, ' ');

    out->length += (size_t)(at - start);
}
