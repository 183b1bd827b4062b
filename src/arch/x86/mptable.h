/*
 * What a machine without ACPI (`--machine pc,acpi=off`) tells its guest: an MP
 * table with CPUs and interrupts, and kernel parameters for virtio-mmio.
 *
 * Locking: none; set-up runs on one thread.
 */
#ifndef ARCH_X86_MPTABLE_H
#define ARCH_X86_MPTABLE_H

#include "src/arch/x86/inventory.h"
#include "src/base/err.h"
#include "src/mem/aspace.h"

#include <stddef.h>

/* APIC ids of the table have 8 bits; 255 means all CPUs, and the IOAPIC needs one. */
#define MPTABLE_MAX_CPUS 254

/*
 * Write the table to PC_MPTABLE_GPA: CPUs, buses and interrupts. -EINVAL: more than
 * MPTABLE_MAX_CPUS CPUs.
 */
int mptable_install(struct aspace *mem, const struct pc_inventory *has, struct err *e);

/*
 * The interrupt of a virtio-mmio slot: without ACPI Linux knows the ISA
 * interrupts alone, so the slots share those no other device has.
 */
unsigned mptable_virtio_irq(unsigned slot);

/*
 * The kernel parameter for a slot, "virtio_mmio.device=512@0xfeb00000:7", in
 * buf of VIRTIO_PARAM_SIZE bytes.
 */
#define VIRTIO_PARAM_SIZE 64
void mptable_virtio_param(char *buf, unsigned slot);

#endif
