/*
 * The device tree that tells a guest what the `virt` machine has.
 *
 * Source: Devicetree Specification 0.4; the bindings in Linux
 * Documentation/devicetree/bindings; QEMU's virt for names.
 * Locking: main thread, while no vCPU runs.
 */
#ifndef ARCH_ARM64_FDT_H
#define ARCH_ARM64_FDT_H

#include "src/arch/virt/inventory.h"

#include <stdint.h>

/* The affinity, bits 23:0 of MPIDR_EL1, that KVM gives vCPU number index: 16 of them to a cluster.
 */
uint32_t virt_affinity(unsigned index);

/* The tree, without what a kernel is told besides (tree_choose()). */
int virt_fdt_make(const struct virt_inventory *has, void **blob, struct err *e);

#endif
