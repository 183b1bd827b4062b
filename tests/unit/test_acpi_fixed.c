/*
 * acpi-fixed: PM1 registers, the timer and its carry, sleeping and waking up.
 */
#include "devices/acpi_fixed.h"
#include "devices/rtc_cmos.h"
#include "src/device_state.h"
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>

#define STATUS  0x600
#define ENABLE  0x602
#define CONTROL 0x604
#define TIMER   0x608
#define GSI     7

enum {
    CARRY = 0x0001,
    RTC = 0x0400,
    WOKEN = 0x8000,
    GO_S3 = 0x2400,
};

#define HZ 3579545ULL

static struct fake_machine m;
static struct device *d;

static void setup(void)
{
    fake_machine_init(&m, 0);
    d = fake_device(&m, "acpi-fixed", NULL);
}

static void teardown(void)
{
    device_free(d);
    fake_machine_free(&m);
}

TestSuite(acpi_fixed, .init = setup, .fini = teardown);

static unsigned rd(uint16_t port)
{
    return (unsigned)fake_read(m.io, port, 2);
}

static void wr(uint16_t port, unsigned value)
{
    fake_write(m.io, port, value, 2);
}

static void pass(uint64_t ns)
{
    fake_clock_advance(&m.clock, ns);
    loop_poll(m.loop);
}

static void alarm(void)
{
    bh_schedule(acpi_fixed_alarm(d));
    loop_poll(m.loop);
}

Test(acpi_fixed, the_timer_counts_24_bits)
{
    uint64_t ns = FAKE_START_NS;
    cr_expect_eq(fake_read(m.io, TIMER, 4), HZ);
    for (unsigned i = 0; i < 40; i++) {
        const uint64_t step = i * 123456789ULL + 1;
        ns += step;
        fake_clock_advance(&m.clock, step);
        const uint64_t ticks = (uint64_t)((unsigned __int128)ns * HZ / NS_PER_SEC);
        cr_expect_eq(fake_read(m.io, TIMER, 4), ticks & 0xffffff);
    }
}

Test(acpi_fixed, the_carry_sets_status_and_interrupts_if_enabled)
{
    const uint64_t half = ((1ULL << 23) * NS_PER_SEC + HZ - 1) / HZ; /* 2.34 s */
    cr_expect_eq(rd(STATUS), 0);
    pass(half - FAKE_START_NS - 1000);
    cr_expect_eq(rd(STATUS), 0);
    pass(1000);
    cr_expect_eq(rd(STATUS), CARRY);
    cr_expect_not(m.irqs.level[GSI]);
    wr(ENABLE, CARRY);
    cr_expect(m.irqs.level[GSI], "it is set already");
    wr(STATUS, CARRY);
    cr_expect_not(m.irqs.level[GSI]);
    pass(half - 1000);
    cr_expect_not(m.irqs.level[GSI]);
    pass(1000);
    cr_expect(m.irqs.level[GSI], "nobody read a register");
    wr(ENABLE, 0);
    cr_expect_not(m.irqs.level[GSI]);
    cr_expect_eq(rd(STATUS), CARRY);
}

Test(acpi_fixed, enable_keeps_what_there_is_and_status_clears_by_ones)
{
    wr(ENABLE, 0xffff);
    cr_expect_eq(rd(ENABLE), 0x0721);
    alarm();
    cr_expect_eq(rd(STATUS), RTC);
    cr_expect(m.irqs.level[GSI]);
    wr(STATUS, (unsigned)~RTC & 0xffff);
    cr_expect_eq(rd(STATUS), RTC);
    wr(STATUS, RTC);
    cr_expect_eq(rd(STATUS), 0);
    cr_expect_not(m.irqs.level[GSI]);
}

Test(acpi_fixed, control_is_in_acpi_mode_and_does_not_keep_sleep_enable)
{
    cr_expect_eq(rd(CONTROL), 1);
    wr(CONTROL, 0x1c02);
    cr_expect_eq(rd(CONTROL), 0x1c03);
    cr_expect_eq(m.event_count, 0);
    wr(CONTROL, 0x2000 | 5 << 10);
    cr_expect_eq(rd(CONTROL), 0x1401);
}

