/*
 * rtc-cmos: the time in all formats, setting it, memory. Events are tested in
 * test_rtc_events.c.
 */
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>

enum {
    SEC = 0,
    MIN = 2,
    HOUR = 4,
    WDAY = 6,
    DAY = 7,
    MONTH = 8,
    YEAR = 9,
    A = 10,
    B = 11,
    C = 12,
    D = 13,
    CENTURY = 0x32
};

static struct fake_machine m;
static struct device *d;

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

TestSuite(rtc, .init = setup, .fini = teardown);

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

static const uint8_t time_index[8] = {CENTURY, YEAR, MONTH, DAY, HOUR, MIN, SEC, WDAY};

/* The time as one number in BCD, 0xCCYYMMDDhhmmssww. */
static uint64_t now(void)
{
    uint64_t t = 0;
    rd(SEC); /* takes the copy */
    for (unsigned i = 0; i < 8; i++) {
        t = t << 8 | rd(time_index[i]);
    }
    return t;
}

/* Set the clock as drivers do. The weekday is not written. */
static void set(uint64_t t)
{
    uint8_t b = rd(B);
    wr(B, b | 0x80);
    for (unsigned i = 0; i < 7; i++) {
        wr(time_index[i], (uint8_t)(t >> (56 - 8 * i)));
    }
    wr(B, b);
}

Test(rtc, starts_with_the_host_time_in_bcd)
{
    cr_expect_eq(rd(A), 0x26);
    cr_expect_eq(rd(B), 0x02);
    cr_expect_eq(rd(C), 0x00);
    cr_expect_eq(rd(D), 0x80);
    uint64_t t = now();
    cr_expect_eq(t, 0x2024022912345605, "0x%lx", (unsigned long)t);
}

Test(rtc, runs_over_as_the_calendar_says)
{
    static const struct {
        uint64_t set, then;
    } cases[] = {
        {0x2024022823595900, 0x2024022900000005}, {0x2023022823595900, 0x2023030100000004},
        {0x2100022823595900, 0x2100030100000002}, {0x2000022823595900, 0x2000022900000003},
        {0x1999123123595900, 0x2000010100000007}, {0x2024123123595900, 0x2025010100000004},
        {0x1970010100000000, 0x1970010100000105}, {0x1969123123595900, 0x1970010100000005},
        {0x1900022823595900, 0x1900030100000005}, {0x2038011903140700, 0x2038011903140803},
        {0x9999123123595900, 0x0000010100000007}, {0x2024043023595900, 0x2024050100000004},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        set(cases[i].set);
        fake_clock_advance(&m.clock, NS_PER_SEC);
        uint64_t t = now();
        cr_expect_eq(t, cases[i].then, "case %zu: 0x%016lx", i, (unsigned long)t);
    }
}

Test(rtc, formats)
{
    static const struct {
        uint8_t b, hour, year, century;
    } cases[] = {
        {0x02, 0x15, 0x24, 0x20},
        {0x06, 15, 24, 20},
        {0x00, 0x83, 0x24, 0x20},
        {0x04, 0x83, 24, 20},
    };
    set(0x2024022915000000);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        wr(B, cases[i].b);
        cr_expect_eq(rd(HOUR), cases[i].hour, "case %zu", i);
        cr_expect_eq(rd(YEAR), cases[i].year, "case %zu", i);
        cr_expect_eq(rd(CENTURY), cases[i].century, "case %zu", i);
    }
}

Test(rtc, twelve_hour_clock_both_ways)
{
    static const uint8_t hours[24] = {0x12, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
                                      0x08, 0x09, 0x10, 0x11, 0x92, 0x81, 0x82, 0x83,
                                      0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x90, 0x91};
    for (unsigned h = 0; h < 24; h++) {
        uint8_t bcd = (uint8_t)(h / 10 << 4 | h % 10);
        wr(B, 0x02);
        set(0x2024022900300000 | (uint64_t)bcd << 24);
        wr(B, 0x00);
        cr_expect_eq(rd(HOUR), hours[h], "hour %u gave 0x%x", h, rd(HOUR));
        set(0x2024022900300000 | (uint64_t)hours[h] << 24);
        wr(B, 0x02);
        cr_expect_eq(rd(HOUR), bcd, "0x%x gave 0x%x", hours[h], rd(HOUR));
    }
}

Test(rtc, set_holds_the_time_and_makes_it_memory)
{
    wr(B, 0x82);
    uint8_t second = rd(SEC);
    fake_clock_advance(&m.clock, 90 * NS_PER_SEC);
    cr_expect_eq(rd(SEC), second);
    wr(SEC, 0x07);
    cr_expect_eq(rd(SEC), 0x07);
    wr(B, 0x02);
    cr_expect_eq(now() >> 8, 0x20240229123407, "time stood still meanwhile");
}

Test(rtc, setting_keeps_the_phase_of_the_second)
{
    fake_clock_advance(&m.clock, 300 * NS_PER_MS);
    set(0x2030010100000000);
    fake_clock_advance(&m.clock, 699 * NS_PER_MS);
    cr_expect_eq(rd(SEC), 0x00);
    fake_clock_advance(&m.clock, 2 * NS_PER_MS);
    cr_expect_eq(rd(SEC), 0x01);
}

Test(rtc, the_first_second_after_a_divider_reset_is_half_as_long)
{
    wr(B, 0x82);
    wr(A, 0x76);
    wr(SEC, 0x10);
    wr(B, 0x02);
    fake_clock_advance(&m.clock, 5 * NS_PER_SEC);
    cr_expect_eq(rd(SEC), 0x10, "held by the divider");
    wr(A, 0x26);
    fake_clock_advance(&m.clock, 499 * NS_PER_MS);
    cr_expect_eq(rd(SEC), 0x10);
    fake_clock_advance(&m.clock, 2 * NS_PER_MS);
    cr_expect_eq(rd(SEC), 0x11);
}

