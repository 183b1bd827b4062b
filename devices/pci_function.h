/*
 * A PCI function from the inside: for devices/pci*.c only.
 *
 * pci.c         life, the device_bus: reset, INTx, who carries an interrupt
 * pci_config.c  configuration space: the header as a table, masks, capabilities
 * pci_bar.c     BARs: sizing, decoding, moving
 * pci_msi.c     MSI        pci_msix.c  MSI-X
 * pci_host.c    the host bridge: slots, windows, ECAM
 * pci_assign.c  what firmware does: pci_assign()
 * pci_ports.c   configuration mechanism #1 (0xcf8, 0xcfc) of a PC
 *
 * Locking: the device's own lock guards its function. The host bridge takes it for a configuration
 * access, which the ports make under their own; the topology and the routes nest inside.
 */
#ifndef DEVICES_PCI_FUNCTION_H
#define DEVICES_PCI_FUNCTION_H

#include "devices/pci.h"

#define PCI_CONFIG_SIZE 256 /* conventional PCI: what ECAM has beyond reads all ones */

/* Registers of the type 0 header that code names. */
enum {
    PCI_VENDOR = 0x00,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_CLASS = 0x08, /* with the revision */
    PCI_BAR0 = 0x10,
    PCI_SUBSYSTEM = 0x2c,
    PCI_CAPABILITIES = 0x34,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,
    PCI_FIRST_CAPABILITY = 0x40,
};

enum {
    PCI_COMMAND_IO = 0x001,
    PCI_COMMAND_MEMORY = 0x002,
    PCI_COMMAND_MASTER = 0x004,
    PCI_COMMAND_INTX_OFF = 0x400,
    PCI_STATUS_INTX = 0x08,
    PCI_STATUS_CAPABILITIES = 0x10,
};

/* In the Advanced Features capability. */
enum {
    PCI_AF_CONTROL = 4,
    PCI_AF_INITIATE_FLR = 0x01,
};

struct pci_host;
struct pci_msix;

struct pci_bar {
    enum pci_bar_kind kind;
    uint64_t size;
    struct region *region; /* its parent is the window it is mapped in, or NULL */
};

/* A message source, and what the guest gave it to send. */
struct pci_message {
    struct irq_msi source;
    uint64_t address;
    bool live; /* an interrupt controller listens there */
};

struct pci_function {
    struct device *dev;
    struct pci_host *host;
    unsigned slot;
    uint8_t config[PCI_CONFIG_SIZE];
    uint8_t writable[PCI_CONFIG_SIZE]; /* bits a guest can change */
    uint8_t reset[PCI_CONFIG_SIZE];    /* values after reset */
    uint8_t capabilities_end;          /* where the next capability goes */
    uint8_t msi_at, msix_at, af_at;    /* capabilities; 0: there is none */
    struct pci_bar bar[PCI_BARS];
    uint32_t raised; /* bit per vector */
    struct irq intx;
    struct pci_message msi;
    struct pci_msix *msix;                       /* NULL: none */
    uint32_t msix_table[4 * DEVICE_VECTORS_MAX]; /* as the guest sees it */
    uint32_t msix_pending;                       /* bit per vector */
    struct guest_errors unmapped;                /* changes of BARs that the accelerator refused */
};

/* The function behind d, which pci_plugged(). */
struct pci_function *pci_function_of(const struct device *d);

/* --- configuration space (pci_config.c) --- */

/* The header of info: config, writable and reset. */
void pci_config_init(struct pci_function *f, const struct pci_info *info);
void pci_config_reset(struct pci_function *f);
/* Config came from a snapshot: put back what a guest cannot change. */
void pci_config_loaded(struct pci_function *f);
/* size 1, 2 or 4, aligned, inside. With the device's lock held; a write acts at once. */
uint32_t pci_config_read(struct pci_function *f, unsigned reg, unsigned size);
void pci_config_write(struct pci_function *f, unsigned reg, uint32_t value, unsigned size);
/* Link a capability of len bytes, id and next included; returns its place. For set-up. */
uint8_t pci_add_capability(struct pci_function *f, uint8_t id, unsigned len);
/* Declare size bytes at reg: value after reset, and the bits a guest can change. For set-up. */
void pci_declare(struct pci_function *f, unsigned reg, unsigned size, uint64_t reset,
                 uint64_t writable);
