/*
 * pl031: the time, setting it, the match interrupt.
 */
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>

enum { DR = 0, MR = 4, LR = 8, CR = 12, IMSC = 16, RIS = 20, MIS = 24, ICR = 28, ID = 0xfe0 };

#define GPA   0x09010000ULL
#define GSI   2
#define START ((uint32_t)(FAKE_START_REALTIME_NS / NS_PER_SEC))

static struct fake_machine m;
static struct device *d;

static void setup(void)
{
    fake_machine_init(&m, 0);
    d = fake_device(&m, "pl031", NULL);
}

static void teardown(void)
{
    device_free(d);
    fake_machine_free(&m);
}

TestSuite(pl031, .init = setup, .fini = teardown);

static uint32_t rd(uint32_t reg)
{
    return (uint32_t)fake_read(m.mem, GPA + reg, 4);
}

static void wr(uint32_t reg, uint32_t value)
{
    fake_write(m.mem, GPA + reg, value, 4);
}

static bool line(void)
{
    return m.irqs.level[GSI];
}

static void pass(uint64_t s)
{
    fake_clock_advance(&m.clock, s * NS_PER_SEC);
    loop_poll(m.loop);
}

Test(pl031, shows_the_host_time_after_reset)
{
    static const uint32_t after[][2] = {{DR, START}, {MR, 0},  {LR, 0}, {CR, 1},
                                        {IMSC, 0},   {RIS, 0}, {MIS, 0}};
    for (size_t i = 0; i < ARRAY_LEN(after); i++) {
        cr_expect_eq(rd(after[i][0]), after[i][1], "0x%x", after[i][0]);
    }
    pass(100);
    cr_expect_eq(rd(DR), START + 100);
}

Test(pl031, identifies_itself)
{
    static const uint8_t id[] = {0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    for (uint32_t i = 0; i < 8; i++) {
        cr_expect_eq(rd(ID + 4 * i), id[i]);
    }
}

Test(pl031, each_width_at_each_place)
{
    for (uint32_t at = 0; at < 0x1000; at++) {
        for (unsigned size = 1; size <= 8 && at + size <= 0x1000; size *= 2) {
            bool exists = size == 4 && at % 4 == 0 && (at <= ICR || at >= ID);
            uint64_t before = guest_error_count(&d->guest_errors);
            uint64_t got = fake_read(m.mem, GPA + at, size);
            bool ok = guest_error_count(&d->guest_errors) == before;
            cr_expect_eq(ok, exists && at != ICR, "read 0x%x size %u", at, size);
            cr_expect(ok || got == 0, "read 0x%x size %u", at, size);
            before += !ok;
            fake_write(m.mem, GPA + at, 0, size);
            ok = guest_error_count(&d->guest_errors) == before;
            bool ro = at == DR || at == RIS || at == MIS || at >= ID;
            cr_expect_eq(ok, exists && !ro, "write 0x%x size %u", at, size);
        }
    }
}

Test(pl031, a_load_sets_the_time)
{
    static const uint32_t times[] = {0, 1, 1000, START, 0x7fffffff, 0x80000000, 0xfffffff0};
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        wr(LR, times[i]);
        cr_expect_eq(rd(LR), times[i]);
        cr_expect_eq(rd(DR), times[i]);
        pass(5);
        cr_expect_eq(rd(DR), times[i] + 5);
    }
    pass(20);
    cr_expect_eq(rd(DR), 9, "it runs over");
    device_reset(d);
    cr_expect_eq(rd(DR), 9, "a reset does not take the battery out");
    cr_expect_eq(rd(LR), 0xfffffff0);
    cr_expect_eq(rd(RIS), 0);
}

Test(pl031, cannot_be_stopped)
{
    wr(CR, 0);
    cr_expect_eq(rd(CR), 1);
    pass(1);
    cr_expect_eq(rd(DR), START + 1);
}

