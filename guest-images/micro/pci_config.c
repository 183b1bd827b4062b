/*
 * Configuration space: what is on the bus, edu's header byte by byte, what is
 * not there, and accesses that do not fit. Wants edu in slot 5 (addr=5).
 */
#include "edu.h"

#define EDU_SLOT     5
#define COMMAND_BITS 0x0547 /* I/O, memory, master, parity, SERR, INTx off */

static struct pci edu;

static void scan(void)
{
    for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
        const struct pci p = pci_at(slot, 0);
        if (pci_read16(&p, PCI_VENDOR) != PCI_ABSENT) {
            print("pci_config: %02x %04x:%04x class %06x\n", slot, pci_read16(&p, PCI_VENDOR),
                  pci_read16(&p, PCI_DEVICE), pci_read32(&p, PCI_REVISION) >> 8);
        }
    }
}

/* 64 bytes of header and the MSI capability. Registers that software sets are 0 here. */
static void expected_header(uint8_t header[PCI_CONFIG_SIZE])
{
    static const struct {
        uint8_t offset, value;
    } bytes[] = {
        {0x00, 0x34},
        {0x01, 0x12}, /* vendor */
        {0x02, 0xe8},
        {0x03, 0x11},                    /* device */
        {0x06, PCI_STATUS_CAPABILITIES}, /* status */
        {0x08, 0x10},
        {0x0a, 0xff}, /* revision; class 00ff00 */
        {0x2c, 0xf4},
        {0x2d, 0x1a},
        {0x2f, 0x11}, /* subsystem 1af4:1100 */
        {0x34, 0x40}, /* capabilities */
        {0x3d, 0x01}, /* INTA */
        {0x40, 0x05},
        {0x42, 0x80}, /* MSI: 64-bit address, one message */
    };
    memset(header, 0, PCI_CONFIG_SIZE);
    for (size_t i = 0; i < ARRAY_SIZE(bytes); i++) {
        header[bytes[i].offset] = bytes[i].value;
    }
}

static bool set_by_software(unsigned reg)
{
    return reg == PCI_COMMAND || reg == PCI_COMMAND + 1 ||
           (reg >= PCI_BAR0 && reg < PCI_BAR0 + 4) || reg == PCI_INTERRUPT_LINE;
}

static void header(void)
{
    static uint8_t expect[PCI_CONFIG_SIZE];
    const unsigned next_capability = pci_read8(&edu, 0x41);
    const unsigned end = next_capability != 0 ? next_capability : PCI_CONFIG_SIZE;
    expected_header(expect);
    expect[0x41] = (uint8_t)next_capability;
    for (unsigned reg = 0; reg < end; reg++) {
        if (!set_by_software(reg)) {
            CHECK_EQ(pci_read8(&edu, reg), expect[reg]);
        }
    }
    CHECK_EQ(pci_read8(&edu, PCI_COMMAND) & PCI_COMMAND_MASTER, 0);
    CHECK_EQ(pci_read32(&edu, PCI_BAR0) & ~PCI_BAR_ADDRESS, 0);
    CHECK(pci_bar(&edu, 0) >= pci_window().base);
}

/* A register is the same whatever the width; what conventional PCI has not reads all ones. */
static uint64_t widths_agree(uint64_t arg)
{
    (void)arg;
    for (unsigned reg = 0; reg < PCI_CONFIG_SIZE; reg += 4) {
        const uint32_t value = pci_read32(&edu, reg);
        CHECK_EQ(pci_read16(&edu, reg), value & 0xffff);
        CHECK_EQ(pci_read16(&edu, reg + 2), value >> 16);
        for (unsigned i = 0; i < 4; i++) {
            CHECK_EQ(pci_read8(&edu, reg + i), value >> 8 * i & 0xff);
        }
    }
    for (unsigned reg = PCI_CONFIG_SIZE; reg < 4096; reg += 252) {
        CHECK_EQ(pci_read32(&edu, reg), UINT32_MAX);
    }
    return 0;
}

