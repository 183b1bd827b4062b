/*
 * Nodes of a device tree that a machine of any architecture may have: memory, virtio
 * and platform devices, a PCI host bridge. What an interrupt is called is the interrupt
 * controller's matter.
 *
 * Source: Devicetree Specification 0.4; the bindings in Linux
 * Documentation/devicetree/bindings (virtio, pci); QEMU's virt for names.
 * Locking: none.
 */
#ifndef ARCH_FDT_NODES_H
#define ARCH_FDT_NODES_H

#include "src/arch/pci_windows.h"
#include "src/arch/tree.h"

#include <stdbool.h>
#include <stdint.h>

#define FDT_SPECIFIER_MAX 3 /* cells */

/* How devices name their interrupts at a controller. */
struct fdt_intc {
    uint32_t phandle;
    unsigned address_cells; /* its #address-cells */
    unsigned cells;         /* its #interrupt-cells, at most FDT_SPECIFIER_MAX */
    void (*specify)(uint32_t *cells, unsigned gsi, bool level);
};

/* The root node's beginning; the caller adds the other nodes and ends it. Addresses and sizes have
 * two cells. */
void fdt_root(struct tree *t, const char *compatible, const struct fdt_intc *intc);

/* /chosen, which tree_choose() adds to. */
void fdt_chosen(struct tree *t, const char *stdout_path);

void fdt_memory(struct tree *t, uint64_t gpa, uint64_t size);

/* A clock of a constant frequency. */
void fdt_clock(struct tree *t, const char *name, uint32_t hz, const char *output, uint32_t phandle);

/* Registers and interrupt of the device whose node has begun. */
void fdt_place(struct tree *t, uint64_t gpa, uint64_t size, const struct fdt_intc *intc,
               unsigned gsi, bool level);

/* Places of devices of a kind: slot n is at gpa + n * stride and has the interrupt gsi + n. */
struct fdt_slots {
    uint64_t gpa, stride;
    unsigned gsi;
};

/* Virtio transports in the slots 0 to count - 1, with interrupts by edge. */
void fdt_virtio(struct tree *t, const struct fdt_slots *at, unsigned count,
                const struct fdt_intc *intc);

struct fdt_platform {
    const char *name;       /* of the class; borrowed */
    const char *compatible; /* borrowed */
    uint64_t size;
};

/* Platform devices in the slots 0 to count - 1, with interrupts by level. */
void fdt_platforms(struct tree *t, const struct fdt_slots *at, const struct fdt_platform *devices,
                   unsigned count, const struct fdt_intc *intc);

/* A PCI host bridge with bus 0, whose windows are in memory. msi: phandle of what takes messages;
 * 0: nothing does. */
void fdt_pci(struct tree *t, const struct pci_windows *w, uint32_t msi,
             const struct fdt_intc *intc);

#endif
