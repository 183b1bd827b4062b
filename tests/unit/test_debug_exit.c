/*
 * debug-exit: status values, port placement, bad properties.
 */
#include "devices/platform.h"
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>
#include <errno.h>

static struct fake_machine m;

static void setup(void)
{
    fake_machine_init(&m, 0);
}

static void teardown(void)
{
    fake_machine_free(&m);
}

TestSuite(debug_exit, .init = setup, .fini = teardown);

Test(debug_exit, status_is_twice_the_value_plus_one_in_eight_bits)
{
    static const struct {
        uint64_t value;
        unsigned size;
        int status;
    } cases[] = {
        {0, 1, 1},       {1, 1, 3},        {127, 1, 255},        {128, 1, 1},
        {0xff, 1, 0xff}, {0x1234, 2, 105}, {0xffffffff, 4, 255}, {0x80000010, 4, 33},
    };
    struct device *d = fake_device(&m, "debug-exit", "iobase=0xf4,iosize=4");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        fake_write(m.io, 0xf4, cases[i].value, cases[i].size);
        cr_assert_eq(m.event_count, i + 1);
        cr_expect_eq(m.events[i].event, MACHINE_DEBUG_EXIT);
        cr_expect_eq(m.events[i].value, cases[i].status, "0x%lx gave %d",
                     (unsigned long)cases[i].value, m.events[i].value);
    }
    device_free(d);
}

Test(debug_exit, reads_zero_and_is_where_the_properties_say)
{
    struct device *d = fake_device(&m, "debug-exit", NULL);
    cr_expect_eq(fake_read(m.io, 0x500, 1), 0xff);
    cr_expect_eq(fake_read(m.io, 0x501, 1), 0);
    cr_expect_eq(fake_read(m.io, 0x501, 2), 0);
    cr_expect_eq(fake_read(m.io, 0x502, 1), 0);
    cr_expect_eq(fake_read(m.io, 0x503, 1), 0xff);
    fake_write(m.io, 0x503, 1, 1);
    cr_expect_eq(m.event_count, 0);
    fake_write(m.io, 0x502, 1, 1);
    cr_expect_eq(m.event_count, 1);
    device_free(d);
}

Test(debug_exit, refuses_properties_out_of_range)
{
    static const char *const bad[][2] = {
        {"iosize", "0"}, {"iosize", "257"}, {"iobase", "0x10000"}, {"iobase", "x"}, {"io", "1"},
    };
    struct err e = ERR_INIT;
    struct device *d = device_new(device_class_find("debug-exit", &e), "x", &m.env, &e);
    cr_assert_not_null(d);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_lt(device_set(d, bad[i][0], bad[i][1], &e), 0, "%s=%s", bad[i][0], bad[i][1]);
    }
    device_free(d);
}

Test(debug_exit, needs_a_machine_with_ports)
{
    struct err e = ERR_INIT;
    struct device_env env = m.env;
    env.io_root = NULL;
    struct device *d = device_new(device_class_find("debug-exit", &e), "x", &env, &e);
    cr_assert_not_null(d);
    cr_expect_eq(device_realize(d, &e), -ENODEV);
    cr_expect(e.what[0] != '\0');
    device_free(d);
}

Test(debug_exit, is_a_platform_device_too)
{
    struct err e = ERR_INIT;
    struct device *d = fake_device_new(&m, device_class_find("debug-exit", &e), NULL);
    cr_assert_eq(platform_plug(d, 0x0c000000, 5, &e), 0);
    cr_assert_eq(device_realize(d, &e), 0, "%s", e.what);
    cr_expect_str_eq(d->cls->compatible, "vmm,debug-exit");
    cr_expect_eq(fake_read(m.io, 0x501, 1), 0xff, "not at ports");
    cr_expect_eq(fake_read(m.mem, 0x0c0000fc, 4), 0);
    for (unsigned size = 1; size <= 4; size *= 2) {
        fake_write(m.mem, 0x0c000000, 40 + size, size);
    }
    cr_assert_eq(m.event_count, 3);
    for (unsigned i = 0; i < 3; i++) {
        cr_expect_eq(m.events[i].event, MACHINE_DEBUG_EXIT);
        cr_expect_eq(m.events[i].value, (int)((40 + (1u << i)) << 1 | 1));
    }
    device_free(d);
}
