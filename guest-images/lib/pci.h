/*
 * PCI for guests: configuration space through ECAM, BARs, capabilities, MSI and
 * MSI-X. Bus 0 only. Source: PCI Local Bus Specification 3.0, chapter 6.
 *
 * Everything is open to the guest, so that it can also be used wrongly. All of
 * it may be called in user mode.
 */
#ifndef GUEST_PCI_H
#define GUEST_PCI_H

#include "guest.h"

#define PCI_SLOTS       32
#define PCI_FUNCTIONS   8
#define PCI_CONFIG_SIZE 256
#define PCI_BARS        6
#define PCI_ABSENT      0xffff /* the vendor id where there is no function */

/* Configuration registers of a type 0 header. */
enum {
    PCI_VENDOR = 0x00,
    PCI_DEVICE = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION = 0x08, /* with the class code in the upper three bytes */
    PCI_HEADER_TYPE = 0x0e,
    PCI_BAR0 = 0x10,
    PCI_SUBSYSTEM_VENDOR = 0x2c,
    PCI_SUBSYSTEM = 0x2e,
    PCI_CAPABILITIES = 0x34,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,
};

enum {
    PCI_COMMAND_IO = 0x001,
    PCI_COMMAND_MEMORY = 0x002,
    PCI_COMMAND_MASTER = 0x004,
    PCI_COMMAND_INTX_OFF = 0x400,
    PCI_STATUS_INTX = 0x08,
    PCI_STATUS_CAPABILITIES = 0x10,
};

#define PCI_BAR_ADDRESS 0xfffffff0U /* of a memory BAR; the rest says its kind */

#define PCI_CAP_MSI  0x05
#define PCI_CAP_MSIX 0x11
#define PCI_CAP_AF   0x13 /* advanced features */

/* The MSI capability with a 64-bit address. */
enum {
    PCI_MSI_CONTROL = 2,
    PCI_MSI_ADDRESS = 4,
    PCI_MSI_ADDRESS_HIGH = 8,
    PCI_MSI_DATA = 12,
};
#define PCI_MSI_ENABLE 0x0001
#define PCI_MSI_64BIT  0x0080

/* The MSI-X capability, and an entry of its table. */
enum {
    PCI_MSIX_CONTROL = 2,
    PCI_MSIX_TABLE = 4,
    PCI_MSIX_PENDING = 8,
    PCI_MSIX_ENTRY_ADDRESS = 0,
    PCI_MSIX_ENTRY_ADDRESS_HIGH = 4,
    PCI_MSIX_ENTRY_DATA = 8,
    PCI_MSIX_ENTRY_CONTROL = 12,
    PCI_MSIX_ENTRY_SIZE = 16,
};
#define PCI_MSIX_SIZE       0x07ff /* of control: entries - 1 */
#define PCI_MSIX_MASK_ALL   0x4000
#define PCI_MSIX_ENABLE     0x8000
#define PCI_MSIX_ENTRY_MASK 0x1

enum { /* the Advanced Features capability */
       PCI_AF_CAPABILITIES = 3,
       PCI_AF_CONTROL = 4,
};
#define PCI_AF_HAS_RESET 0x02 /* of its capabilities */
#define PCI_AF_RESET     0x01 /* of its control register */

/* --- the machine's part (lib/ARCH) ---------------------------------------- */

/* Where bus 0's configuration space is: function f of slot s at +(s << 15 | f << 12). */
uintptr_t pci_ecam(void);

/* Where BARs of 32-bit memory can be. */
struct pci_window {
    uintptr_t base;
    uintptr_t size; /* bytes */
};
struct pci_window pci_window(void);
/* Where the machine's own devices are: no place for a BAR. */
struct pci_window machine_window(void);

/* --- functions ------------------------------------------------------------- */

struct pci {
    unsigned slot;
    uintptr_t config; /* gpa of its configuration space */
};

/* The place for a function; whether there is one, its vendor id tells. */
struct pci pci_at(unsigned slot, unsigned function);

/* The n-th function (0 and up) with these ids, in order of slot; false if there are not so many. */
bool pci_find(struct pci *p, uint16_t vendor, uint16_t device, unsigned n);

static inline uint8_t pci_read8(const struct pci *p, unsigned reg)
{
    return mmio_read8(p->config + reg);
}

static inline uint16_t pci_read16(const struct pci *p, unsigned reg)
{
    return mmio_read16(p->config + reg);
}

static inline uint32_t pci_read32(const struct pci *p, unsigned reg)
{
    return mmio_read32(p->config + reg);
}

static inline void pci_write8(const struct pci *p, unsigned reg, uint8_t value)
{
    mmio_write8(p->config + reg, value);
}

static inline void pci_write16(const struct pci *p, unsigned reg, uint16_t value)
{
    mmio_write16(p->config + reg, value);
}

static inline void pci_write32(const struct pci *p, unsigned reg, uint32_t value)
{
    mmio_write32(p->config + reg, value);
}

/* Set and clear bits of the command register. */
void pci_command(const struct pci *p, uint16_t set, uint16_t clear);

/* Whether the function asks for INTx (its status bit; the command register may silence it). */
bool pci_intx_asserted(const struct pci *p);

/* Function level reset. Checks that the function has it. */
void pci_reset(const struct pci *p);

/* --- BARs: of 32-bit memory ------------------------------------------------- */

/* Where BAR n is. */
uintptr_t pci_bar(const struct pci *p, unsigned n);
/* Its size in bytes, as writing all ones tells; 0: there is no such BAR. Not decoded meanwhile. */
uint32_t pci_bar_size(const struct pci *p, unsigned n);
void pci_bar_move(const struct pci *p, unsigned n, uintptr_t gpa);

/* --- interrupts --------------------------------------------------------------- */

/* Where the capability with this id is in configuration space; 0: there is none. */
unsigned pci_capability(const struct pci *p, uint8_t id);

/* The GSI that the function's INTx line reaches. */
unsigned pci_gsi(const struct pci *p);

/* What the function sends its messages as. */
static inline unsigned pci_requester(const struct pci *p)
{
    return p->slot << 3;
}

/* Send this message for vector 0; off: use INTx. Checks that the function has the capability. */
void pci_msi_on(const struct pci *p, struct irq_message message);
void pci_msi_off(const struct pci *p);

/* The gpa of MSI-X table entry n. */
uintptr_t pci_msix_entry(const struct pci *p, unsigned n);
/* Give entry n its message, unmasked; then turn MSI-X on or off as a whole. */
void pci_msix_set(const struct pci *p, unsigned n, struct irq_message message);
void pci_msix_on(const struct pci *p);
void pci_msix_off(const struct pci *p);

#endif
