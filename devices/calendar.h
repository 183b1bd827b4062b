/*
 * The proleptic Gregorian calendar in UTC, for clocks. Fields that are out of
 * range run over (the 31st of April is the 1st of May), so that whatever a guest
 * writes is some date.
 */
#ifndef DEVICES_CALENDAR_H
#define DEVICES_CALENDAR_H

#include <stdint.h>

struct calendar {
    int year;
    int month; /* 1 to 12 */
    int day;   /* 1 to 31 */
    int hour, minute, second;
    int weekday; /* 0 Sunday; calendar_to_seconds() does not look at it */
};

#define SECONDS_PER_DAY 86400

/* Seconds since 1970-01-01 00:00:00; negative before that. Each field may be -999 to 99999. */
int64_t calendar_to_seconds(const struct calendar *c);

/* For years within an int. */
struct calendar calendar_from_seconds(int64_t seconds);

/* Seconds since midnight, 0 to 86399, of seconds since 1970. */
int calendar_second_of_day(int64_t seconds);

#endif
