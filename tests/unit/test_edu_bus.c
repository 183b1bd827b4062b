/*
 * edu on the real buses: as a PCI function and as a platform device.
 */
#include "devices/pci_function.h"
#include "devices/platform.h"
#include "tests/unit/edu_fixture.h"
#include "tests/unit/pci_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

enum {
    SLOT = 5,
    GSI = FIXTURE_GSI + SLOT % 4,
    MSI_CONTROL = 0x42,
    MSI_ADDRESS = 0x44,
    MSI_DATA = 0x4c,
};

static struct pci_fixture p;
static struct device *d;
static uint64_t base; /* of the registers */

static uint64_t reg_read(uint32_t reg)
{
    return fake_read(p.m.mem, base + reg, reg < DMA_SRC ? 4 : 8);
}

static void reg_write(uint32_t reg, uint64_t value)
{
    fake_write(p.m.mem, base + reg, value, reg < DMA_SRC ? 4 : 8);
}

static uint64_t bar0(unsigned in_slot)
{
    return fake_config_read(&p, in_slot, PCI_BAR0, 4) & ~15u;
}

static void setup(void)
{
    struct err e = ERR_INIT;
    pci_fixture_init(&p, 1);
    d = pci_fixture_add(&p, device_class_find("edu", NULL), SLOT, NULL);
    cr_assert_eq(pci_assign(p.host, &e), 0, "%s", e.what);
    base = bar0(SLOT);
}

static void teardown(void)
{
    device_free(d);
    pci_fixture_free(&p);
}

TestSuite(edu_pci, .init = setup, .fini = teardown);

static void command_set(uint16_t bits)
{
    uint32_t command = fake_config_read(&p, SLOT, PCI_COMMAND, 2);
    fake_config_write(&p, SLOT, PCI_COMMAND, command | bits, 2);
}

static void command_clear(uint16_t bits)
{
    uint32_t command = fake_config_read(&p, SLOT, PCI_COMMAND, 2);
    fake_config_write(&p, SLOT, PCI_COMMAND, command & ~(uint32_t)bits, 2);
}

static bool intx_status(void)
{
    return (fake_config_read(&p, SLOT, PCI_STATUS, 2) & PCI_STATUS_INTX) != 0;
}

static void transfer(uint64_t src, uint64_t dst, uint64_t count, uint64_t cmd)
{
    reg_write(DMA_SRC, src);
    reg_write(DMA_DST, dst);
    reg_write(DMA_COUNT, count);
    reg_write(DMA_CMD, cmd | RUN);
    fake_clock_advance(&p.m.clock, DELAY_NS);
    loop_poll(p.m.loop);
    cr_assert_eq(reg_read(DMA_CMD), cmd);
}

Test(edu_pci, its_configuration_space_is_that_of_the_specification)
{
    cr_expect_eq(fake_config_read(&p, SLOT, 0x00, 4), 0x11e81234);
    cr_expect_eq(fake_config_read(&p, SLOT, 0x08, 4), 0x00ff0010);
    cr_expect_eq(fake_config_read(&p, SLOT, 0x0e, 1), 0, "header type");
    cr_expect_eq(fake_config_read(&p, SLOT, 0x2c, 4), 0x11001af4);
    cr_expect_eq(fake_config_read(&p, SLOT, 0x3d, 1), 1, "INTA");
    cr_expect_eq(fake_config_read(&p, SLOT, PCI_STATUS, 2) & PCI_STATUS_CAPABILITIES,
                 PCI_STATUS_CAPABILITIES);
    cr_expect_eq(fake_config_read(&p, SLOT, 0x34, 1), 0x40);
    cr_expect_eq(fake_config_read(&p, SLOT, 0x40, 4), 0x00800005, "MSI, 64 bits, the last one");
    fake_config_write(&p, SLOT, PCI_BAR0, 0xffffffff, 4);
    cr_expect_eq(fake_config_read(&p, SLOT, PCI_BAR0, 4), 0xfff00000);
    for (unsigned bar = 1; bar < PCI_BARS; bar++) {
        fake_config_write(&p, SLOT, PCI_BAR0 + 4 * bar, 0xffffffff, 4);
        cr_expect_eq(fake_config_read(&p, SLOT, PCI_BAR0 + 4 * bar, 4), 0);
    }
}

