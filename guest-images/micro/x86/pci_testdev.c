/*
 * pci-testdev: a BAR of memory and one of ports, with writes that exit and writes that KVM
 * counts by an eventfd; then the BAR of ports sized, moved and switched off.
 */
#include "pci.h"
#include "x86.h"

enum {
    TEST = 0,
    WIDTH = 1,
    OFFSET = 4,
    DATA = 8,
    COUNT = 12,
    NAME = 16,
};

#define VENDOR  0x1b36
#define DEVICE  0x0005
#define IO_BAR  1
#define IO_REG  (PCI_BAR0 + 4 * IO_BAR)
#define IO_FLAG 1U
#define IO_SIZE 256
#define OTHER   0x8000U /* ports for the BAR to move to */
#define TESTS   3
#define WRITES  16

static struct pci pci;

static uint8_t read8(uintptr_t base, bool io, unsigned reg)
{
    return io ? port_in8((uint16_t)(base + reg)) : mmio_read8(base + reg);
}

static uint32_t read32(uintptr_t base, bool io, unsigned reg)
{
    return io ? port_in32((uint16_t)(base + reg)) : mmio_read32(base + reg);
}

static void write8(uintptr_t base, bool io, unsigned reg, uint8_t value)
{
    if (io) {
        port_out8((uint16_t)(base + reg), value);
    } else {
        mmio_write8(base + reg, value);
    }
}

static void run_test(uintptr_t base, bool io, unsigned test)
{
    char name[32];
    write8(base, io, TEST, (uint8_t)test);
    CHECK_EQ(read8(base, io, WIDTH), 1);
    CHECK_EQ(read32(base, io, COUNT), 0);
    const uint32_t offset = read32(base, io, OFFSET);
    const uint8_t data = (uint8_t)read32(base, io, DATA);
    for (unsigned i = 0; i < WRITES; i++) {
        write8(base, io, offset, data);
    }
    CHECK_EQ(read32(base, io, COUNT), WRITES);
    write8(base, io, offset, (uint8_t)(data + 1));
    CHECK_EQ(read32(base, io, COUNT), test == 1 ? WRITES + 1 : WRITES);
    for (unsigned i = 0; i < sizeof(name); i++) {
        name[i] = (char)read8(base, io, NAME + i);
    }
    print("pci_testdev: %s\n", name);
}

static void run_tests(uintptr_t base, bool io)
{
    for (unsigned test = 0; test < TESTS; test++) {
        run_test(base, io, test);
    }
    write8(base, io, TEST, TESTS);
    CHECK_EQ(read8(base, io, WIDTH), 0);
}

static uint16_t io_base(void)
{
    const uint32_t bar = pci_read32(&pci, IO_REG);
    CHECK_EQ(bar & 3, IO_FLAG);
    return (uint16_t)(bar & ~3U);
}

static void size_and_move(void)
{
    const uint16_t first = io_base();
    pci_command(&pci, 0, PCI_COMMAND_IO);
    CHECK_EQ(port_in8(first + WIDTH), 0xff);
    pci_write32(&pci, IO_REG, UINT32_MAX);
    CHECK_EQ(pci_read32(&pci, IO_REG), ~(IO_SIZE - 1U) | IO_FLAG);
    pci_write32(&pci, IO_REG, OTHER);
    CHECK_EQ(port_in8(OTHER + WIDTH), 0xff);
    pci_command(&pci, PCI_COMMAND_IO, 0);
    CHECK_EQ(io_base(), OTHER);
    CHECK_EQ(port_in8(first + WIDTH), 0xff);
    run_tests(OTHER, true);
    pci_write32(&pci, IO_REG, 0x500); /* below the window of ports: not decoded */
    CHECK_EQ(port_in8(0x500 + WIDTH), 0xff);
    pci_write32(&pci, IO_REG, first);
    run_tests(first, true);
}

int guest_main(void)
{
    CHECK(pci_find(&pci, VENDOR, DEVICE, 0));
    run_tests(pci_bar(&pci, 0), false);
    run_tests(io_base(), true);
    size_and_move();
    print("pci_testdev: ok\n");
    return 0;
}
