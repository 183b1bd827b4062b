/*
 * PCI configuration space: what the header of a function holds, which bits a guest can change, and
 * that both mechanisms reach the same bytes.
 */
#include "tests/unit/pci_fixture.h"

#include <criterion/criterion.h>

static uint64_t zero_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)d, (void)offset, (void)size;
    return 0;
}

static void no_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    (void)d, (void)offset, (void)value, (void)size;
}

static const struct reg regs[] = {{"data", 0, 4, 4, REG_RW, 0, "nothing"}};
static const struct reg_block blocks[] = {
    {.name = "regs", .size = 4096, .regs = regs, .count = 1, .read = zero_read, .write = no_write},
};
static const struct pci_info info = {
    .vendor = 0x1234,
    .device = 0x5678,
    .class_code = 0x00ff00,
    .revision = 0x10,
    .intx = true,
    .bar = {{PCI_BAR_MEM32, false, 0}},
};
static const struct device_class cls = {
    .name = "probe",
    .summary = "for tests",
    .state_size = sizeof(struct device),
    .blocks = blocks,
    .block_count = 1,
    .pci = &info,
};

static struct pci_fixture p;
static struct device *d;

static void setup(void)
{
    pci_fixture_init(&p, 1);
    d = pci_fixture_add(&p, &cls, 0, NULL);
}

static void teardown(void)
{
    device_free(d);
    pci_fixture_free(&p);
}

TestSuite(pci_config, .init = setup, .fini = teardown);

Test(pci_config, a_function_shows_its_header)
{
    cr_expect_eq(pci_slot(d), 1);
    cr_expect_eq(fake_config_read(&p, 1, 0x00, 4), 0x56781234);
    cr_expect_eq(fake_config_read(&p, 1, 0x08, 4), 0x00ff0010);
    cr_expect_eq(fake_config_read(&p, 1, 0x2c, 4), 0x11001af4);
    cr_expect_eq(fake_config_read(&p, 1, 0x3d, 1), 1);
    cr_expect_eq(fake_config_read(&p, 0, 0x00, 4), 0x00081b36, "the bridge itself");
    cr_expect_eq(fake_config_read(&p, 0, 0x08, 4), 0x06000000);
    cr_expect_eq(fake_config_read(&p, 2, 0x00, 4), 0xffffffff, "nothing there");
}