Test(pl031, interrupts_when_the_time_comes_to_the_match)
{
    wr(MR, START + 10);
    wr(IMSC, 0xffffffff);
    cr_expect_eq(rd(IMSC), 1);
    pass(9);
    cr_expect(!line());
    pass(1);
    cr_expect(line());
    cr_expect_eq(rd(RIS), 1);
    cr_expect_eq(rd(MIS), 1);
    wr(ICR, 0xfffffffe);
    cr_expect(line());
    wr(ICR, 1);
    cr_expect(!line());
    cr_expect_eq(rd(RIS), 0);
    pass(1000);
    cr_expect(!line(), "once");
    cr_expect_eq(m.irqs.raised[GSI], 1);
}

Test(pl031, comes_on_the_second_wherever_the_clock_began)
{
    fake_clock_advance(&m.clock, 999999999);
    wr(MR, START + 1);
    wr(IMSC, 1);
    loop_poll(m.loop);
    cr_expect(!line());
    fake_clock_advance(&m.clock, 1);
    loop_poll(m.loop);
    cr_expect(line());
}

Test(pl031, a_masked_match_shows_in_ris_and_interrupts_later)
{
    wr(MR, START + 1);
    pass(3);
    cr_expect_eq(rd(RIS), 1);
    cr_expect_eq(rd(MIS), 0);
    cr_expect(!line());
    wr(IMSC, 1);
    cr_expect(line());
    wr(IMSC, 0);
    cr_expect(!line());
}

Test(pl031, a_match_that_is_now_comes_at_once)
{
    wr(IMSC, 1);
    wr(MR, START);
    cr_expect(line());
    wr(ICR, 1);
    wr(MR, 5000);
    cr_expect(!line(), "long past: the next is after the counter has run over");
    wr(LR, 5000);
    cr_expect(line());
}

Test(pl031, setting_the_time_moves_the_match)
{
    wr(IMSC, 1);
    wr(MR, START + 1000);
    wr(LR, START + 990);
    pass(9);
    cr_expect(!line());
    pass(1);
    cr_expect(line());
    wr(ICR, 1);
    wr(MR, START + 2000);
    wr(LR, START);
    pass(1999);
    cr_expect(!line());
    pass(1);
    cr_expect(line());
}

Test(pl031, matches_again_when_the_counter_has_run_over)
{
    wr(IMSC, 1);
    wr(MR, START);
    wr(ICR, 1);
    pass(UINT32_MAX);
    cr_expect(!line());
    pass(1);
    cr_expect(line());
}

/* The host's wall clock may be set while its monotonic one goes on. */
Test(pl031, follows_the_hosts_wall_clock)
{
    wr(IMSC, 1);
    wr(MR, START + 10);
    m.clock.realtime_ns -= 100 * NS_PER_SEC;
    cr_expect_eq(rd(DR), START - 100);
    pass(10);
    cr_expect(!line(), "the timer came too early");
    pass(100);
    cr_expect(line());
}

Test(pl031, reset_stops_the_interrupt)
{
    wr(IMSC, 1);
    wr(MR, START);
    cr_assert(line());
    device_reset(d);
    cr_expect(!line());
    cr_expect_eq(rd(MR), 0);
    cr_expect_eq(rd(IMSC), 0);
    cr_expect_eq(rd(RIS), 0);
    wr(MR, START + 1);
    wr(IMSC, 1);
    device_reset(d);
    pass(10);
    cr_expect_eq(rd(RIS), 0);
}

Test(pl031, freeing_it_stops_timer_and_interrupt)
{
    wr(IMSC, 1);
    wr(MR, START);
    cr_assert(line());
    wr(ICR, 1);
    wr(MR, START + 5);
    device_free(d);
    d = NULL;
    pass(10);
    cr_expect(!line());
}

Test(pl031, is_where_the_board_wants_it)
{
    struct device *other = fake_device(&m, "pl031", "addr=0xa0000000,gsi=7");
    fake_write(m.mem, 0xa0000000 + LR, 42, 4);
    fake_write(m.mem, 0xa0000000 + IMSC, 1, 4);
    fake_write(m.mem, 0xa0000000 + MR, 42, 4);
    cr_expect(m.irqs.level[7]);
    cr_expect_eq(rd(DR), START, "two of them have nothing in common");
    device_free(other);
    cr_expect(!m.irqs.level[7]);
}
