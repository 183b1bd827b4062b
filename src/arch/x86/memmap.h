/*
 * The memory map of the `pc` machine: how --memory is split around the hole
 * below 4 GiB, and the e820 map the guest is told.
 */
#ifndef ARCH_X86_MEMMAP_H
#define ARCH_X86_MEMMAP_H

#include "src/base/err.h"
#include "src/boot/boot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMMAP_MAX      8
#define MEMMAP_MIN_SIZE 0x100000ULL /* smallest --memory: the first MiB has fixed uses */

struct memmap {
    uint64_t low_size;  /* bytes of RAM at gpa 0, PC_LOW_RAM_MAX at most */
    uint64_t high_size; /* bytes of RAM at PC_HIGH_RAM_GPA; 0: none */
    size_t count;
    struct mem_area areas[MEMMAP_MAX]; /* sorted, without overlap */
};

/*
 * size: bytes of RAM, a multiple of 4096. pci: the machine has PCI, so its
 * configuration space is reserved (Linux distrusts MCFG otherwise).
 * -EINVAL with what is wrong with size.
 */
int memmap_init(struct memmap *m, uint64_t size, bool pci, struct err *e);

/*
 * Where the window for 64-bit BARs is, PC_PCI_MEM64_SIZE bytes above RAM; 0 if the guest's CPUs,
 * which have gpa_bits bits of physical address, could not reach all of it.
 */
uint64_t memmap_pci_mem64(const struct memmap *m, unsigned gpa_bits);

#endif