Test(acpi_fixed, sleep_types)
{
    static const struct {
        unsigned type;
        int event; /* -1: a mistake */
    } cases[] = {{0, MACHINE_POWEROFF},
                 {1, MACHINE_SLEEP},
                 {2, -1},
                 {3, -1},
                 {4, -1},
                 {5, MACHINE_POWEROFF},
                 {6, -1},
                 {7, -1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const unsigned before = m.event_count;
        wr(CONTROL, 0x2000 | cases[i].type << 10);
        cr_assert_eq(m.event_count - before, cases[i].event >= 0, "type %zu", i);
        if (cases[i].event >= 0) {
            cr_expect_eq((int)m.events[before].event, cases[i].event, "type %zu", i);
        }
    }
    cr_expect_eq(guest_error_count(&d->guest_errors), 5);
}

Test(acpi_fixed, an_enabled_event_wakes_the_machine_once)
{
    wr(CONTROL, GO_S3);
    alarm();
    cr_expect_eq(m.event_count, 1, "not enabled");
    wr(STATUS, RTC);
    wr(ENABLE, RTC);
    alarm();
    cr_assert_eq(m.event_count, 2);
    cr_expect_eq(m.events[1].event, MACHINE_WAKE);
    alarm();
    cr_expect_eq(m.event_count, 2);
    device_reset(d);
    cr_expect_eq(rd(STATUS), RTC | WOKEN, "what woke it");
    cr_expect_eq(rd(ENABLE), 0);
    cr_expect_not(m.irqs.level[GSI]);
    device_reset(d);
    cr_expect_eq(rd(STATUS), 0, "this was a power-on");
}

Test(acpi_fixed, an_event_that_waits_wakes_at_once)
{
    wr(ENABLE, RTC);
    alarm();
    wr(CONTROL, GO_S3);
    cr_assert_eq(m.event_count, 2);
    cr_expect_eq(m.events[0].event, MACHINE_SLEEP);
    cr_expect_eq(m.events[1].event, MACHINE_WAKE);
}

Test(acpi_fixed, a_snapshot_keeps_events_and_their_line)
{
    struct err e = ERR_INIT;
    struct pack record = {0};
    wr(ENABLE, RTC | CARRY);
    alarm();
    device_state_save(d, &record);
    device_reset(d);
    cr_expect_not(m.irqs.level[GSI]);
    struct unpack in = {.data = record.data, .len = record.len};
    cr_assert_eq(device_state_load(d, &in, &e), 0, "%s", e.what);
    cr_expect(m.irqs.level[GSI]);
    cr_expect_eq(rd(STATUS), RTC);
    wr(STATUS, RTC);
    pass(3 * NS_PER_SEC);
    cr_expect(m.irqs.level[GSI], "the carry is awaited again");
    pack_free(&record);
}

Test(acpi_fixed, a_machine_that_slept_is_not_loaded)
{
    struct err e = ERR_INIT;
    struct pack record = {0};
    wr(CONTROL, GO_S3);
    device_state_save(d, &record);
    struct unpack in = {.data = record.data, .len = record.len};
    cr_expect_lt(device_state_load(d, &in, &e), 0);
    pack_free(&record);
}

Test(acpi_fixed, the_clocks_alarm_arrives)
{
    struct device *rtc = fake_device(&m, "rtc-cmos", NULL);
    rtc_cmos_on_alarm(rtc, acpi_fixed_alarm(d));
    static const uint8_t writes[][2] = {{1, 0xc0}, {3, 0xc0}, {5, 0xc0}, {0x0b, 0x22}};
    for (size_t i = 0; i < ARRAY_LEN(writes); i++) {
        fake_write(m.io, 0x70, writes[i][0], 1);
        fake_write(m.io, 0x71, writes[i][1], 1);
    }
    pass(NS_PER_SEC / 2);
    cr_expect_eq(rd(STATUS) & RTC, 0);
    pass(NS_PER_SEC);
    loop_poll(m.loop);
    cr_expect_eq(rd(STATUS) & RTC, RTC);
    device_free(rtc);
}
