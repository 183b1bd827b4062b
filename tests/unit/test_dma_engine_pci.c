/*
 * dma-engine on its real buses: as a PCI function (identity, bus mastering,
 * INTx, MSI, MSI-X, function level reset) and as a platform device.
 */
#include "devices/dma_engine.h"
#include "devices/pci_function.h"
#include "devices/platform.h"
#include "tests/unit/pci_fixture.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <string.h>

enum { IRQ_STATUS = 0x00c, IRQ_ENABLE = 0x010 };
enum { SRC = 0x1000, DST = 0x1008, SIZE = 0x1014, START = 0x1018, DONE = 0x101c, ERROR = 0x1020 };
#define CHANNEL(n) ((n)*0x1000U)
#define FAILED     0x80000000

#define SLOT      2
#define RAM_MIB   8
#define LONG_SIZE (4U << 20)
#define MESSAGE   0xfee00000ULL

static struct pci_fixture p;
static struct device *d;
static uint64_t bar;

static void setup(void)
{
    pci_fixture_init(&p, RAM_MIB);
}

static void teardown(void)
{
    device_free(d);
    pci_fixture_free(&p);
}

TestSuite(dma_engine_bus, .init = setup, .fini = teardown);

static void put(uint32_t reg, uint64_t value, unsigned size)
{
    fake_write(p.m.mem, bar + reg, value, size);
}

static uint32_t get(uint32_t reg)
{
    return (uint32_t)fake_read(p.m.mem, bar + reg, 4);
}

static void config_write(unsigned reg, uint32_t value, unsigned size)
{
    fake_config_write(&p, SLOT, reg, value, size);
}

/* As firmware leaves it: decoding, not a bus master. */
static void plug(const char *props)
{
    d = pci_fixture_add(&p, device_class_find("dma-engine", NULL), SLOT, props);
    cr_assert_eq(pci_assign(p.host, NULL), 0);
    bar = fake_config_read(&p, SLOT, PCI_BAR0, 4);
}

static void set_master(bool on)
{
    config_write(PCI_COMMAND, PCI_COMMAND_MEMORY | (on ? PCI_COMMAND_MASTER : 0), 2);
}

static void copy(unsigned n, uint64_t src, uint64_t dst, uint32_t size)
{
    put(CHANNEL(n) + SRC, src, 8);
    put(CHANNEL(n) + DST, dst, 8);
    put(CHANNEL(n) + SIZE, size, 4);
    put(CHANNEL(n) + START, 1, 4);
}

static uint32_t wait_done(void)
{
    while (get(DONE) == 0) {
        sched_yield();
    }
    return get(DONE);
}

/* The place of capability id, which must be there. */
static unsigned find_capability(uint8_t id)
{
    unsigned at = fake_config_read(&p, SLOT, PCI_CAPABILITIES, 1);
    while (at != 0 && fake_config_read(&p, SLOT, at, 1) != id) {
        at = fake_config_read(&p, SLOT, at + 1, 1);
    }
    cr_assert_neq(at, 0, "capability 0x%x", id);
    return at;
}

/* --- PCI -------------------------------------------------------------- */

Test(dma_engine_bus, what_the_driver_looks_for)
{
    plug(NULL);
    cr_assert_eq(fake_config_read(&p, SLOT, PCI_VENDOR, 4), 0x34561234);
    cr_assert_eq(fake_config_read(&p, SLOT, 0x08, 4), 0x08800001, "class and revision");
    cr_assert_eq(fake_config_read(&p, SLOT, 0x3d, 1), 1, "INTA");
    cr_assert_eq(bar & 0xf, 0, "32-bit memory");
    config_write(PCI_BAR0, UINT32_MAX, 4);
    cr_assert_eq(fake_config_read(&p, SLOT, PCI_BAR0, 4), 0xffff0000, "64 KiB");
    config_write(PCI_BAR0, (uint32_t)bar, 4);
    cr_assert_eq(get(0), 0x34560100);
    find_capability(0x05);
}

Test(dma_engine_bus, copies_as_a_bus_master_only)
{
    plug(NULL);
    memset(p.m.ram, 5, 4096);
    copy(0, 0, 4096, 4096);
    cr_assert_eq(get(DONE), FAILED);
    cr_assert_eq(get(ERROR), 4);
    cr_assert_eq(p.m.ram[4096], 0);
    set_master(true);
    copy(0, 0, 4096, 4096);
    cr_assert_eq(get(DONE), 1);
    cr_assert_eq(memcmp(p.m.ram, p.m.ram + 4096, 4096), 0);
    copy(0, bar, 4096, 4);
    cr_assert_eq(get(ERROR), 2);
    copy(0, 4096, bar + START, 4);
    cr_assert_eq(get(ERROR), 3);
    cr_assert_eq(d->guard.refused, 0, "its own registers were not even tried");
}

Test(dma_engine_bus, losing_bus_mastering_ends_a_long_copy)
{
    plug(NULL);
    for (unsigned i = 0; i < 20; i++) {
        set_master(true);
        copy(0, 0, LONG_SIZE, LONG_SIZE);
        sched_yield();
        set_master(false);
        uint32_t done = wait_done();
        cr_assert(done == 1 || (done == FAILED && get(ERROR) == 4), "0x%x", done);
    }
}

Test(dma_engine_bus, intx_is_high_until_acknowledged)
{
    plug(NULL);
    set_master(true);
    const int gsi = pci_intx_gsi(d);
    copy(0, 0, 4096, 16);
    cr_assert(!p.m.irqs.level[gsi]);
    put(IRQ_ENABLE, 1, 4);
    cr_assert(p.m.irqs.level[gsi]);
    put(IRQ_STATUS, 1, 4);
    cr_assert(!p.m.irqs.level[gsi]);
    for (unsigned i = 0; i < 2; i++) {
        copy(0, 0, LONG_SIZE, LONG_SIZE);
        cr_assert_eq(wait_done(), 1);
        cr_assert(p.m.irqs.level[gsi]);
        put(IRQ_STATUS, 1, 4);
        cr_assert(!p.m.irqs.level[gsi]);
    }
    cr_assert_eq(p.m.irqs.raised[gsi], 3);
}

