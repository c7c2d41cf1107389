/* civil.c -- taking dates and times of the clock out of a text.
 *
 * The number of days comes from the usual proof: count years from March, so
 * that the leap day is the last of its year; 400 years have 146,097 days.
 */
#include "civil.h"

int64_t civil_days(int64_t year, unsigned month, unsigned day)
{
    int64_t from_march = month > 2 ? year : year - 1;
    int64_t era = (from_march + 400) / 400 - 1; /* the year may be -1 */
    int64_t year_of_era = from_march - era * 400;
    int64_t day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 -
           year_of_era / 100 + day_of_year - 719468;
}

static unsigned days_of_month(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30,
                                         31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && is_leap ? 29 : days[month - 1];
}

bool civil_take_digits(struct text *rest, unsigned count, unsigned *number_out)
{
    unsigned number = 0;

    if (rest->length < count)
        return false;
    for (unsigned i = 0; i < count; i++) {
        char c = rest->bytes[i];

        if (c < '0' || c > '9')
            return false;
        number = number * 10 + (unsigned)(c - '0');
    }
    rest->bytes += count;
    rest->length -= count;
    *number_out = number;
    return true;
}

bool civil_take_char(struct text *rest, char wanted)
{
    if (rest->length == 0 || rest->bytes[0] != wanted)
        return false;
    rest->bytes++;
    rest->length--;
    return true;
}

void civil_skip_blanks(struct text *rest)
{
    while (civil_take_char(rest, ' ') || civil_take_char(rest, '\t'))
        continue;
}

bool civil_take_date(struct text *rest, int64_t *seconds_out)
{
    unsigned year, month, day;

    if (!civil_take_digits(rest, 4, &year) || !civil_take_char(rest, '-') ||
        !civil_take_digits(rest, 2, &month) || !civil_take_char(rest, '-') ||
        !civil_take_digits(rest, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_of_month(year, month))
        return false;
    *seconds_out = civil_days(year, month, day) * DAY_S;
    return true;
}

bool civil_take_time(struct text *rest, bool needs_seconds, bool takes_24,
                     int64_t *seconds_out)
{
    unsigned hour, minute, second = 0;

    if (!civil_take_digits(rest, 2, &hour) || !civil_take_char(rest, ':') ||
        !civil_take_digits(rest, 2, &minute))
        return false;
    if (civil_take_char(rest, ':')) {
        if (!civil_take_digits(rest, 2, &second))
            return false;
    } else if (needs_seconds) {
        return false;
    }
    if (minute > 59 || second > 59 || hour > (takes_24 ? 24 : 23) ||
        (hour == 24 && minute + second > 0))
        return false;
    *seconds_out = (int64_t)hour * 3600 + minute * 60 + second;
    return true;
}
