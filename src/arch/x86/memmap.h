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
 * size: bytes of RAM, a multiple of 4096. ecam: the machine has PCI, so its
 * configuration window is reserved (Linux distrusts MCFG otherwise).
 * -EINVAL with what is wrong with size.
 */
int memmap_init(struct memmap *m, uint64_t size, bool ecam, struct err *e);

#endif
