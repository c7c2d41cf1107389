/* civil.h -- dates as numbers: seconds of a calendar without time zones.
 *
 * "Civil seconds" count from 1970-01-01 00:00:00 as a clock on the wall shows
 * it. In UTC they are unix seconds; elsewhere zone.h says which instant they
 * are.
 *
 * Threads   Any.
 * Memory    None.
 * Units     Civil seconds.
 * Errors    False: there is no such date or time.
 */
#ifndef WIRE_CIVIL_H
#define WIRE_CIVIL_H

#include <tidings/text.h>

#include <stdbool.h>
#include <stdint.h>

enum { DAY_S = 86400, WEEK_S = 7 * DAY_S };

/* Days from 1970-01-01 to a date that exists. */
int64_t civil_days(int64_t year, unsigned month, unsigned day);

/* Reads from the front of `*rest` and moves it on; on false it is anywhere. */
bool civil_take_digits(struct text *rest, unsigned count, unsigned *number_out);
bool civil_take_char(struct text *rest, char wanted);
void civil_skip_blanks(struct text *rest);

/* YYYY-MM-DD, years 0000 to 9999. */
bool civil_take_date(struct text *rest, int64_t *seconds_out);

/* HH:MM or HH:MM:SS, 00:00 to 23:59:59; `takes_24`: also the day's end. */
bool civil_take_time(struct text *rest, bool needs_seconds, bool takes_24,
                     int64_t *seconds_out);

#endif