Test(edu_pci, its_registers_move_with_the_bar)
{
    cr_expect_eq(reg_read(ID), 0x010000ed);
    reg_write(LIVENESS, 1);
    fake_config_write(&p, SLOT, PCI_BAR0, 0xc7700000, 4);
    cr_expect_eq(reg_read(ID), 0xffffffff);
    base = 0xc7700000;
    cr_expect_eq(reg_read(LIVENESS), ~1u);
    command_clear(PCI_COMMAND_MEMORY);
    cr_expect_eq(reg_read(ID), 0xffffffff);
    command_set(PCI_COMMAND_MEMORY);
    cr_expect_eq(reg_read(ID), 0x010000ed);
}

Test(edu_pci, inta_is_up_until_all_is_acknowledged)
{
    reg_write(IRQ_RAISE, 5);
    reg_write(IRQ_RAISE, 2);
    cr_expect(p.m.irqs.level[GSI]);
    cr_expect(intx_status());
    reg_write(IRQ_ACK, 1);
    cr_expect(p.m.irqs.level[GSI]);
    reg_write(IRQ_ACK, 6);
    cr_expect(!p.m.irqs.level[GSI]);
    cr_expect(!intx_status());
    cr_expect_eq(p.m.irqs.raised[GSI], 1);
}

Test(edu_pci, the_command_register_masks_inta)
{
    command_set(PCI_COMMAND_INTX_OFF);
    reg_write(IRQ_RAISE, 1);
    cr_expect(!p.m.irqs.level[GSI]);
    cr_expect(intx_status());
    command_clear(PCI_COMMAND_INTX_OFF);
    cr_expect(p.m.irqs.level[GSI]);
    device_reset(d);
    cr_expect(!p.m.irqs.level[GSI]);
    cr_expect(!intx_status());
}

static void enable_msi(void)
{
    fake_config_write(&p, SLOT, MSI_ADDRESS, 0xfee00000, 4);
    fake_config_write(&p, SLOT, MSI_DATA, 0x41, 2);
    fake_config_write(&p, SLOT, MSI_CONTROL, 1, 2);
    command_set(PCI_COMMAND_MASTER); /* a message is a write to memory */
}

Test(edu_pci, with_msi_each_raise_is_a_message_and_inta_rests)
{
    enable_msi();
    unsigned calls = p.m.irqs.raised[GSI];
    reg_write(IRQ_RAISE, 1);
    reg_write(IRQ_RAISE, 1);
    cr_expect_eq(p.m.msis[0].sent, 2);
    cr_expect_eq(p.m.msis[0].data, 0x41);
    reg_write(IRQ_ACK, 1);
    reg_write(IRQ_RAISE, 0);
    cr_expect_eq(p.m.msis[0].sent, 2);
    cr_expect_eq(p.m.irqs.raised[GSI], calls);
}

Test(edu_pci, dma_ends_with_a_message)
{
    enable_msi();
    memset(p.m.ram + 0x1000, 0x42, 8);
    transfer(0x1000, BUFFER, 8, TO_BUFFER | DMA_IRQ);
    transfer(BUFFER, 0x2000, 8, TO_MEMORY | DMA_IRQ);
    cr_expect_eq(memcmp(p.m.ram + 0x2000, p.m.ram + 0x1000, 8), 0);
    cr_expect_eq(p.m.msis[0].sent, 2);
    cr_expect_eq(reg_read(IRQ_STATUS), 0x100);
}