uint16_t pci_command(const struct pci_function *f);

/* --- BARs (pci_bar.c) --- */

/* BAR number n shows region as kind. Its size is a power of two: 4 or more for I/O, 16 for memory.
 * For set-up. */
void pci_bar_add(struct pci_function *f, unsigned n, enum pci_bar_kind kind, bool prefetchable,
                 struct region *region);
/* Map and unmap by what command register and BARs say now. */
void pci_bars_update(struct pci_function *f);
/* The address BAR n holds. */
uint64_t pci_bar_address(const struct pci_function *f, unsigned n);

/* --- interrupts --- */

/* Drive INTx, and its status bit, by what is raised and enabled now. (pci.c) */
void pci_intx_update(struct pci_function *f);

/*
 * For MSI and MSI-X alike (pci_msi.c). A message that no interrupt controller listens for is
 * dropped when it is sent, and so is every one while bus mastering is off; both are counted.
 */
int pci_message_get(struct pci_function *f, struct pci_message *m, struct err *e);
void pci_message_put(struct pci_function *f, struct pci_message *m);
void pci_message_set(struct pci_function *f, struct pci_message *m, uint64_t address,
                     uint32_t data);
void pci_message_send(struct pci_function *f, const struct pci_message *m);

/* The capability. pci_msi_fini() also after a failure, and where there is none. */
int pci_msi_init(struct pci_function *f, struct err *e);
void pci_msi_fini(struct pci_function *f);
bool pci_msi_enabled(const struct pci_function *f);
/* MSI is enabled. */
void pci_msi_send(struct pci_function *f);
/* After a write to any capability, or a reset; pci_intx_update() follows. */
void pci_msi_update(struct pci_function *f);

/* The same for MSI-X, which pci_add_msix() adds; harmless where there is none. */
void pci_msix_fini(struct pci_function *f);
bool pci_msix_enabled(const struct pci_function *f);
/* Are these bits those of vectors it has? */
bool pci_msix_has(const struct pci_function *f, uint32_t vectors);
void pci_msix_send(struct pci_function *f, unsigned vector);
void pci_msix_update(struct pci_function *f);
/* Its table and pending bits, the configuration space having been reset. */
void pci_msix_reset(struct pci_function *f);
/* The same, having come from a snapshot: put back what a guest cannot change. */
void pci_msix_loaded(struct pci_function *f);

/* --- host bridge (pci_host.c) --- */

/* The function in a slot, or NULL. */
struct pci_function *pci_host_function(const struct pci_host *h, unsigned slot);
/* Put f into slot `wanted`, or the first free one if that is 0, and wire its pin if it has one. */
int pci_host_plug(struct pci_host *h, struct pci_function *f, unsigned wanted, struct err *e);
void pci_host_unplug(struct pci_function *f);
/* The device that is the bridge. */
const struct device *pci_host_device(const struct pci_host *h);
/* The GSI that INTA of a slot reaches. */
unsigned pci_host_gsi(const struct pci_host *h, unsigned slot);
/* The window that takes a BAR of kind at [address, address + size), or NULL. */
struct region *pci_host_window(struct pci_host *h, enum pci_bar_kind kind, uint64_t address,
                               uint64_t size);
/* Where firmware puts a BAR of kind; NULL: the machine has no such window. */
struct region *pci_host_firmware_window(struct pci_host *h, enum pci_bar_kind kind);
/*
 * A configuration access on bus 0 with the function's lock taken: reg is below 4096, size 1, 2
 * or 4. All ones where there is no function.
 */
uint32_t pci_host_read(struct pci_host *h, unsigned slot, unsigned function, unsigned reg,
                       unsigned size);
void pci_host_write(struct pci_host *h, unsigned slot, unsigned function, unsigned reg,
                    uint32_t value, unsigned size);

#endif
