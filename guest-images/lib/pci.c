/*
 * See pci.h.
 */
#include "pci.h"

#define SLOT_SHIFT     15
#define FUNCTION_SHIFT 12

/* More capabilities than fit: a list that bites its own tail. */
#define CAPABILITIES_MAX 48

struct pci pci_at(unsigned slot, unsigned function)
{
    return (struct pci){
        .slot = slot,
        .config = pci_ecam() + ((uintptr_t)slot << SLOT_SHIFT | function << FUNCTION_SHIFT),
    };
}

bool pci_find(struct pci *p, uint16_t vendor, uint16_t device, unsigned n)
{
    for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
        *p = pci_at(slot, 0);
        if (pci_read32(p, PCI_VENDOR) == ((uint32_t)device << 16 | vendor) && n-- == 0) {
            return true;
        }
    }
    return false;
}

void pci_command(const struct pci *p, uint16_t set, uint16_t clear)
{
    pci_write16(p, PCI_COMMAND, (uint16_t)((pci_read16(p, PCI_COMMAND) & ~clear) | set));
}

bool pci_intx_asserted(const struct pci *p)
{
    return (pci_read16(p, PCI_STATUS) & PCI_STATUS_INTX) != 0;
}

void pci_reset(const struct pci *p)
{
    const unsigned af = pci_capability(p, PCI_CAP_AF);
    CHECK(af != 0);
    CHECK((pci_read8(p, af + PCI_AF_CAPABILITIES) & PCI_AF_HAS_RESET) != 0);
    pci_write8(p, af + PCI_AF_CONTROL, PCI_AF_RESET);
}

uintptr_t pci_bar(const struct pci *p, unsigned n)
{
    return pci_read32(p, PCI_BAR0 + 4 * n) & PCI_BAR_ADDRESS;
}

uint32_t pci_bar_size(const struct pci *p, unsigned n)
{
    const uint16_t command = pci_read16(p, PCI_COMMAND);
    const unsigned reg = PCI_BAR0 + 4 * n;
    const uint32_t before = pci_read32(p, reg);
    pci_write16(p, PCI_COMMAND, command & (uint16_t)~PCI_COMMAND_MEMORY);
    pci_write32(p, reg, UINT32_MAX);
    const uint32_t mask = pci_read32(p, reg) & PCI_BAR_ADDRESS;
    pci_write32(p, reg, before);
    pci_write16(p, PCI_COMMAND, command);
    return -mask;
}

void pci_bar_move(const struct pci *p, unsigned n, uintptr_t gpa)
{
    pci_write32(p, PCI_BAR0 + 4 * n, (uint32_t)gpa);
}

unsigned pci_capability(const struct pci *p, uint8_t id)
{
    if ((pci_read16(p, PCI_STATUS) & PCI_STATUS_CAPABILITIES) == 0) {
        return 0;
    }
    unsigned at = pci_read8(p, PCI_CAPABILITIES);
    for (unsigned i = 0; i < CAPABILITIES_MAX && at != 0; i++) {
        const uint16_t header = pci_read16(p, at);
        if ((header & 0xff) == id) {
            return at;
        }
        at = header >> 8;
    }
    return 0;
}

/* The firmware has noted it there. */
unsigned pci_gsi(const struct pci *p)
{
    return pci_read8(p, PCI_INTERRUPT_LINE);
}

void pci_msi_on(const struct pci *p, struct irq_message message)
{
    const unsigned msi = pci_capability(p, PCI_CAP_MSI);
    CHECK(msi != 0);
    const uint16_t control = pci_read16(p, msi + PCI_MSI_CONTROL);
    CHECK((control & PCI_MSI_64BIT) != 0);
    pci_write32(p, msi + PCI_MSI_ADDRESS, (uint32_t)message.address);
    pci_write32(p, msi + PCI_MSI_ADDRESS_HIGH, (uint32_t)(message.address >> 32));
    pci_write16(p, msi + PCI_MSI_DATA, (uint16_t)message.data);
    pci_write16(p, msi + PCI_MSI_CONTROL, control | PCI_MSI_ENABLE);
}

void pci_msi_off(const struct pci *p)
{
    const unsigned msi = pci_capability(p, PCI_CAP_MSI);
    CHECK(msi != 0);
    const uint16_t control = pci_read16(p, msi + PCI_MSI_CONTROL);
    pci_write16(p, msi + PCI_MSI_CONTROL, control & (uint16_t)~PCI_MSI_ENABLE);
}

uintptr_t pci_msix_entry(const struct pci *p, unsigned n)
{
    const unsigned msix = pci_capability(p, PCI_CAP_MSIX);
    CHECK(msix != 0);
    const uint32_t table = pci_read32(p, msix + PCI_MSIX_TABLE);
    return pci_bar(p, table & 7) + (table & ~7U) + (uintptr_t)n * PCI_MSIX_ENTRY_SIZE;
}

void pci_msix_set(const struct pci *p, unsigned n, struct irq_message message)
{
    const uintptr_t entry = pci_msix_entry(p, n);
    mmio_write32(entry + PCI_MSIX_ENTRY_ADDRESS, (uint32_t)message.address);
    mmio_write32(entry + PCI_MSIX_ENTRY_ADDRESS_HIGH, (uint32_t)(message.address >> 32));
    mmio_write32(entry + PCI_MSIX_ENTRY_DATA, message.data);
    mmio_write32(entry + PCI_MSIX_ENTRY_CONTROL, 0);
}

void pci_msix_on(const struct pci *p)
{
    const unsigned reg = pci_capability(p, PCI_CAP_MSIX) + PCI_MSIX_CONTROL;
    pci_write16(p, reg, PCI_MSIX_ENABLE);
}

void pci_msix_off(const struct pci *p)
{
    const unsigned reg = pci_capability(p, PCI_CAP_MSIX) + PCI_MSIX_CONTROL;
    pci_write16(p, reg, 0);
}
