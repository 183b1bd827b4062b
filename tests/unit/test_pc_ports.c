/*
 * pc-ports: which writes reset the machine, and which do nothing.
 */
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>

static struct fake_machine m;
static struct device *d;

static void setup(void)
{
    fake_machine_init(&m, 0);
    d = fake_device(&m, "pc-ports", NULL);
}

static void teardown(void)
{
    device_free(d);
    fake_machine_free(&m);
}

TestSuite(pc_ports, .init = setup, .fini = teardown);

Test(pc_ports, delay_ports_take_anything)
{
    for (unsigned v = 0; v < 256; v++) {
        fake_write(m.io, 0x80, v, 1);
        fake_write(m.io, 0xed, v, 1);
    }
    cr_expect_eq(m.event_count, 0);
    cr_expect_eq(fake_read(m.io, 0x80, 1), 0xff);
}

Test(pc_ports, port_92_resets_on_a_rising_bit_0)
{
    cr_expect_eq(fake_read(m.io, 0x92, 1), 2, "A20 is on");
    fake_write(m.io, 0x92, 0x00, 1);
    fake_write(m.io, 0x92, 0x02, 1);
    cr_expect_eq(m.event_count, 0);
    fake_write(m.io, 0x92, 0x03, 1);
    cr_assert_eq(m.event_count, 1);
    cr_expect_eq(m.events[0].event, MACHINE_REBOOT);
    fake_write(m.io, 0x92, 0x01, 1);
    cr_expect_eq(m.event_count, 1, "it was high already");
}

Test(pc_ports, reset_gives_the_first_state)
{
    fake_write(m.io, 0x92, 0x01, 1);
    device_reset(d);
    cr_expect_eq(fake_read(m.io, 0x92, 1), 2);
}
