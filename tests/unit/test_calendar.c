/*
 * The calendar, against libc's.
 */
#include "devices/calendar.h"

#include <criterion/criterion.h>
#include <time.h>

static void check(int64_t s)
{
    struct tm want;
    time_t t = s;
    gmtime_r(&t, &want);
    struct calendar c = calendar_from_seconds(s);
    cr_assert_eq(c.year, want.tm_year + 1900, "%ld", (long)s);
    cr_assert_eq(c.month, want.tm_mon + 1, "%ld", (long)s);
    cr_assert_eq(c.day, want.tm_mday, "%ld", (long)s);
    cr_assert_eq(c.hour, want.tm_hour, "%ld", (long)s);
    cr_assert_eq(c.minute, want.tm_min, "%ld", (long)s);
    cr_assert_eq(c.second, want.tm_sec, "%ld", (long)s);
    cr_assert_eq(c.weekday, want.tm_wday, "%ld", (long)s);
    cr_assert_eq(calendar_to_seconds(&c), s);
}

Test(calendar, agrees_with_libc_on_every_day_of_800_years)
{
    for (int64_t day = -400LL * 366; day < 400LL * 366; day++) {
        check(day * SECONDS_PER_DAY);
        check(day * SECONDS_PER_DAY - 1);
    }
}

Test(calendar, agrees_with_libc_on_random_times)
{
    uint64_t x = 88172645463325252;
    for (unsigned i = 0; i < 200000; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        check((int64_t)(x % 1000000000000) - 500000000000); /* about 16000 years each way */
    }
}

Test(calendar, fields_run_over_as_libc_lets_them)
{
    uint64_t x = 88172645463325252;
    for (unsigned i = 0; i < 100000; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        struct calendar c = {
            .year = (int)(x % 17000),
            .month = (int)(x >> 8 & 0xff),
            .day = (int)(x >> 16 & 0xff),
            .hour = (int)(x >> 24 & 0xff),
            .minute = (int)(x >> 32 & 0xff),
            .second = (int)(x >> 40 & 0xff),
        };
        struct tm tm = {
            .tm_year = c.year - 1900,
            .tm_mon = c.month - 1,
            .tm_mday = c.day,
            .tm_hour = c.hour,
            .tm_min = c.minute,
            .tm_sec = c.second,
        };
        cr_assert_eq(calendar_to_seconds(&c), (int64_t)timegm(&tm));
    }
}