static void is_absent(const struct pci *p)
{
    CHECK_EQ(pci_read32(p, PCI_VENDOR), UINT32_MAX);
    pci_write32(p, PCI_COMMAND, UINT32_MAX);
    pci_write32(p, PCI_BAR0, 0xc0000000);
    CHECK_EQ(pci_read16(p, PCI_COMMAND), UINT16_MAX);
    CHECK_EQ(pci_read8(p, PCI_BAR0 + 3), UINT8_MAX);
    CHECK_EQ(pci_read32(p, PCI_CONFIG_SIZE - 4), UINT32_MAX);
}

static uint64_t absent_functions(uint64_t arg)
{
    (void)arg;
    for (unsigned slot = 1; slot < PCI_SLOTS; slot++) {
        for (unsigned function = slot == EDU_SLOT; function < PCI_FUNCTIONS; function++) {
            const struct pci p = pci_at(slot, function);
            is_absent(&p);
        }
    }
    return 0;
}

/* Misaligned and 8-byte accesses reach nothing. */
static void misfits(void)
{
    const uint32_t line = pci_read32(&edu, PCI_INTERRUPT_LINE);
    for (uintptr_t i = 0; i < 4; i++) {
        const uintptr_t gpa = edu.config + PCI_INTERRUPT_LINE - 4 + i;
        CHECK_EQ(mmio_read64(gpa), UINT64_MAX);
        mmio_write64(gpa, 0x5a5a5a5a5a5a5a5a);
        if (i != 0) {
            CHECK_EQ(mmio_read32(gpa + 4), UINT32_MAX);
            mmio_write32(gpa, 0x5a5a5a5a);
            mmio_write32(gpa + 4, 0x5a5a5a5a);
        }
        if (i % 2 != 0) {
            CHECK_EQ(mmio_read16(gpa + 4), UINT16_MAX);
            mmio_write16(gpa + 4, 0x5a5a);
        }
    }
    CHECK_EQ(pci_read32(&edu, PCI_INTERRUPT_LINE), line);
}

/* Bits that are there can be set and no others. */
static void writable_bits(void)
{
    const uint32_t command = pci_read32(&edu, PCI_COMMAND);
    const uint8_t line = pci_read8(&edu, PCI_INTERRUPT_LINE);
    const unsigned msi = pci_capability(&edu, PCI_CAP_MSI);
    pci_write32(&edu, PCI_VENDOR, 0);
    pci_write32(&edu, PCI_REVISION, 0);
    pci_write32(&edu, PCI_SUBSYSTEM_VENDOR, 0);
    CHECK_EQ(pci_read32(&edu, PCI_VENDOR), 0x11e81234);
    CHECK_EQ(pci_read32(&edu, PCI_REVISION), 0x00ff0010);
    CHECK_EQ(pci_read32(&edu, PCI_SUBSYSTEM_VENDOR), 0x11001af4);
    pci_write32(&edu, PCI_COMMAND, UINT32_MAX);
    CHECK_EQ(pci_read32(&edu, PCI_COMMAND), PCI_STATUS_CAPABILITIES << 16 | COMMAND_BITS);
    pci_write32(&edu, PCI_COMMAND, command);
    pci_write8(&edu, PCI_INTERRUPT_LINE, 0x5a);
    CHECK_EQ(pci_read16(&edu, PCI_INTERRUPT_LINE), 0x015a);
    pci_write8(&edu, PCI_INTERRUPT_LINE, line);
    pci_write32(&edu, PCI_BAR0 + 4, UINT32_MAX);
    CHECK_EQ(pci_read32(&edu, PCI_BAR0 + 4), 0);
    pci_write32(&edu, msi + PCI_MSI_ADDRESS, UINT32_MAX);
    CHECK_EQ(pci_read32(&edu, msi + PCI_MSI_ADDRESS), ~3U);
    pci_write32(&edu, msi + PCI_MSI_DATA, UINT32_MAX);
    CHECK_EQ(pci_read32(&edu, msi + PCI_MSI_DATA), UINT16_MAX);
    CHECK_EQ(pci_capability(&edu, PCI_CAP_MSIX), 0);
}

int guest_main(void)
{
    scan();
    edu = pci_at(EDU_SLOT, 0);
    header();
    user_call(widths_agree, 0);
    user_call(absent_functions, 0);
    misfits();
    writable_bits();
    print("pci_config: ok\n");
    return 0;
}
