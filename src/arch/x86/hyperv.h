/*
 * Hyper-V's interface to a guest's processors (`--cpu host,hyperv=on`): what
 * CPUID says of it, and its state in KVM. KVM has nearly all of it: hypercalls,
 * reference time, synthetic timers and interrupt controllers. What a device has
 * to do with these is in src/kvm/synic.h.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, 4.118 KVM_GET_SUPPORTED_HV_CPUID and 6.x
 * KVM_CAP_HYPERV_SYNIC2; Microsoft's Hypervisor Top-Level Functional Specification, chapter 2
 * (feature discovery) and appendix B (MSRs).
 * Locking: as arch.h.
 */
#ifndef ARCH_X86_HYPERV_H
#define ARCH_X86_HYPERV_H

#include "src/base/err.h"
#include "src/kvm/kvm.h"

struct kvm_cpuid2;

/* Entries hyperv_add_leaves() may add. */
#define HYPERV_LEAVES_MAX 16

/*
 * Put Hyper-V's leaves at 0x40000000, as far as KVM has what they promise and vmm does not have to
 * have a part in it, and KVM's own at 0x40000100, where guests look for a second interface.
 * c has room for HYPERV_LEAVES_MAX more. -ENOTSUP, status EXIT_NO_KVM: this KVM lacks what it
 * takes; or an error of KVM.
 */
int hyperv_add_leaves(struct kvm *kvm, struct kvm_cpuid2 *c, struct err *e);

/* Once for each vCPU, before it runs: switch its synthetic interrupt controller on. 0 or -errno. */
int hyperv_vcpu_init(struct kvm *kvm, int fd);

/* A vCPU's MSRs of Hyper-V back to power-on; else KVM goes on writing into guest memory. */
int hyperv_vcpu_reset(struct kvm *kvm, int fd);

#endif
