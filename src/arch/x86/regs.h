/*
 * Register values of a vCPU after power-on and at a kernel's entry.
 *
 * Source: Intel SDM volume 3A, 9.1.1 (state after reset); Linux
 * Documentation/arch/x86/boot.rst and Xen's PVH entry for the entry states.
 * Locking: none; these fill structs.
 */
#ifndef ARCH_X86_REGS_H
#define ARCH_X86_REGS_H

#include <linux/kvm.h>

#include <stddef.h>
#include <stdint.h>

struct boot_entry;
struct kvm;

/* General registers; entry NULL: as after power-on. */
void regs_start(struct kvm_regs *r, const struct boot_entry *entry);

/* Segments, control registers, local APIC base. index 0 is the boot processor. */
void sregs_start(struct kvm_sregs *s, const struct boot_entry *entry, unsigned index);

/* The local APIC in virtual-wire mode on the boot processor. version: its version register. */
void lapic_start(struct kvm_lapic_state *l, unsigned index, uint32_t version);

/*
 * MSRs at their power-on values, and off those by which a guest tells KVM where
 * to write into its memory. An MSR this host's KVM does not have is skipped.
 * 0, or -errno from KVM.
 */
int msrs_start(struct kvm *kvm, int fd);

struct msr_value {
    uint32_t index;
    uint64_t value;
};

/* Set count MSRs, at most MSRS_SET_MAX, in their order; skips those KVM does not take. 0 or -errno.
 */
#define MSRS_SET_MAX 64
int msrs_set(struct kvm *kvm, int fd, const struct msr_value *values, size_t count);

#endif
