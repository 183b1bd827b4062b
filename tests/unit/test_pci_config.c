/*
 * PCI configuration space: what the header and the capabilities of a function hold, which bits a
 * guest can change, what is absent, and the two kinds of reset.
 */
#include "tests/unit/pci_fixture.h"

#include <criterion/criterion.h>

static struct pci_fixture p;
static struct device *d;

static void setup(void)
{
    pci_fixture_init(&p, 1);
    d = pci_fixture_add(&p, &pci_probe_class, 3, NULL);
}

static void teardown(void)
{
    device_free(d);
    pci_fixture_free(&p);
}

TestSuite(pci_config, .init = setup, .fini = teardown);

static uint32_t config(unsigned reg, unsigned size)
{
    return fake_config_read(&p, 3, reg, size);
}

static void set_config(unsigned reg, uint32_t value, unsigned size)
{
    fake_config_write(&p, 3, reg, value, size);
}

Test(pci_config, each_byte_holds_and_takes_what_the_specification_says)
{
    for (unsigned reg = 0; reg < 256; reg++) {
        uint8_t value, writable;
        pci_probe_oracle(reg, &value, &writable);
        cr_expect_eq(config(reg, 1), value, "byte 0x%02x is 0x%02x", reg, config(reg, 1));
        set_config(reg, (uint8_t)~value, 1);
        cr_expect_eq(config(reg, 1) ^ value, writable, "byte 0x%02x: bits 0x%02x change", reg,
                     config(reg, 1) ^ value);
        set_config(reg, value, 1);
    }
    cr_expect_eq(pci_probe_resets(d), 2, "at the start, and by the test's way through AF control");
}

Test(pci_config, words_and_dwords_are_the_same_bytes)
{
    set_config(0x3c, 0x5a, 1);
    for (unsigned reg = 0; reg < 256; reg += 4) {
        uint32_t bytes = 0;
        for (unsigned i = 0; i < 4; i++) {
            bytes |= config(reg + i, 1) << 8 * i;
        }
        cr_expect_eq(config(reg, 4), bytes);
        cr_expect_eq(config(reg, 2), bytes & 0xffff);
        cr_expect_eq(config(reg + 2, 2), bytes >> 16);
    }
    set_config(0x48, 0x11223344, 4);
    set_config(0x4a, 0x5566, 2);
    set_config(0x49, 0x77, 1);
    cr_expect_eq(config(0x48, 4), 0x55667744);
}

Test(pci_config, the_bridge_is_function_0_of_slot_0)
{
    cr_expect_eq(fake_config_read(&p, 0, 0x00, 4), 0x00081b36);
    cr_expect_eq(fake_config_read(&p, 0, 0x08, 4), 0x06000000);
    cr_expect_eq(fake_config_read(&p, 0, 0x2c, 4), 0x11001af4);
    cr_expect_eq(fake_config_read(&p, 0, 0x06, 2), 0, "it has no capabilities");
    cr_expect_eq(fake_config_read(&p, 0, 0x3d, 1), 0, "and no pin");
    fake_config_write(&p, 0, 0x10, 0xffffffff, 4);
    cr_expect_eq(fake_config_read(&p, 0, 0x10, 4), 0, "nor BARs");
    fake_config_write(&p, 0, 0x04, 0xffff, 2);
    cr_expect_eq(fake_config_read(&p, 0, 0x04, 2), 0x0547);
    device_reset(p.host);
    cr_expect_eq(fake_config_read(&p, 0, 0x04, 2), 0);
}

Test(pci_config, what_is_not_there_reads_all_ones)
{
    static const struct {
        unsigned slot, reg;
    } absent[] = {{1, 0}, {31, 0}, {3, 0x1000}, {3, 0x7000}, {3, 0x100}, {3, 0xffc}, {0, 0x100}};
    for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
        const unsigned slot = absent[i].slot, reg = absent[i].reg;
        fake_config_write(&p, slot, reg, 0, 4);
        cr_expect_eq(fake_config_read(&p, slot, reg, 4), 0xffffffff, "slot %u reg %x", slot, reg);
        cr_expect_eq(fake_config_read(&p, slot, reg, 2), 0xffff);
        cr_expect_eq(fake_config_read(&p, slot, reg, 1), 0xff);
    }
    cr_expect_eq(guest_error_count(&p.host->guest_errors), 0, "looking for devices is no mistake");
    cr_expect_eq(fake_read(p.m.mem, FIXTURE_ECAM + 0x100000, 4), 0xffffffff, "there is no bus 1");
}