Test(dma_engine_bus, msi_sends_one_message_a_copy)
{
    plug(NULL);
    set_master(true);
    const unsigned msi = find_capability(0x05);
    config_write(msi + 4, MESSAGE, 4);
    config_write(msi + 12, 0x41, 2);
    config_write(msi + 2, 1, 2);
    copy(0, 0, 4096, 16);
    cr_assert_eq(p.m.msis[0].sent, 0);
    put(IRQ_STATUS, 1, 4);
    put(IRQ_ENABLE, 1, 4);
    for (unsigned i = 1; i <= 3; i++) {
        copy(0, 0, 4096, 16);
        cr_assert_eq(p.m.msis[0].sent, i);
        put(IRQ_STATUS, 1, 4);
        cr_assert_eq(p.m.msis[0].sent, i);
    }
    cr_assert_eq(p.m.irqs.raised[pci_intx_gsi(d)], 0);
}

/* The guest chose MSI although there is MSI-X: channels share the message. */
Test(dma_engine_bus, msi_asks_again_for_the_channels_left)
{
    plug("channels=3,msix=on");
    set_master(true);
    const unsigned msi = find_capability(0x05);
    config_write(msi + 4, MESSAGE, 4);
    config_write(msi + 12, 0x41, 2);
    config_write(msi + 2, 1, 2);
    put(IRQ_ENABLE, 7, 4);
    for (unsigned n = 0; n < 3; n++) {
        copy(n, 0, 4096, 16);
        cr_assert_eq(p.m.msis[0].sent, n + 1);
    }
    put(IRQ_STATUS, 1, 4);
    cr_assert_eq(p.m.msis[0].sent, 4);
    put(IRQ_STATUS, 1, 4);
    cr_assert_eq(p.m.msis[0].sent, 4, "nothing was acknowledged");
    put(IRQ_STATUS, 2, 4);
    cr_assert_eq(p.m.msis[0].sent, 5);
    put(IRQ_STATUS, 4, 4);
    cr_assert_eq(p.m.msis[0].sent, 5, "nothing is left");
}

Test(dma_engine_bus, msix_sends_each_channel_its_message)
{
    plug("channels=15,msix=on");
    set_master(true);
    const unsigned msix = find_capability(0x11);
    const uint64_t table = fake_config_read(&p, SLOT, PCI_BAR0 + 4, 4);
    unsigned sent = 0;
    cr_assert_eq(fake_config_read(&p, SLOT, msix + 2, 2) & 0x7ff, 15, "16 vectors");
    for (unsigned n = 0; n < 16; n++) {
        fake_write(p.m.mem, table + 16 * n, MESSAGE, 8);
        fake_write(p.m.mem, table + 16 * n + 8, 0x40 + n, 8);
    }
    config_write(msix + 2, 0x8000, 2);
    put(IRQ_ENABLE, 0x7fff, 4);
    for (unsigned n = 0; n < 15; n++) {
        copy(n, 0, 4096, 16);
    }
    for (unsigned i = 0; i < FAKE_MSIS; i++) {
        const struct fake_msi *m = &p.m.msis[i];
        if (m->taken && m->data >= 0x40 && m->data < 0x4f) {
            cr_assert_eq(m->sent, 1);
            sent++;
        }
    }
    cr_assert_eq(sent, 15);
}

Test(dma_engine_bus, a_function_level_reset_ends_a_long_copy)
{
    plug(NULL);
    set_master(true);
    put(IRQ_ENABLE, 1, 4);
    copy(0, 0, LONG_SIZE, LONG_SIZE);
    config_write(find_capability(0x13) + 4, 1, 1);
    memset(p.m.ram + LONG_SIZE, 9, LONG_SIZE);
    cr_assert_eq(fake_config_read(&p, SLOT, PCI_COMMAND, 2), 0);
    config_write(PCI_BAR0, (uint32_t)bar, 4);
    set_master(true);
    cr_assert_eq(get(DONE) | get(ERROR) | get(SIZE) | get(IRQ_STATUS) | get(IRQ_ENABLE), 0);
    copy(0, 0, 4096, 16);
    cr_assert_eq(get(DONE), 1);
    cr_assert_eq(p.m.ram[LONG_SIZE], 9);
    cr_assert_eq(p.m.ram[2 * LONG_SIZE - 1], 9);
}

/* --- platform --------------------------------------------------------- */

Test(dma_engine_bus, the_same_registers_as_a_platform_device)
{
    struct err e = ERR_INIT;
    d = fake_device_new(&p.m, device_class_find("dma-engine", NULL), "channels=2,msix=on");
    bar = 0xfe000000;
    cr_assert_eq(platform_plug(d, bar, 10, &e), 0);
    cr_assert_eq(device_realize(d, &e), 0, "%s", e.what);
    cr_assert_eq(get(0), 0x34560100);
    put(IRQ_ENABLE, 3, 4);
    copy(0, 0, 4096, 16);
    copy(1, 0, 4096, 16);
    cr_assert_eq(get(DONE), 1);
    cr_assert(p.m.irqs.level[10]);
    put(IRQ_STATUS, 1, 4);
    cr_assert(p.m.irqs.level[10], "channel 1 still waits");
    put(IRQ_STATUS, 2, 4);
    cr_assert(!p.m.irqs.level[10]);
}
