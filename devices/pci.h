/*
 * PCI, for the files of devices that are PCI functions and for boards.
 *
 * A device's class says by a struct pci_info what function it is. The rest (its
 * configuration space, BARs over its register blocks, INTx, MSI, MSI-X, reset)
 * is done by devices/pci*.c; the device calls device_raise(), device_dma_read()
 * and so on (src/device.h) as on any bus.
 *
 * Source: PCI Local Bus Specification 3.0, chapter 6; PCI Firmware 3.0 (MCFG).
 * Locking: plugging and assigning on the main thread while no vCPU runs.
 */
#ifndef DEVICES_PCI_H
#define DEVICES_PCI_H

#include "src/device.h"

#include <stdbool.h>
#include <stdint.h>

#define PCI_SLOTS 32 /* of a bus; slot 0 is the host bridge */
#define PCI_PINS  4  /* INTA to INTD */
#define PCI_BARS  6

enum pci_bar_kind {
    PCI_BAR_NONE,
    PCI_BAR_IO,
    PCI_BAR_MEM32,
    PCI_BAR_MEM64, /* takes the next BAR too */
};

struct pci_bar_info {
    enum pci_bar_kind kind;
    bool prefetchable;
    uint8_t block; /* register block behind it; its size is a power of two */
};

struct pci_info {
    uint16_t vendor, device;
    uint16_t subsystem_vendor, subsystem; /* both 0: 1af4:1100, what QEMU's devices have */
    uint32_t class_code;                  /* base class, sub-class, interface: 0x00ff00 */
    uint8_t revision;
    bool intx; /* interrupt pin INTA */
    bool msi;  /* one message, 64-bit address, no mask bits */
    bool flr;  /* Advanced Features capability: the guest can reset the function alone */
    struct pci_bar_info bar[PCI_BARS];
};

/*
 * The host bridge is a device of class "pci-host", made by the board: function 00:00.0 of the one
 * bus there is. Its properties are the places the board gives it: ecam (1 MiB of configuration
 * space), the windows io and io_size (ports; with io_gpa in memory, port 0 there), mem32 and
 * mem32_size, mem64 and mem64_size (a size of 0: no such window), and intx_gsi: INTA of slot n
 * reaches GSI intx_gsi + n % 4.
 */

/*
 * On a PC a device of class "pci-ports" gives access by ports. Until it is connected there is no
 * function to be found through it.
 */
void pci_ports_connect(struct device *ports, struct device *host);

/*
 * Plug d, which is not realized yet, into the bus of host (a realized pci-host) at its place.addr.
 * -EBUSY: the slot is taken, -ENOSPC: none is free; both with status EXIT_USAGE.
 */
int pci_plug(struct device *host, struct device *d, struct err *e);

/*
 * For a device's realize: MSI-X with its table in BAR number bar, which the class leaves free.
 * vectors: 1..DEVICE_VECTORS_MAX. Without effect where d is on no PCI bus.
 */
int pci_add_msix(struct device *d, unsigned bar, unsigned vectors, struct err *e);

/*
 * What firmware does: give every BAR on the bus of host an address in its window, large ones first,
 * and let the functions decode them; note the GSI of each pin in its interrupt line register. After
 * all devices are there, and after each machine reset. -ENOSPC: a window is full.
 */
int pci_assign(struct device *host, struct err *e);

/* Of a device that is plugged in: its slot, and the GSI its INTA reaches (-1: it has no pin). */
unsigned pci_slot(const struct device *d);
int pci_intx_gsi(const struct device *d);

/* Whether d is plugged into PCI, and then its host bridge; else NULL. */
bool pci_plugged(const struct device *d);
const struct device *pci_host_of(const struct device *d);

/* What d is on the bus, for --info qtree: lines as QEMU prints them, indented by spaces. */
void pci_print(const struct device *d, int indent, FILE *out);

#endif
