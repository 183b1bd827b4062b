/*
 * What a VM needs on arm64 beyond vCPUs and interrupt controllers.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, 4.2 KVM_CREATE_VM and 7 (capabilities).
 * Locking: none; set-up.
 */
#include "src/arch/arch.h"
#include "src/arch/arm64/map.h"

#include <linux/kvm.h>

#define CAP(cap, is_needed, text)                                                                  \
    {                                                                                              \
        .number = KVM_CAP_##cap, .name = "KVM_CAP_" #cap, .needed = (is_needed), .use = (text)     \
    }

const struct kvm_cap arch_caps[] = {
    CAP(ARM_PSCI_0_2, true, "several CPUs, power-off, reset"),
    CAP(ARM_VM_IPA_SIZE, true, "size of guest-physical addresses"),
    CAP(DEVICE_CTRL, true, "interrupt controllers"),
    CAP(ONE_REG, true, "registers"),
    CAP(ARM_NISV_TO_USER, false, "explaining accesses KVM cannot carry out"),
    CAP(ARM_PMU_V3, false, "--cpu feature pmu"),
    CAP(ARM_SVE, false, "--cpu feature sve"),
    CAP(ARM_PTRAUTH_ADDRESS, false, "--cpu feature pauth"),
    CAP(ARM_PTRAUTH_GENERIC, false, "--cpu feature pauth"),
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

unsigned long arch_vm_type(struct kvm *kvm)
{
    enum { USUAL = 40 };
    const unsigned most = (unsigned)kvm_check_cap(kvm, KVM_CAP_ARM_VM_IPA_SIZE);
    const unsigned bits = kvm->gpa_bits != 0 ? kvm->gpa_bits : USUAL;
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
