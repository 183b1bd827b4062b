/*
 * Where a board has its PCI host bridge: for the bridge itself, and for the device tree
 * that tells a guest.
 *
 * Locking: none.
 */
#ifndef ARCH_PCI_WINDOWS_H
#define ARCH_PCI_WINDOWS_H

#include <stdint.h>

/* All in guest-physical addresses and bytes; size 0: there is no such window. */
struct pci_windows {
    uint64_t ecam, ecam_size; /* configuration space of bus 0 */
    uint64_t io, io_size;     /* port numbers, and ... */
    uint64_t io_gpa;          /* ... where port 0 is in memory; 0: they are ports of the machine */
    uint64_t mem32, mem32_size;
    uint64_t mem64, mem64_size;
    unsigned intx_gsi; /* INTA of slot n: intx_gsi + n % 4 */
};

#endif
