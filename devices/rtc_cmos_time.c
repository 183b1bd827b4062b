/*
 * rtc-cmos: what the time and alarm bytes mean. The model is described in
 * rtc_cmos.c.
 *
 * Locking: see rtc_cmos.h.
 */
#include "devices/rtc_cmos.h"

#include "devices/calendar.h"

#define HOUR_PM   0x80
#define ALARM_ANY 0xc0 /* both top bits: matches always */

struct moment rtc_now(const struct rtc *r)
{
    uint64_t t = clock_realtime(r->dev.env->clock) + r->phase_ns;
    return (struct moment){
        .s = (int64_t)(t / NS_PER_SEC) + r->offset_s,
        .ns = (uint32_t)(t % NS_PER_SEC),
    };
}

static void set_guest_time(struct rtc *r, struct moment m)
{
    uint64_t host = clock_realtime(r->dev.env->clock);
    r->phase_ns = (uint32_t)((m.ns + NS_PER_SEC - host % NS_PER_SEC) % NS_PER_SEC);
    r->offset_s = m.s - (int64_t)((host + r->phase_ns) / NS_PER_SEC);
    r->seen_s = m.s;
}

bool rtc_divider_reset(const struct rtc *r)
{
    return (r->cmos[CMOS_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET;
}

bool rtc_running(const struct rtc *r)
{
    return !(r->cmos[CMOS_B] & B_SET) && !rtc_divider_reset(r);
}

static uint8_t encode(const struct rtc *r, int value)
{
    value = (value % 100 + 100) % 100; /* the day before 0000-01-01 is in the year -1 */
    return (uint8_t)(r->cmos[CMOS_B] & B_BINARY ? value : value / 10 << 4 | value % 10);
}

static int decode(const struct rtc *r, uint8_t byte)
{
    return r->cmos[CMOS_B] & B_BINARY ? byte : (byte >> 4) * 10 + (byte & 0x0f);
}

static uint8_t encode_hour(const struct rtc *r, int hour)
{
    if (r->cmos[CMOS_B] & B_24H) {
        return encode(r, hour);
    }
    return encode(r, hour % 12 == 0 ? 12 : hour % 12) | (hour >= 12 ? HOUR_PM : 0);
}

static int decode_hour(const struct rtc *r, uint8_t byte)
{
    if (r->cmos[CMOS_B] & B_24H) {
        return decode(r, byte);
    }
    return decode(r, byte & ~HOUR_PM) % 12 + (byte & HOUR_PM ? 12 : 0);
}

bool rtc_is_time_byte(unsigned index)
{
    return (index <= CMOS_HOURS && index % 2 == 0) ||
           (index >= CMOS_WEEKDAY && index <= CMOS_YEAR) || index == CMOS_CENTURY;
}

void rtc_time_to_bytes(struct rtc *r, struct moment m)
{
    struct calendar c = calendar_from_seconds(m.s);
    r->cmos[CMOS_SECONDS] = encode(r, c.second);
    r->cmos[CMOS_MINUTES] = encode(r, c.minute);
    r->cmos[CMOS_HOURS] = encode_hour(r, c.hour);
    r->cmos[CMOS_WEEKDAY] = encode(r, c.weekday + 1);
    r->cmos[CMOS_DAY] = encode(r, c.day);
    r->cmos[CMOS_MONTH] = encode(r, c.month);
    r->cmos[CMOS_YEAR] = encode(r, c.year);
    r->cmos[CMOS_CENTURY] = encode(r, c.year / 100);
    r->copied_at = clock_realtime(r->dev.env->clock);
}

void rtc_bytes_to_time(struct rtc *r, uint32_t ns)
{
    struct calendar c = {
        .year = decode(r, r->cmos[CMOS_CENTURY]) * 100 + decode(r, r->cmos[CMOS_YEAR]),
        .month = decode(r, r->cmos[CMOS_MONTH]),
        .day = decode(r, r->cmos[CMOS_DAY]),
        .hour = decode_hour(r, r->cmos[CMOS_HOURS]),
        .minute = decode(r, r->cmos[CMOS_MINUTES]),
        .second = decode(r, r->cmos[CMOS_SECONDS]),
    };
    set_guest_time(r, (struct moment){.s = calendar_to_seconds(&c), .ns = ns});
}

/* Alarm byte: the value it asks for, or -1 for any. */
static int alarm_value(const struct rtc *r, unsigned index)
{
    uint8_t byte = r->cmos[index];
    if ((byte & ALARM_ANY) == ALARM_ANY) {
        return -1;
    }
    return index == CMOS_HOURS_ALARM ? decode_hour(r, byte) : decode(r, byte);
}

int rtc_seconds_to_alarm(const struct rtc *r, int64_t s)
{
    int hour = alarm_value(r, CMOS_HOURS_ALARM);
    int minute = alarm_value(r, CMOS_MINUTES_ALARM);
    int second = alarm_value(r, CMOS_SECONDS_ALARM);
    if (hour > 23 || minute > 59 || second > 59) {
        return 0;
    }
    int now = calendar_second_of_day(s);
    int t = now + 1;
    for (;;) {
        if (hour >= 0 && t / 3600 % 24 != hour) {
            t = (t / 3600 + 1) * 3600;
        } else if (minute >= 0 && t / 60 % 60 != minute) {
            t = (t / 60 + 1) * 60;
        } else if (second >= 0 && t % 60 != second) {
            t++;
        } else {
            return t - now;
        }
    }
}
