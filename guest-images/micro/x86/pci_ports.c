/*
 * PCI configuration through the ports 0xcf8 and 0xcfc shows what ECAM shows.
 * Wants an edu.
 */
#include "edu.h"
#include "x86.h"

#define ENABLE     0x80000000U
#define BUS_1      0x00010000U
#define SLOT_SHIFT 11

static struct pci edu;

static void select(uint32_t address)
{
    port_out32(PORT_PCI_ADDRESS, address);
}

static void same_as_ecam(const struct pci *p, unsigned reg)
{
    const uint32_t value = pci_read32(p, reg);
    select(ENABLE | p->slot << SLOT_SHIFT | reg);
    CHECK_EQ(port_in32(PORT_PCI_DATA), value);
    CHECK_EQ(port_in16(PORT_PCI_DATA), value & 0xffff);
    CHECK_EQ(port_in16(PORT_PCI_DATA + 2), value >> 16);
    for (uint16_t i = 0; i < 4; i++) {
        CHECK_EQ(port_in8(PORT_PCI_DATA + i), value >> 8 * i & 0xff);
    }
}

static uint64_t all_registers(uint64_t arg)
{
    const struct pci bridge = pci_at(0, 0), nothing = pci_at(PCI_SLOTS - 1, 0);
    (void)arg;
    for (unsigned reg = 0; reg < PCI_CONFIG_SIZE; reg += 4) {
        same_as_ecam(&edu, reg);
    }
    for (unsigned reg = 0; reg < PCI_BAR0; reg += 4) {
        same_as_ecam(&bridge, reg);
        same_as_ecam(&nothing, reg);
    }
    return 0;
}

static void writes(void)
{
    const uint8_t line = pci_read8(&edu, PCI_INTERRUPT_LINE);
    select(ENABLE | edu.slot << SLOT_SHIFT | PCI_INTERRUPT_LINE);
    port_out8(PORT_PCI_DATA, 0x5a);
    CHECK_EQ(pci_read8(&edu, PCI_INTERRUPT_LINE), 0x5a);
    port_out32(PORT_PCI_DATA, line);
    CHECK_EQ(pci_read16(&edu, PCI_INTERRUPT_LINE), 0x0100 | line);
}

/* Without the enable bit, or on a bus that is not there, there is nothing. */
static void nothing_selected(void)
{
    const uint32_t address = edu.slot << SLOT_SHIFT | PCI_INTERRUPT_LINE;
    const uint32_t before = pci_read32(&edu, PCI_INTERRUPT_LINE);
    const uint32_t others[] = {address, ENABLE | BUS_1 | address, ENABLE | 0x00ff0000 | address};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        select(others[i]);
        port_out32(PORT_PCI_DATA, 0x5a5a5a5a);
        CHECK_EQ(port_in32(PORT_PCI_DATA), UINT32_MAX);
    }
    CHECK_EQ(pci_read32(&edu, PCI_INTERRUPT_LINE), before);
}

/* The address register takes 32 bits at once only. */
static void address_register(void)
{
    select(ENABLE | edu.slot << SLOT_SHIFT);
    CHECK_EQ(port_in32(PORT_PCI_ADDRESS), ENABLE | edu.slot << SLOT_SHIFT);
    port_out8(PORT_PCI_ADDRESS, 0x40);
    port_out16(PORT_PCI_ADDRESS + 2, 0);
    CHECK_EQ(port_in32(PORT_PCI_ADDRESS), ENABLE | edu.slot << SLOT_SHIFT);
    CHECK_EQ(port_in32(PORT_PCI_DATA), (uint32_t)EDU_DEVICE << 16 | EDU_VENDOR);
}

int guest_main(void)
{
    CHECK(pci_find(&edu, EDU_VENDOR, EDU_DEVICE, 0));
    user_call(all_registers, 0);
    writes();
    nothing_selected();
    address_register();
    print("pci_ports: ok\n");
    return 0;
}
