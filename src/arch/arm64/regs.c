/*
 * An arm64 vCPU's registers: their names, which of them a crash shows, and what KVM keeps besides.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, 4.68 KVM_SET_ONE_REG; Arm DDI 0487 for the system
 * registers.
 * Locking: as virt.h.
 */
#include "src/arch/arm64/regs.h"

#include "src/arch/arm64/walk.h"
#include "src/arch/virt/virt.h"

#include <assert.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>

#define X(n)                                                                                       \
    {                                                                                              \
        "x" #n, CORE_REG(regs.regs[0]) + 2 * (n), false                                            \
    }

#define X5(a, b, c, d, e) X(a), X(b), X(c), X(d), X(e)

/* Those that say where the code is come first, the general ones last. */
enum { PC, SCTLR, TCR, TTBR0, TTBR1, GENERAL = 13 };
const struct arch_reg arch_regs[] = {
    [PC] = {"pc", CORE_REG(regs.pc), false},
    [SCTLR] = {"sctlr_el1", ARM64_SYS_REG(3, 0, 1, 0, 0), true},
    [TCR] = {"tcr_el1", ARM64_SYS_REG(3, 0, 2, 0, 2), true},
    [TTBR0] = {"ttbr0_el1", ARM64_SYS_REG(3, 0, 2, 0, 0), true},
    [TTBR1] = {"ttbr1_el1", ARM64_SYS_REG(3, 0, 2, 0, 1), true},
    {"pstate", CORE_REG(regs.pstate), false},
    {"sp_el0", CORE_REG(regs.sp), false},
    {"sp", CORE_REG(sp_el1), false}, /* of EL1; user mode's is sp_el0 */
    {"elr_el1", CORE_REG(elr_el1), false},
    {"spsr_el1", CORE_REG(spsr[0]), false},
    {"esr_el1", ARM64_SYS_REG(3, 0, 5, 2, 0), true},
    {"far_el1", ARM64_SYS_REG(3, 0, 6, 0, 0), true},
    {"vbar_el1", ARM64_SYS_REG(3, 0, 12, 0, 0), true},
    X5(0, 1, 2, 3, 4),
    X5(5, 6, 7, 8, 9),
    X5(10, 11, 12, 13, 14),
    X5(15, 16, 17, 18, 19),
    X5(20, 21, 22, 23, 24),
    X5(25, 26, 27, 28, 29),
    X(30),
};
const size_t arch_reg_count = sizeof(arch_regs) / sizeof(arch_regs[0]);
static_assert(sizeof(arch_regs) / sizeof(arch_regs[0]) == GENERAL + 31, "x0 to x30");

static bool find_code(const uint64_t *regs, struct aspace *mem, uint64_t *gpa)
{
    const struct walk_regs walk = {
        .sctlr = regs[SCTLR], .tcr = regs[TCR], .ttbr0 = regs[TTBR0], .ttbr1 = regs[TTBR1]};

    return walk_translate(&walk, mem, regs[PC], gpa);
}

static void name_reg(uint64_t id, char *text, size_t size)
{
    if ((id & KVM_REG_ARM_COPROC_MASK) == KVM_REG_ARM64_SYSREG) {
        snprintf(text, size, "S%u_%u_C%u_C%u_%u", (unsigned)(id >> 14 & 3),
                 (unsigned)(id >> 11 & 7), (unsigned)(id >> 7 & 15), (unsigned)(id >> 3 & 15),
                 (unsigned)(id & 7));
    } else {
        snprintf(text, size, "0x%" PRIx64, id);
    }
}

static const struct virt_feature features[] = {
    {"pmu", KVM_CAP_ARM_PMU_V3, 1U << KVM_ARM_VCPU_PMU_V3},
    {"sve", KVM_CAP_ARM_SVE, 1U << KVM_ARM_VCPU_SVE},
    {"pauth", KVM_CAP_ARM_PTRAUTH_ADDRESS,
     1U << KVM_ARM_VCPU_PTRAUTH_ADDRESS | 1U << KVM_ARM_VCPU_PTRAUTH_GENERIC},
};

const struct virt_cpu virt_cpu = {
    .features = features,
    .feature_count = sizeof(features) / sizeof(features[0]),
    .extra = {KVM_CAP_VCPU_EVENTS, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS,
              sizeof(struct kvm_vcpu_events)},
    .general = GENERAL,
    .code = CODE_ARM64,
    .find_code = find_code,
    .name_reg = name_reg,
};
