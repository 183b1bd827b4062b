/*
 * Where a virtual address of the guest's kernel is in guest-physical memory: KVM on
 * arm64 does not tell.
 *
 * Locking: as src/mem/dma.h.
 */
#ifndef ARCH_ARM64_WALK_H
#define ARCH_ARM64_WALK_H

#include "src/mem/aspace.h"

#include <stdbool.h>
#include <stdint.h>

/* Of EL1. */
struct walk_regs {
    uint64_t sctlr, tcr, ttbr0, ttbr1;
};

/* False: va is not mapped. Addresses of at most 48 bits. */
bool walk_translate(const struct walk_regs *r, struct aspace *mem, uint64_t va, uint64_t *gpa);

#endif
