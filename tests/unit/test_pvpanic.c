/*
 * pvpanic: which bits mean what, and the events property.
 */
#include "devices/platform.h"
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>

#define PORT 0x505
#define GPA  0x0c000000

static struct fake_machine m;
static struct device *d;

static void setup(void)
{
    fake_machine_init(&m, 0);
}

static void teardown(void)
{
    device_free(d);
    fake_machine_free(&m);
}

TestSuite(pvpanic, .init = setup, .fini = teardown);

Test(pvpanic, reports_a_panic)
{
    d = fake_device(&m, "pvpanic", NULL);
    cr_expect_eq(fake_read(m.io, PORT, 1), 3);
    fake_write(m.io, PORT, 1, 1);
    cr_assert_eq(m.event_count, 1);
    cr_expect_eq(m.events[0].event, MACHINE_PANIC);
    cr_expect_eq(guest_error_count(&d->guest_errors), 0);
}

Test(pvpanic, a_crash_kernel_goes_on)
{
    d = fake_device(&m, "pvpanic", NULL);
    fake_write(m.io, PORT, 2, 1);
    cr_expect_eq(m.event_count, 0);
    cr_expect_eq(guest_error_count(&d->guest_errors), 0);
}

Test(pvpanic, shutdown_is_an_option)
{
    d = fake_device(&m, "pvpanic", "events=7");
    cr_expect_eq(fake_read(m.io, PORT, 1), 7);
    fake_write(m.io, PORT, 4, 1);
    cr_assert_eq(m.event_count, 1);
    cr_expect_eq(m.events[0].event, MACHINE_POWEROFF);
}

Test(pvpanic, counts_what_it_does_not_know)
{
    d = fake_device(&m, "pvpanic", NULL);
    fake_write(m.io, PORT, 4, 1);
    fake_write(m.io, PORT, 0x80, 1);
    cr_expect_eq(m.event_count, 0);
    cr_expect_eq(guest_error_count(&d->guest_errors), 2);
    fake_write(m.io, PORT, 0xff, 1);
    cr_expect_eq(m.event_count, 1, "known bits count beside unknown ones");
}

Test(pvpanic, is_a_platform_device_too)
{
    struct err e = ERR_INIT;
    d = fake_device_new(&m, device_class_find("pvpanic", &e), NULL);
    cr_assert_eq(platform_plug(d, GPA, 5, &e), 0);
    m.env.io_root = NULL; /* there are no ports */
    cr_assert_eq(device_realize(d, &e), 0, "%s", e.what);
    cr_expect_str_eq(d->cls->compatible, "qemu,pvpanic-mmio");
    cr_expect_eq(fake_read(m.mem, GPA, 1), 3);
    cr_expect_eq(fake_read(m.mem, GPA + 1, 1), 0xff);
    cr_expect_eq(fake_read(m.io, PORT, 1), 0xff);
    fake_write(m.mem, GPA, 1, 1);
    cr_assert_eq(m.event_count, 1);
    cr_expect_eq(m.events[0].event, MACHINE_PANIC);
    cr_expect_eq(m.irqs.raised[5], 0);
}
