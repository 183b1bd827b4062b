/*
 * A vCPU on arm64: its state at power-on and reset, which KVM gives it itself.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, 4.82 KVM_ARM_VCPU_INIT and 4.114
 * KVM_ARM_VCPU_FINALIZE; Documentation/virt/kvm/devices/vcpu.rst (PMU);
 * Documentation/arm64/booting.rst for the entry state.
 * Locking: set-up, or while the vCPU is paused.
 */
#include "src/arch/arm64/fdt.h"
#include "src/arch/arm64/map.h"
#include "src/arch/arm64/regs.h"
#include "src/arch/virt/virt.h"
#include "src/boot/boot.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <string.h>

#define PSTATE_ENTRY 0x3c5ULL /* EL1 with its own stack pointer; all interrupts masked */

/* All registers as after power-on. The boot CPU is on, the others wait for PSCI's CPU_ON. */
static int power_on(struct kvm *kvm, int fd, unsigned index, const struct cpu_model *m)
{
    struct kvm_vcpu_init init;
    int r = kvm_ioctl(kvm, kvm->vm_fd, KVM_ARM_PREFERRED_TARGET, &init);
    if (r < 0) {
        return r;
    }
    init.features[0] =
        m->features | 1U << KVM_ARM_VCPU_PSCI_0_2 | (index != 0 ? 1U << KVM_ARM_VCPU_POWER_OFF : 0);
    return kvm_ioctl(kvm, fd, KVM_ARM_VCPU_INIT, &init);
}

static int init_pmu(struct kvm *kvm, int fd)
{
    int intid = 16 + VIRT_PPI_PMU;
    int r = kvm_set_attr(kvm, fd, KVM_ARM_VCPU_PMU_V3_CTRL, KVM_ARM_VCPU_PMU_V3_IRQ, &intid);
    return r < 0 ? r
                 : kvm_set_attr(kvm, fd, KVM_ARM_VCPU_PMU_V3_CTRL, KVM_ARM_VCPU_PMU_V3_INIT, NULL);
}

static int refused(int r, const char *what, unsigned index, struct err *e)
{
    return r < 0 ? err_set(e, -r, "KVM refused %s of vCPU %u: %s", what, index, strerror(-r)) : 0;
}

/* The device tree names CPUs by the affinity KVM gives them. */
static int check_affinity(struct kvm *kvm, int fd, unsigned index, struct err *e)
{
    uint64_t mpidr;
    int r = kvm_get_reg(kvm, fd, MPIDR_EL1, &mpidr);
    if (r == 0 && (mpidr & 0xff00ffffff) != virt_affinity(index)) {
        return err_set(e, ENOTSUP, "KVM numbers vCPU %u otherwise than vmm: MPIDR 0x%" PRIx64,
                       index, mpidr);
    }
    return refused(r, "to tell the number", index, e);
}

int arch_vcpu_init(struct kvm *kvm, int fd, unsigned index, const struct cpu_model *m,
                   struct err *e)
{
    int sve = KVM_ARM_VCPU_SVE;
    int r = power_on(kvm, fd, index, m);
    if (r < 0) {
        return refused(r, "the features", index, e);
    }
    r = (m->features & 1U << KVM_ARM_VCPU_SVE) != 0
            ? kvm_ioctl(kvm, fd, KVM_ARM_VCPU_FINALIZE, &sve)
            : 0;
    if (r < 0) {
        return refused(r, "the vector lengths", index, e);
    }
    r = (m->features & 1U << KVM_ARM_VCPU_PMU_V3) != 0 ? init_pmu(kvm, fd) : 0;
    return r < 0 ? refused(r, "the performance counters", index, e)
                 : check_affinity(kvm, fd, index, e);
}

int arch_vcpu_reset(struct kvm *kvm, int fd, unsigned index, const struct cpu_model *m,
                    struct err *e)
{
    uint64_t mpidr;
    int r = power_on(kvm, fd, index, m);
    if (r == 0) {
        r = kvm_get_reg(kvm, fd, MPIDR_EL1, &mpidr);
    }
    if (r == 0) {
        r = gic_reset_cpu(kvm, index, mpidr);
    }
    return refused(r, "the start state", index, e);
}

int arch_vcpu_enter(struct kvm *kvm, int fd, const struct boot_entry *entry, struct err *e)
{
    int r = kvm_set_reg(kvm, fd, CORE_REG(regs.pstate), PSTATE_ENTRY);
    if (r == 0) {
        r = kvm_set_reg(kvm, fd, CORE_REG(regs.regs[0]), entry->fdt);
    }
    if (r == 0) {
        r = kvm_set_reg(kvm, fd, CORE_REG(regs.pc), entry->ip);
    }
    return refused(r, "the entry state", 0, e);
}
