/*
 * The device tree that tells a guest what the `virt` machine has.
 *
 * Source: Devicetree Specification 0.4; the bindings in Linux
 * Documentation/devicetree/bindings; QEMU's virt for names.
 * Locking: main thread, while no vCPU runs.
 */
#ifndef ARCH_ARM64_FDT_H
#define ARCH_ARM64_FDT_H

#include "src/arch/arm64/map.h"
#include "src/arch/fdt_nodes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct virt_inventory {
    uint64_t ram_size;
    unsigned cpus;
    unsigned gic;          /* version: 2 or 3 */
    bool pmu;              /* performance counters */
    bool its;              /* GICv3 with message interrupts */
    bool uart2;            /* a second serial port */
    unsigned virtio_count; /* slots 0 .. virtio_count - 1 have a device */
    struct fdt_platform platform[VIRT_PLATFORM_SLOTS];
    unsigned platform_count;
    struct pci_windows pci; /* all 0: no PCI */
};

/* The affinity, bits 23:0 of MPIDR_EL1, that KVM gives vCPU number index: 16 of them to a cluster.
 */
uint32_t virt_affinity(unsigned index);

/* The tree, without what a kernel is told besides (tree_choose()). */
int virt_fdt_make(const struct virt_inventory *has, void **blob, struct err *e);

#endif
