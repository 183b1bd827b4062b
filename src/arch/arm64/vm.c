/*
 * What a VM needs on arm64 beyond vCPUs and interrupt controllers.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, 4.2 KVM_CREATE_VM and 7 (capabilities).
 * Locking: none; set-up.
 */
#include "src/arch/arch.h"
#include "src/arch/arm64/map.h"

#include <linux/kvm.h>

const struct kvm_cap arch_caps[] = {
    KVM_CAP_ROW(ARM_PSCI_0_2, true, "several CPUs, power-off, reset"),
    KVM_CAP_ROW(ARM_VM_IPA_SIZE, false, "guest-physical addresses of other than 40 bits"),
    KVM_CAP_ROW(DEVICE_CTRL, true, "interrupt controllers"),
    KVM_CAP_ROW(ONE_REG, true, "registers"),
    KVM_CAP_ROW(ARM_NISV_TO_USER, false, "explaining accesses KVM cannot carry out"),
    KVM_CAP_ROW(ARM_PMU_V3, false, "--cpu feature pmu"),
    KVM_CAP_ROW(ARM_SVE, false, "--cpu feature sve"),
    KVM_CAP_ROW(ARM_PTRAUTH_ADDRESS, false, "--cpu feature pauth"),
    KVM_CAP_ROW(ARM_PTRAUTH_GENERIC, false, "--cpu feature pauth"),
};
const size_t arch_cap_count = sizeof(arch_caps) / sizeof(arch_caps[0]);

const char arch_no_kvm_hint[] =
    "the host's kernel must be entered at EL2, with CONFIG_KVM; in a VM that needs nested "
    "virtualization";

/* KVM itself says 8 where there is only a GICv2. */
unsigned arch_max_vcpus(struct kvm *kvm)
{
    (void)kvm;
    return VIRT_GICV3_CPUS_MAX;
}

/* 0, where KVM knows no other, is VIRT_GPA_BITS. */
unsigned long arch_vm_type(struct kvm *kvm)
{
    const unsigned most = (unsigned)kvm_check_cap(kvm, KVM_CAP_ARM_VM_IPA_SIZE);
    const unsigned bits = kvm->gpa_bits != 0 ? kvm->gpa_bits : VIRT_GPA_BITS;
    return KVM_VM_TYPE_ARM_IPA_SIZE(bits < most ? bits : most);
}

/* Without it (before Linux 5.5) such an access ends KVM_RUN with ENOSYS. */
int arch_vm_init(struct kvm *kvm, struct err *e)
{
    struct kvm_enable_cap cap = {.cap = KVM_CAP_ARM_NISV_TO_USER};
    (void)e;
    kvm_ioctl(kvm, kvm->vm_fd, KVM_ENABLE_CAP, &cap);
    return 0;
}
