/*
 * What the files of src/arch/arm64 that speak to KVM have of one another.
 *
 * Locking: none; set-up, or while the vCPUs are paused.
 */
#ifndef ARCH_ARM64_REGS_H
#define ARCH_ARM64_REGS_H

#include "src/kvm/kvm.h"

/* KVM's number of a register in struct kvm_regs, "regs.pc"; elements of an array go by twos. */
#define CORE_REG(name)                                                                             \
    (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(name))

#define MPIDR_EL1 ARM64_SYS_REG(3, 0, 0, 0, 5)

/* The GIC (gic_regs.c): a command to it or its ITS, fd. 0 or -errno. */
int gic_command(struct kvm *kvm, int fd, uint64_t command);

/* A vCPU's own part of the GIC (redistributor, CPU interface) back to power-on. 0 or -errno. */
int gic_reset_cpu(struct kvm *kvm, unsigned index, uint64_t mpidr);

#endif
