/*
 * What a `virt` machine has, as its device tree tells it. Fields for one architecture say which.
 *
 * Locking: main thread, while no vCPU runs.
 */
#ifndef ARCH_VIRT_INVENTORY_H
#define ARCH_VIRT_INVENTORY_H

#include "src/arch/fdt_nodes.h"

#include <stdbool.h>
#include <stdint.h>

#define VIRT_PLATFORM_MAX 16

struct virt_inventory {
    uint64_t ram_size;
    unsigned cpus;
    unsigned gic;          /* arm64: version, 2 or 3 */
    bool pmu;              /* performance counters */
    bool its;              /* arm64: the GICv3 takes messages */
    bool uart2;            /* a second serial port */
    unsigned virtio_count; /* slots 0 .. virtio_count - 1 have a device */
    struct fdt_platform platform[VIRT_PLATFORM_MAX];
    unsigned platform_count;
    struct pci_windows pci; /* all 0: no PCI */
};

#endif