Test(pci_config, wide_and_misaligned_accesses_are_refused_and_counted)
{
    static const struct {
        unsigned offset, size;
    } refused[] = {{0, 8}, {8, 8}, {1, 2}, {3, 2}, {1, 4}, {2, 4}, {3, 4}, {4, 8}};
    const uint64_t base = FIXTURE_ECAM + (3 << 15) + 0x0c;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        const uint64_t gpa = base + refused[i].offset;
        const unsigned size = refused[i].size;
        fake_write(p.m.mem, gpa, UINT64_MAX, size);
        cr_expect_eq(guest_error_count(&p.host->guest_errors), 2 * i + 1);
        cr_expect_eq(fake_read(p.m.mem, gpa, size), UINT64_MAX >> (64 - 8 * size));
        cr_expect_eq(guest_error_count(&p.host->guest_errors), 2 * i + 2);
    }
    cr_expect_eq(config(0x0c, 4), 0, "no write had an effect");
    cr_expect_eq(config(0x10, 4), 0);
}

/* Make it differ from its reset state in every way a guest can. */
static void disturb(void)
{
    set_config(0x10, 0xc0000000, 4);
    set_config(0x14, 0x2000, 4);
    set_config(0x3c, 7, 1);
    set_config(0x44, 0xfee00000, 4);
    set_config(0x04, 7, 2);
    fake_write(p.m.mem, 0xc0000000 + PROBE_SCRATCH, 1, 4);
    fake_write(p.m.io, 0x2000 + PROBE_RAISE, 5, 4);
    cr_assert(p.m.irqs.level[FIXTURE_GSI + 3]);
    cr_assert_eq(config(0x06, 2), 0x18);
}

static void expect_reset(void)
{
    cr_expect(!p.m.irqs.level[FIXTURE_GSI + 3]);
    for (unsigned reg = 0; reg < 256; reg++) {
        uint8_t value, writable;
        pci_probe_oracle(reg, &value, &writable);
        cr_expect_eq(config(reg, 1), value, "byte 0x%02x", reg);
    }
    cr_expect_eq(fake_read(p.m.mem, 0xc0000000, 4), 0xffffffff, "it decodes nothing");
    cr_expect_eq(fake_read(p.m.io, 0x2000, 4), 0xffffffff);
    set_config(0x10, 0xc0000000, 4);
    set_config(0x04, 2, 2);
    cr_expect_eq(fake_read(p.m.mem, 0xc0000000 + PROBE_SCRATCH, 4), 0, "the device too was reset");
    cr_expect_eq(config(0x06, 2), 0x10, "nothing is raised");
}

Test(pci_config, a_machine_reset_gives_the_first_state)
{
    disturb();
    device_reset(d);
    expect_reset();
}

Test(pci_config, a_function_level_reset_gives_the_first_state)
{
    const unsigned resets = pci_probe_resets(d);
    disturb();
    set_config(0x54, 0xfe, 1);
    set_config(0x55, 0x01, 1);
    set_config(0x50, 0x01010101, 4);
    cr_expect_eq(pci_probe_resets(d), resets, "only bit 0 of AF control does");
    cr_expect(p.m.irqs.level[FIXTURE_GSI + 3]);
    set_config(0x54, 0x01, 1);
    cr_expect_eq(pci_probe_resets(d), resets + 1);
    expect_reset();
    set_config(0x54, 0xffffffff, 4);
    cr_expect_eq(pci_probe_resets(d), resets + 2, "by a wider write as well");
}

/* A class that says nothing but its ids. */
static const struct pci_info bare_info = {
    .vendor = 0xabcd,
    .device = 0xef01,
    .subsystem_vendor = 0x1111,
    .subsystem = 0x2222,
    .class_code = 0x020301,
};
static const struct device_class bare_class = {
    .name = "bare",
    .summary = "for tests",
    .state_size = sizeof(struct device),
    .pci = &bare_info,
};

Test(pci_config, a_function_without_anything_says_so)
{
    struct device *bare = pci_fixture_add(&p, &bare_class, 5, NULL);
    cr_expect_eq(fake_config_read(&p, 5, 0x00, 4), 0xef01abcd);
    cr_expect_eq(fake_config_read(&p, 5, 0x08, 4), 0x02030100);
    cr_expect_eq(fake_config_read(&p, 5, 0x2c, 4), 0x22221111);
    cr_expect_eq(fake_config_read(&p, 5, 0x06, 2), 0, "no list of capabilities");
    cr_expect_eq(fake_config_read(&p, 5, 0x34, 1), 0);
    cr_expect_eq(fake_config_read(&p, 5, 0x3d, 1), 0, "no pin");
    cr_expect_eq(pci_intx_gsi(bare), -1);
    fake_config_write(&p, 5, 0x54, 1, 1);
    device_lock(bare);
    device_raise(bare, 0);
    device_unlock(bare);
    cr_expect_eq(fake_config_read(&p, 5, 0x06, 2), 0, "without a pin nothing shows");
    device_free(bare);
    cr_expect_eq(fake_config_read(&p, 5, 0x00, 4), 0xffffffff, "it is gone");
}
