/*
 * rtc-cmos: flags, interrupts and the timer behind them.
 */
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>

enum { SEC, SEC_ALARM, MIN, MIN_ALARM, HOUR, HOUR_ALARM, A = 10, B, C };

#define GSI 8

static struct fake_machine m;
static struct device *d;

/* Starts at 12:34:56. */
static void setup(void)
{
    fake_machine_init(&m, 0);
    d = fake_device(&m, "rtc-cmos", NULL);
}

static void teardown(void)
{
    device_free(d);
    fake_machine_free(&m);
}

TestSuite(rtc_events, .init = setup, .fini = teardown);

static uint8_t rd(uint8_t index)
{
    fake_write(m.io, 0x70, index, 1);
    return (uint8_t)fake_read(m.io, 0x71, 1);
}

static void wr(uint8_t index, uint8_t value)
{
    fake_write(m.io, 0x70, index, 1);
    fake_write(m.io, 0x71, value, 1);
}

static void pass(uint64_t ns)
{
    fake_clock_advance(&m.clock, ns);
    loop_poll(m.loop);
}

static bool line(void)
{
    return m.irqs.level[GSI];
}

static void set_alarm(uint8_t hour, uint8_t minute, uint8_t second)
{
    wr(HOUR_ALARM, hour);
    wr(MIN_ALARM, minute);
    wr(SEC_ALARM, second);
}

Test(rtc_events, flags_come_without_interrupts_and_reading_clears_them)
{
    set_alarm(0x12, 0x34, 0x58);
    rd(C);
    pass(NS_PER_SEC);
    cr_expect_eq(rd(C), 0x10 | 0x40);
    cr_expect_eq(rd(C), 0x00);
    pass(NS_PER_SEC);
    cr_expect_eq(rd(C), 0x10 | 0x20 | 0x40);
    pass(NS_PER_SEC);
    cr_expect_eq(rd(C), 0x10 | 0x40);
    cr_expect_eq(m.irqs.calls[GSI], 0);
}

Test(rtc_events, update_ended_interrupt_at_each_second)
{
    fake_clock_advance(&m.clock, 400 * NS_PER_MS);
    wr(B, 0x12);
    for (unsigned i = 1; i <= 3; i++) {
        pass(599 * NS_PER_MS);
        cr_expect(!line());
        pass(NS_PER_MS);
        cr_assert(line());
        cr_expect_eq(m.irqs.raised[GSI], i);
        cr_expect_eq(rd(C) & 0xf0, 0x80 | 0x40 | 0x10);
        cr_expect(!line(), "reading C ends it");
        pass(400 * NS_PER_MS);
    }
}

Test(rtc_events, an_unread_interrupt_stays_and_is_one)
{
    wr(B, 0x12);
    for (unsigned i = 0; i < 10; i++) {
        pass(NS_PER_SEC);
        cr_expect(line());
    }
    cr_expect_eq(m.irqs.raised[GSI], 1);
}

Test(rtc_events, enabling_with_the_flag_already_set_interrupts_at_once)
{
    pass(NS_PER_SEC);
    wr(B, 0x12);
    cr_expect(line());
    wr(B, 0x02);
    cr_expect(!line());
}