Test(rtc, a_time_byte_can_be_written_while_it_runs)
{
    wr(MIN, 0x59);
    cr_expect_eq(now() >> 8, 0x20240229125956);
    fake_clock_advance(&m.clock, 4 * NS_PER_SEC);
    cr_expect_eq(now() >> 8, 0x20240229130000);
}

Test(rtc, update_in_progress_is_the_last_244_us)
{
    static const struct {
        uint64_t ns;
        uint8_t uip;
    } cases[] = {{0, 0}, {999755999, 0}, {999756000, 0x80}, {999999999, 0x80}, {1000000000, 0}};
    uint64_t at = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        fake_clock_advance(&m.clock, cases[i].ns - at);
        at = cases[i].ns;
        cr_expect_eq(rd(A) & 0x80, cases[i].uip, "at %lu ns", (unsigned long)at);
    }
    fake_clock_advance(&m.clock, 999900 * NS_PER_US);
    wr(B, 0x82);
    cr_expect_eq(rd(A) & 0x80, 0, "no update while B.SET");
}

Test(rtc, slow_readers_get_the_bytes_of_one_second)
{
    set(0x2024022923595900);
    fake_clock_advance(&m.clock, 999 * NS_PER_MS);
    cr_expect_eq(rd(SEC), 0x59);
    fake_clock_advance(&m.clock, 2 * NS_PER_MS);
    cr_expect_eq(rd(MIN), 0x59);
    cr_expect_eq(rd(DAY), 0x29);
    cr_expect_eq(rd(SEC), 0x00, "the seconds are always new");
    cr_expect_eq(rd(MIN), 0x00);
    cr_expect_eq(rd(DAY), 0x01);
}

Test(rtc, the_copy_ends_by_age_and_by_a_look_at_uip)
{
    set(0x2024022923595900);
    fake_clock_advance(&m.clock, 998 * NS_PER_MS);
    rd(SEC);
    fake_clock_advance(&m.clock, 3 * NS_PER_MS);
    cr_expect_eq(rd(MIN), 0x00);
    set(0x2024022923595900);
    fake_clock_advance(&m.clock, 998500 * NS_PER_US);
    rd(SEC);
    fake_clock_advance(&m.clock, NS_PER_MS);
    rd(A);
    cr_expect_eq(rd(MIN), 0x00);
}

Test(rtc, impossible_bytes_make_some_possible_time)
{
    for (unsigned v = 0; v < 256; v++) {
        for (unsigned b = 0; b < 8; b += 2) {
            uint64_t all = UINT64_C(0x0101010101010101) * v;
            wr(B, (uint8_t)b);
            set(all);
            wr(B, 0x02);
            uint64_t t = now();
            for (unsigned i = 0; i < 64; i += 4) {
                cr_assert_leq(t >> i & 0xf, 9, "0x%02x made 0x%016lx", v, (unsigned long)t);
            }
        }
    }
    wr(B, 0x02);
    set(0x2024043100000000);
    cr_expect_eq(now() >> 8, 0x20240501000000);
}

Test(rtc, index_and_read_only_bytes)
{
    cr_expect_eq(fake_read(m.io, 0x70, 1), 0xff, "the index is write-only");
    fake_write(m.io, 0x70, 0x80 | 0x40, 1);
    fake_write(m.io, 0x71, 0x5a, 1);
    cr_expect_eq(rd(0x40), 0x5a, "bit 7 is the NMI mask");
    wr(D, 0x00);
    cr_expect_eq(rd(D), 0x80);
    wr(C, 0xff);
    cr_expect_eq(rd(C), 0x00);
    wr(A, 0xa6);
    cr_expect_eq(rd(A), 0x26);
}

Test(rtc, reset_keeps_time_and_memory)
{
    wr(0x40, 0x5a);
    set(0x2030010100000000);
    wr(B, 0x7a);
    device_reset(d);
    cr_expect_eq(rd(B), 0x02);
    cr_expect_eq(rd(0x40), 0x5a);
    cr_expect_eq(now() >> 8, 0x20300101000000);
}

Test(rtc, memory_sizes)
{
    static const struct {
        uint64_t low, high;
        int base_kib, extended_kib, above_16m, above_4g;
    } cases[] = {
        {256ULL << 20, 0, 640, 65535, 3840, 0},
        {32ULL << 20, 0, 640, 31744, 256, 0},
        {1ULL << 20, 0, 640, 0, 0, 0},
        {512ULL << 10, 0, 512, 0, 0, 0},
        {3ULL << 30, 3ULL << 30, 640, 65535, 48896, 49152},
        {3ULL << 30, 1ULL << 44, 640, 65535, 48896, 0xffffff},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        device_free(d);
        m.env.low_ram = cases[i].low;
        m.env.high_ram = cases[i].high;
        d = fake_device(&m, "rtc-cmos", NULL);
        cr_expect_eq(rd(0x15) | rd(0x16) << 8, cases[i].base_kib, "case %zu", i);
        cr_expect_eq(rd(0x17) | rd(0x18) << 8, cases[i].extended_kib, "case %zu", i);
        cr_expect_eq(rd(0x30) | rd(0x31) << 8, cases[i].extended_kib, "case %zu", i);
        cr_expect_eq(rd(0x34) | rd(0x35) << 8, cases[i].above_16m, "case %zu", i);
        cr_expect_eq(rd(0x5b) | rd(0x5c) << 8 | rd(0x5d) << 16, cases[i].above_4g, "case %zu", i);
    }
}
