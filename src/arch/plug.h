/*
 * What the boards of all architectures do alike: which bus a device goes to,
 * disks, and what a Linux guest is told of them.
 *
 * Locking: main thread, while no vCPU runs.
 */
#ifndef ARCH_PLUG_H
#define ARCH_PLUG_H

#include "src/machine.h"

/* The buses of a board. */
struct plug_buses {
    int (*pci)(struct machine *m, struct device *d, struct err *e);
    int (*mmio)(struct machine *m, struct device *d, struct err *e);
    int (*virtio)(struct machine *m, struct device *d, struct err *e);
    bool isa; /* there are I/O ports */
};

/*
 * Plug d in: on the bus the user names, else at ports or on PCI if the class can be there and the
 * board has it. A class of no bus is left to itself. -EINVAL, status EXIT_USAGE: it cannot be on
 * that bus.
 */
int plug_device(struct machine *m, struct device *d, const struct plug_buses *buses, struct err *e);

/* Into the bus of host, a pci-host; NULL: the machine has none, a usage error. */
int plug_pci(struct device *host, struct device *d, struct err *e);

/* Places for platform devices. */
struct plug_slots {
    uint64_t gpa, stride; /* of slot 0; from one to the next */
    unsigned count;
};

/* Into slot number n; n = count, all are taken: a usage error. */
int plug_mmio(struct device *d, const struct plug_slots *slots, unsigned n, unsigned gsi,
              struct err *e);

/* For a virtio class: the place of its transport. */
int plug_virtio(struct device *d, uint64_t gpa, unsigned gsi, struct err *e);

/* A virtio-blk for each --disk. */
int plug_disks(struct machine *m, struct err *e);

/* root=... for the kernel's command line if the first disk is to be the root; else NULL. */
const char *plug_root(const struct config *c);

#endif
