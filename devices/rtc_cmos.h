/*
 * The inside of rtc-cmos, shared by its ports and events (rtc_cmos.c) and the
 * meaning of its time bytes (rtc_cmos_time.c). The model is described in
 * rtc_cmos.c.
 *
 * Locking: all functions with the device's lock held.
 */
#ifndef DEVICES_RTC_CMOS_H
#define DEVICES_RTC_CMOS_H

#include "devices/posted.h"
#include "src/device.h"

#define CMOS_SIZE 128

/* Time and control bytes; the others are memory. */
enum {
    CMOS_SECONDS = 0x00,
    CMOS_SECONDS_ALARM = 0x01,
    CMOS_MINUTES = 0x02,
    CMOS_MINUTES_ALARM = 0x03,
    CMOS_HOURS = 0x04,
    CMOS_HOURS_ALARM = 0x05,
    CMOS_WEEKDAY = 0x06,
    CMOS_DAY = 0x07,
    CMOS_MONTH = 0x08,
    CMOS_YEAR = 0x09,
    CMOS_A = 0x0a,
    CMOS_B = 0x0b,
    CMOS_C = 0x0c,
    CMOS_D = 0x0d,
    CMOS_CENTURY = 0x32,
};

enum {
    A_RATE = 0x0f,
    A_DIVIDER_RESET = 0x60,
    A_UIP = 0x80,
};

enum {
    B_24H = 0x02,
    B_BINARY = 0x04,
    B_UPDATE = 0x10, /* the interrupt enables are the flags' bits in C */
    B_ALARM = 0x20,
    B_PERIODIC = 0x40,
    B_SET = 0x80,
    B_CLEARED_BY_RESET = 0x78,
};

struct rtc {
    struct device dev;
    /* properties */
    uint32_t iobase;
    uint32_t irq;
    /* guest-visible */
    uint8_t index;
    uint8_t cmos[CMOS_SIZE];
    /* the guest's time is (host ns + phase) / 1e9 + offset */
    int64_t offset_s;
    uint32_t phase_ns;
    int64_t seen_s;     /* guest's time when the flags were last worked out */
    uint64_t seen_tick; /* the crystal, likewise */
    uint64_t copied_at; /* host ns of the last copy; 0: none */
    struct irq out;
    bool line;
    struct timer timer;
    struct posted index_writes;
    struct bh *on_alarm; /* NULL: nobody wants to know */
};

/* Schedule bh whenever an alarm interrupts. rtc: an rtc-cmos. bh is borrowed, for as long as the
 * machine runs. */
void rtc_cmos_on_alarm(struct device *rtc, struct bh *bh);

/* A guest's time. */
struct moment {
    int64_t s; /* since 1970 */
    uint32_t ns;
};

struct moment rtc_now(const struct rtc *r);

/* Neither B.SET nor a divider in reset holds the time. */
bool rtc_running(const struct rtc *r);
bool rtc_divider_reset(const struct rtc *r);

/* Does byte number index belong to the time (alarms do not)? */
bool rtc_is_time_byte(unsigned index);

/* Make the time bytes say m, in the format that B asks for. */
void rtc_time_to_bytes(struct rtc *r, struct moment m);
/* Set the time to what the bytes say, ns after the beginning of that second. */
void rtc_bytes_to_time(struct rtc *r, uint32_t ns);

/* Seconds from time s to the next alarm after it, 1 to 86400; 0: the bytes match no time. */
int rtc_seconds_to_alarm(const struct rtc *r, int64_t s);

#endif
