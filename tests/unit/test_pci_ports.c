/*
 * pci-ports: configuration mechanism #1 and reset control.
 */
#include "tests/unit/pci_fixture.h"

#include <criterion/criterion.h>

#define ENABLE 0x80000000U
#define SLOT   4

static struct pci_fixture p;
static struct device *d;

static void setup(void)
{
    pci_fixture_init(&p, 1);
    d = pci_fixture_add(&p, &pci_probe_class, SLOT, NULL);
}

static void teardown(void)
{
    device_free(d);
    pci_fixture_free(&p);
}

TestSuite(pci_ports, .init = setup, .fini = teardown);

static uint32_t address(unsigned bus, unsigned slot, unsigned function, unsigned reg)
{
    return ENABLE | bus << 16 | slot << 11 | function << 8 | (reg & 0xfc);
}

static uint32_t read_port(uint32_t addr, unsigned offset, unsigned size)
{
    fake_write(p.m.io, 0xcf8, addr, 4);
    return (uint32_t)fake_read(p.m.io, 0xcfc + offset, size);
}

static void write_port(uint32_t addr, unsigned offset, uint32_t value, unsigned size)
{
    fake_write(p.m.io, 0xcf8, addr, 4);
    fake_write(p.m.io, 0xcfc + offset, value, size);
}

Test(pci_ports, both_mechanisms_reach_the_same_bytes)
{
    static const unsigned slots[] = {0, SLOT, 7};
    for (unsigned reg = 0; reg < 256; reg += 4) {
        write_port(address(0, SLOT, 0, reg & ~0x54u), 0, 0x5a5a5a5a, 4);
        for (size_t s = 0; s < ARRAY_LEN(slots); s++) {
            for (unsigned size = 1; size <= 4; size *= 2) {
                for (unsigned i = 0; i < 4; i += size) {
                    cr_expect_eq(read_port(address(0, slots[s], 0, reg), i, size),
                                 fake_config_read(&p, slots[s], reg + i, size));
                }
            }
        }
    }
}

Test(pci_ports, writes_of_each_width_arrive)
{
    write_port(address(0, SLOT, 0, 0x48), 0, 0x11223344, 4);
    cr_expect_eq(fake_config_read(&p, SLOT, 0x48, 4), 0x11223344);
    write_port(address(0, SLOT, 0, 0x48), 2, 0x5566, 2);
    write_port(address(0, SLOT, 0, 0x48), 1, 0x77, 1);
    cr_expect_eq(fake_config_read(&p, SLOT, 0x48, 4), 0x55667744);
}

Test(pci_ports, the_address_reads_back_whole)
{
    static const uint32_t values[] = {0, ENABLE, 0xffffffff, 0x80012345, 0x12345678};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        fake_write(p.m.io, 0xcf8, values[i], 4);
        cr_expect_eq(fake_read(p.m.io, 0xcf8, 4), values[i]);
    }
    device_reset(p.ports);
    cr_expect_eq(fake_read(p.m.io, 0xcf8, 4), 0);
}

Test(pci_ports, only_an_enabled_address_of_bus_0_selects)
{
    const struct {
        uint32_t address;
        const char *what;
    } nothing[] = {
        {address(0, SLOT, 0, 0) & ~ENABLE, "not enabled"},
        {address(1, SLOT, 0, 0), "bus 1"},
        {address(255, SLOT, 0, 0), "bus 255"},
        {address(0, SLOT, 1, 0), "function 1"},
        {address(0, SLOT, 7, 0), "function 7"},
        {address(0, SLOT + 1, 0, 0), "a free slot"},
    };
    for (size_t i = 0; i < ARRAY_LEN(nothing); i++) {
        cr_expect_eq(read_port(nothing[i].address, 0, 4), 0xffffffff, "%s", nothing[i].what);
        cr_expect_eq(read_port(nothing[i].address, 0, 1), 0xff, "%s", nothing[i].what);
        write_port(nothing[i].address | 0x0c, 0, 0x55, 1);
        cr_expect_eq(fake_config_read(&p, SLOT, 0x0c, 1), 0, "%s", nothing[i].what);
    }
    cr_expect_eq(read_port(address(0, SLOT, 0, 0) | 0x7f000003, 0, 4), 0x56781234,
                 "reserved bits and the lowest two do not count");
}

Test(pci_ports, odd_accesses_are_refused)
{
    fake_write(p.m.io, 0xcf8, address(0, SLOT, 0, 0x0c), 4);
    fake_write(p.m.io, 0xcf8, 0, 2);
    fake_write(p.m.io, 0xcfa, 0, 2);
    fake_write(p.m.io, 0xcf8, 0, 1);
    fake_write(p.m.io, 0xcfa, 0, 1);
    fake_write(p.m.io, 0xcfb, 0, 1);
    cr_expect_eq(fake_read(p.m.io, 0xcf8, 4), address(0, SLOT, 0, 0x0c),
                 "the address is as it was");
    cr_expect_eq(fake_read(p.m.io, 0xcf8, 1), 0xff);
    cr_expect_eq(fake_read(p.m.io, 0xcfa, 2), 0xffff);
    fake_write(p.m.io, 0xcfd, 0x5555, 2);
    cr_expect_eq(fake_read(p.m.io, 0xcfd, 2), 0xffff, "a word at an odd port");
    cr_expect_eq(fake_config_read(&p, SLOT, 0x0c, 4), 0);
    cr_expect_eq(guest_error_count(&p.ports->guest_errors), 5, "single bytes are only a probe");
}

Test(pci_ports, port_cf9_resets_on_a_rising_bit_2)
{
    static const struct {
        uint8_t value;
        unsigned events;
    } steps[] = {{0x02, 0}, {0x06, 1}, {0x06, 1}, {0x00, 1},
                 {0x0a, 1}, {0x0e, 2}, {0xf1, 2}, {0x04, 3}};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        fake_write(p.m.io, 0xcf9, steps[i].value, 1);
        cr_expect_eq(p.m.event_count, steps[i].events, "step %zu", i);
    }
    cr_expect_eq(p.m.events[0].event, MACHINE_REBOOT);
    cr_expect_eq(fake_read(p.m.io, 0xcf9, 1), 0x04);
    device_reset(p.ports);
    cr_expect_eq(fake_read(p.m.io, 0xcf9, 1), 0);
}

/* A kernel that looks for devices writes each function's address: byte 1 is no reset then. */
Test(pci_ports, addresses_do_not_reset)
{
    for (unsigned function = 0; function < 256; function++) {
        fake_write(p.m.io, 0xcf8, ENABLE | function << 8 | 4, 4);
    }
    fake_write(p.m.io, 0xcf8, 0x04, 1);
    fake_write(p.m.io, 0xcfa, 0x04, 1);
    fake_write(p.m.io, 0xcfb, 0x04, 1);
    fake_write(p.m.io, 0xcf8, 0x0404, 2);
    cr_expect_eq(p.m.event_count, 0);
    cr_expect_eq(fake_read(p.m.io, 0xcf9, 1), 0);
}

Test(pci_ports, without_a_bridge_there_is_nothing)
{
    struct fake_machine m;
    fake_machine_init(&m, 0);
    struct device *ports = fake_device(&m, "pci-ports", NULL);
    fake_write(m.io, 0xcf8, ENABLE, 4);
    fake_write(m.io, 0xcfc, 0, 4);
    cr_expect_eq(fake_read(m.io, 0xcfc, 4), 0xffffffff);
    cr_expect_eq(fake_read(m.io, 0xcf8, 4), 0xffffffff, "a system finds no mechanism #1");
    device_free(ports);
    fake_machine_free(&m);
}
