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

Test(pc_ports, port_cf9_resets_on_a_rising_bit_2)
{
    static const struct {
        uint8_t value;
        unsigned events;
    } steps[] = {{0x02, 0}, {0x06, 1}, {0x06, 1}, {0x00, 1},
                 {0x0a, 1}, {0x0e, 2}, {0xf1, 2}, {0x04, 3}};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        fake_write(m.io, 0xcf9, steps[i].value, 1);
        cr_expect_eq(m.event_count, steps[i].events, "step %zu", i);
    }
    cr_expect_eq(fake_read(m.io, 0xcf9, 1), 0x04);
}

/* A kernel that looks for PCI devices writes each function's address: byte 1 is no reset then. */
Test(pc_ports, pci_addresses_do_not_reset)
{
    for (uint32_t function = 0; function < 256; function++) {
        fake_write(m.io, 0xcf8, 0x80000004 | function << 8, 4);
        cr_expect_eq(fake_read(m.io, 0xcf8, 4), 0xffffffff, "there is no PCI");
    }
    fake_write(m.io, 0xcf8, 0x04, 1);
    fake_write(m.io, 0xcfa, 0x04, 1);
    fake_write(m.io, 0xcfb, 0x04, 1);
    fake_write(m.io, 0xcf8, 0x0404, 2);
    cr_expect_eq(m.event_count, 0);
    cr_expect_eq(fake_read(m.io, 0xcf9, 1), 0);
}

Test(pc_ports, reset_gives_the_first_state)
{
    fake_write(m.io, 0x92, 0x01, 1);
    fake_write(m.io, 0xcf9, 0x06, 1);
    device_reset(d);
    cr_expect_eq(fake_read(m.io, 0x92, 1), 2);
    cr_expect_eq(fake_read(m.io, 0xcf9, 1), 0);
}
