/*
 * A paused vCPU's registers by name. The table of them, and how one is read and written, are the
 * architecture's (arch_regs, arch.h).
 *
 * Locking: while the vCPU is paused.
 */
#ifndef KVM_REGS_H
#define KVM_REGS_H

#include "src/kvm/kvm.h"

/* Registers in order, from 0 on; NULL: there are no more. */
const char *vcpu_reg_name(size_t i);

/* fd: of the vCPU. 0; -ENOENT: there is none of that name; -EPERM: it cannot be set; or an error of
 * KVM. */
int vcpu_reg_get(struct kvm *kvm, int fd, const char *name, uint64_t *value);
int vcpu_reg_set(struct kvm *kvm, int fd, const char *name, uint64_t value);

#endif