Test(edu_pci, dma_needs_bus_mastering)
{
    memset(p.m.ram + 0x1000, 0x42, 8);
    command_set(PCI_COMMAND_MASTER);
    transfer(0x1000, BUFFER, 8, TO_BUFFER);
    command_clear(PCI_COMMAND_MASTER);
    transfer(BUFFER, 0x2000, 8, TO_MEMORY | DMA_IRQ);
    cr_expect_eq(p.m.ram[0x2000], 0);
    cr_expect_eq(reg_read(IRQ_STATUS), 0x100);
    cr_expect(p.m.irqs.level[GSI]);
    command_set(PCI_COMMAND_MASTER);
    transfer(BUFFER, 0x2000, 8, TO_MEMORY);
    cr_expect_eq(p.m.ram[0x2000], 0x42);
}

Test(edu_pci, two_of_them_share_a_line)
{
    struct err e = ERR_INIT;
    struct device *other =
        pci_fixture_add(&p, device_class_find("edu", NULL), SLOT + 4, "dma_delay=0");
    cr_assert_eq(pci_assign(p.host, &e), 0, "%s", e.what);
    const uint64_t bases[] = {bar0(SLOT), bar0(SLOT + 4)};
    for (unsigned i = 0; i < 2; i++) {
        base = bases[i];
        reg_write(LIVENESS, i);
        reg_write(IRQ_RAISE, 1);
    }
    base = bases[0];
    cr_expect_eq(reg_read(LIVENESS), ~0u);
    reg_write(IRQ_ACK, 1);
    cr_expect(p.m.irqs.level[GSI], "the other's reason is pending");
    base = bases[1];
    cr_expect_eq(reg_read(LIVENESS), ~1u);
    reg_write(IRQ_ACK, 1);
    cr_expect(!p.m.irqs.level[GSI]);
    device_free(other);
}

/* --- in the memory map ------------------------------------------------ */

#define PLATFORM_GPA 0xfe000000ULL
#define PLATFORM_GSI 10

static void platform_setup(void)
{
    struct err e = ERR_INIT;
    fake_machine_init(&p.m, 1);
    d = device_new(device_class_find("edu", NULL), "edu", &p.m.env, &e);
    cr_assert_not_null(d);
    cr_assert_eq(platform_plug(d, PLATFORM_GPA, PLATFORM_GSI, &e), 0);
    cr_assert_eq(device_realize(d, &e), 0, "%s", e.what);
    base = PLATFORM_GPA;
}

static void platform_teardown(void)
{
    device_free(d);
    fake_machine_free(&p.m);
}

TestSuite(edu_platform, .init = platform_setup, .fini = platform_teardown);

Test(edu_platform, is_the_same_device_with_nothing_to_set_up)
{
    cr_expect_str_eq(d->cls->compatible, "vmm,edu");
    cr_expect_eq(reg_read(ID), 0x010000ed);
    memset(p.m.ram + 0x1000, 0x42, 8);
    transfer(0x1000, BUFFER, 8, TO_BUFFER);
    cr_expect(!p.m.irqs.level[PLATFORM_GSI]);
    transfer(BUFFER, 0x2000, 8, TO_MEMORY | DMA_IRQ);
    cr_expect_eq(p.m.ram[0x2007], 0x42);
    cr_expect(p.m.irqs.level[PLATFORM_GSI]);
    reg_write(IRQ_ACK, 0x100);
    cr_expect(!p.m.irqs.level[PLATFORM_GSI]);
}

Test(edu_platform, reset_and_removal_lower_its_line)
{
    reg_write(IRQ_RAISE, 1);
    cr_expect(p.m.irqs.level[PLATFORM_GSI]);
    device_reset(d);
    cr_expect(!p.m.irqs.level[PLATFORM_GSI]);
    reg_write(IRQ_RAISE, 1);
    device_free(d);
    d = NULL;
    cr_expect(!p.m.irqs.level[PLATFORM_GSI]);
}
