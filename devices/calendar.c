/*
 * Dates to seconds and back. See calendar.h.
 *
 * Years are counted from March, so that the leap day is the last day of a year
 * and the lengths of the months before it repeat: 31 30 31 30 31 | 31 30 31 30
 * 31 | 31 (..). Month m of such a year begins at day (153 * m + 2) / 5.
 */
#include "devices/calendar.h"

#define DAYS_PER_400_YEARS 146097
#define DAYS_TO_1970       719468 /* from 0000-03-01 */
#define WEEKDAY_OF_1970    4      /* a Thursday */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t floor_mod(int64_t a, int64_t b)
{
    return a - floor_div(a, b) * b;
}

static int64_t days_before_year(int64_t y)
{
    return 365 * y + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400);
}

int64_t calendar_to_seconds(const struct calendar *c)
{
    int64_t months = (int64_t)c->year * 12 + c->month - 3;
    int64_t year = floor_div(months, 12);
    int64_t month = floor_mod(months, 12);
    int64_t days = days_before_year(year) + (153 * month + 2) / 5 + c->day - 1 - DAYS_TO_1970;
    return ((days * 24 + c->hour) * 60 + c->minute) * 60 + c->second;
}

struct calendar calendar_from_seconds(int64_t seconds)
{
    int64_t days = floor_div(seconds, SECONDS_PER_DAY) + DAYS_TO_1970;
    int64_t era = floor_div(days, DAYS_PER_400_YEARS);
    int64_t day = floor_mod(days, DAYS_PER_400_YEARS);
    /* Take the leap days before it out of day, to be left with years of 365 days. */
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= days_before_year(year);
    int64_t month = (5 * day + 2) / 153;
    int second = calendar_second_of_day(seconds);
    return (struct calendar){
        .year = (int)(era * 400 + year + (month >= 10)),
        .month = (int)(month >= 10 ? month - 9 : month + 3),
        .day = (int)(day - (153 * month + 2) / 5 + 1),
        .hour = second / 3600,
        .minute = second / 60 % 60,
        .second = second % 60,
        .weekday = (int)floor_mod(floor_div(seconds, SECONDS_PER_DAY) + WEEKDAY_OF_1970, 7),
    };
}

int calendar_second_of_day(int64_t seconds)
{
    return (int)floor_mod(seconds, SECONDS_PER_DAY);
}