Test(rtc_events, alarms)
{
    static const struct {
        uint8_t b, hour, minute, second;
        unsigned after; /* seconds from 12:34:56; 0: never within two days */
    } cases[] = {
        {0x22, 0x12, 0x34, 0x57, 1},     {0x22, 0x12, 0x34, 0x56, 86400},
        {0x22, 0x12, 0x35, 0x00, 4},     {0x22, 0x12, 0x34, 0x55, 86399},
        {0x22, 0xc0, 0xff, 0xe0, 1},     {0x22, 0xc0, 0xc0, 0x10, 14},
        {0x22, 0xc0, 0x00, 0x00, 1504},  {0x22, 0xc0, 0x34, 0xc0, 1},
        {0x22, 0x00, 0xc0, 0xc0, 41104}, {0x22, 0x13, 0xff, 0xff, 1504},
        {0x20, 0x81, 0x00, 0x00, 1504},  {0x20, 0x92, 0x34, 0x58, 2},
        {0x20, 0x12, 0x00, 0x00, 41104}, {0x26, 12, 35, 10, 14},
        {0x22, 0x24, 0x00, 0x00, 0},     {0x22, 0x12, 0x60, 0x00, 0},
        {0x22, 0xc0, 0xc0, 0x7f, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        device_free(d);
        d = fake_device(&m, "rtc-cmos", NULL);
        /* Back to 12:34:56, wherever the host's clock is by now. */
        wr(B, 0x82);
        wr(HOUR, 0x12);
        wr(MIN, 0x34);
        wr(SEC, 0x56);
        wr(B, 0x02);
        wr(B, cases[i].b);
        set_alarm(cases[i].hour, cases[i].minute, cases[i].second);
        rd(C);
        unsigned wait = cases[i].after ? cases[i].after : 2 * 86400;
        pass((wait - 1) * NS_PER_SEC + 999 * NS_PER_MS);
        cr_expect(!line(), "case %zu: early", i);
        pass(NS_PER_MS);
        cr_expect_eq(line(), cases[i].after != 0, "case %zu", i);
    }
}

Test(rtc_events, an_alarm_rings_every_day)
{
    wr(B, 0x22);
    set_alarm(0x12, 0x35, 0x00);
    pass(4 * NS_PER_SEC);
    for (unsigned day = 1; day <= 3; day++) {
        cr_expect_eq(m.irqs.raised[GSI], day);
        rd(C);
        pass(86399 * NS_PER_SEC);
        cr_expect(!line());
        pass(NS_PER_SEC);
    }
}

Test(rtc_events, periodic_interrupts_at_each_rate)
{
    static const unsigned hz[16] = {0,   256, 128, 8192, 4096, 2048, 1024, 512,
                                    256, 128, 64,  32,   16,   8,    4,    2};
    for (unsigned rate = 0; rate < 16; rate++) {
        wr(A, (uint8_t)(0x20 | rate));
        wr(B, 0x42);
        rd(C);
        unsigned before = m.irqs.raised[GSI];
        for (unsigned step = 0; step < 16384; step++) { /* one second in all */
            pass(step % 512 < 511 ? 61035 : 61035 + 80);
            if (line()) {
                cr_assert_eq(rd(C) & 0xc0, 0xc0);
            }
        }
        fake_clock_advance(&m.clock, NS_PER_SEC - (16384ULL * 61035 + 32 * 80));
        unsigned got = m.irqs.raised[GSI] - before;
        cr_expect(got + 1 >= hz[rate] && got <= hz[rate] + 1, "rate %u: %u in a second", rate, got);
    }
}

Test(rtc_events, a_divider_in_reset_stops_periodic_and_update)
{
    wr(B, 0x52);
    wr(A, 0x66);
    rd(C);
    pass(5 * NS_PER_SEC);
    cr_expect(!line());
    cr_expect_eq(rd(C), 0);
}

Test(rtc_events, set_ends_update_interrupts)
{
    wr(B, 0x12);
    wr(B, 0x92);
    cr_expect_eq(rd(B), 0x82);
    pass(5 * NS_PER_SEC);
    cr_expect_eq(rd(C) & 0x10, 0);
    wr(B, 0x02);
    pass(5 * NS_PER_SEC);
    cr_expect(!line());
}

Test(rtc_events, setting_the_clock_rings_no_alarm)
{
    set_alarm(0x20, 0x00, 0x00);
    wr(B, 0x22);
    rd(C);
    wr(B, 0xa2);
    wr(HOUR, 0x21);
    wr(B, 0x22);
    pass(NS_PER_MS);
    cr_expect_eq(rd(C) & 0x20, 0);
    cr_expect(!line());
}

Test(rtc_events, reset_lowers_the_line_and_stops_interrupts)
{
    wr(B, 0x12);
    pass(NS_PER_SEC);
    cr_assert(line());
    device_reset(d);
    cr_expect(!line());
    pass(5 * NS_PER_SEC);
    cr_expect(!line());
}

Test(rtc_events, a_device_freed_with_a_timer_running_leaves_none)
{
    wr(B, 0x72);
    device_free(d);
    d = NULL;
    pass(5 * NS_PER_SEC);
    cr_expect_eq(m.irqs.raised[GSI], 0);
}
