/* zone.c -- from the clock on the wall to the instant, by asking only for the
 * way back.
 *
 * localtime_r says without doubt what the clock shows at an instant; mktime has
 * to guess when a time exists twice or never, and systems guess differently. So
 * the two candidates are made with the zone's offset a day before and a day
 * after, and each is asked whether the clock really shows it then. If neither
 * does, the clock jumps over it: between the two days "shows at least this" is
 * false up to the jump and true from it on, and the jump is found by halving.
 *
 * That holds while a zone changes at most once in two days, as all do.
 */
#include "zone.h"

#include "civil.h"

#include <tidings/check.h>

#include <time.h>

int64_t zone_civil(int64_t unix_s)
{
    time_t instant = (time_t)unix_s;
    struct tm shown;

    CHECK(localtime_r(&instant, &shown) != NULL);
    return civil_days(shown.tm_year + INT64_C(1900), (unsigned)shown.tm_mon + 1,
                      (unsigned)shown.tm_mday) *
               DAY_S +
           (int64_t)shown.tm_hour * 3600 + (int64_t)shown.tm_min * 60 +
           shown.tm_sec;
}

static int64_t offset_at(int64_t unix_s)
{
    return zone_civil(unix_s) - unix_s;
}

static int64_t find_jump(int64_t before, int64_t after, int64_t civil_s)
{
    while (after - before > 1) {
        int64_t middle = before + (after - before) / 2;

        if (zone_civil(middle) < civil_s)
            before = middle;
        else
            after = middle;
    }
    return after;
}

static int64_t find(int64_t civil_s, bool wants_last)
{
    int64_t near = civil_s - offset_at(civil_s);
    int64_t before = near - DAY_S, after = near + DAY_S;
    int64_t early = civil_s - offset_at(before);
    int64_t late = civil_s - offset_at(after);
    bool is_early = zone_civil(early) == civil_s;
    bool is_late = zone_civil(late) == civil_s;

    if (is_early && is_late)
        return wants_last ? late : early;
    if (is_early || is_late)
        return is_early ? early : late;
    return find_jump(before, after, civil_s);
}

int64_t zone_first(int64_t civil_s)
{
    return find(civil_s, false);
}

int64_t zone_last(int64_t civil_s)
{
    return find(civil_s, true);
}
