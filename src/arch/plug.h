/*
 * What the boards of all architectures do alike: which bus a device goes to,
 * disks, and what a Linux guest is told of them.
 *
 * Locking: main thread, while no vCPU runs.
 */
#ifndef ARCH_PLUG_H
#define ARCH_PLUG_H

#include "src/arch/pci_windows.h"
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

/* Make the host bridge. NULL with e set. */
struct device *plug_pci_host(struct machine *m, const struct pci_windows *w, struct err *e);

/* What a kernel is told in words. */
struct plug_words {
    char *append;  /* --append, joined */
    char *cmdline; /* the same with what a Linux guest needs besides */
};

/* Make them, once. console: of the board; devices: words on devices, or NULL. plug_words_free()
 * after a failure, too. */
int plug_words_make(struct plug_words *w, const struct config *c, const char *console,
                    const char *devices, struct err *e);
void plug_words_free(struct plug_words *w);

#endif
