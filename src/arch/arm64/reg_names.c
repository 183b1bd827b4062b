/*
 * A vCPU's registers by name, and whether it would run.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, 4.68 KVM_SET_ONE_REG, 4.38 KVM_GET_MP_STATE; Arm
 * DDI 0487 for the system registers.
 * Locking: while the vCPU is paused.
 */
#include "src/arch/arch.h"
#include "src/arch/arm64/regs.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#define GENERAL_REGS 31 /* x0 to x30 */

static const char *const general[GENERAL_REGS] = {
    "x0",  "x1",  "x2",  "x3",  "x4",  "x5",  "x6",  "x7",  "x8",  "x9",  "x10",
    "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21",
    "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "x30",
};

static const struct {
    const char *name;
    uint64_t id;
    bool fixed; /* cannot be set: KVM derives other state from it */
} others[] = {
    {"pc", CORE_REG(regs.pc), false},
    {"sp", CORE_REG(sp_el1), false}, /* of EL1; user mode's is sp_el0 */
    {"pstate", CORE_REG(regs.pstate), false},
    {"sp_el0", CORE_REG(regs.sp), false},
    {"elr_el1", CORE_REG(elr_el1), false},
    {"spsr_el1", CORE_REG(spsr[0]), false},
    {"esr_el1", ARM64_SYS_REG(3, 0, 5, 2, 0), true},
    {"far_el1", ARM64_SYS_REG(3, 0, 6, 0, 0), true},
    {"sctlr_el1", ARM64_SYS_REG(3, 0, 1, 0, 0), true},
    {"tcr_el1", ARM64_SYS_REG(3, 0, 2, 0, 2), true},
    {"ttbr0_el1", ARM64_SYS_REG(3, 0, 2, 0, 0), true},
    {"ttbr1_el1", ARM64_SYS_REG(3, 0, 2, 0, 1), true},
    {"vbar_el1", ARM64_SYS_REG(3, 0, 12, 0, 0), true},
};

#define OTHERS (sizeof(others) / sizeof(others[0]))

const char *arch_reg_name(size_t i)
{
    if (i < GENERAL_REGS) {
        return general[i];
    }
    return i - GENERAL_REGS < OTHERS ? others[i - GENERAL_REGS].name : NULL;
}

/* KVM's number of the register. -ENOENT. */
static int find(const char *name, uint64_t *id, bool *fixed)
{
    const char *known;

    for (size_t i = 0; (known = arch_reg_name(i)) != NULL; i++) {
        if (strcmp(known, name) == 0) {
            *id = i < GENERAL_REGS ? CORE_REG(regs.regs[0]) + 2 * i : others[i - GENERAL_REGS].id;
            *fixed = i >= GENERAL_REGS && others[i - GENERAL_REGS].fixed;
            return 0;
        }
    }
    return -ENOENT;
}

int arch_reg_get(struct kvm *kvm, int fd, const char *name, uint64_t *value)
{
    uint64_t id;
    bool fixed;
    const int ret = find(name, &id, &fixed);

    return ret < 0 ? ret : kvm_get_reg(kvm, fd, id, value);
}

int arch_reg_set(struct kvm *kvm, int fd, const char *name, uint64_t value)
{
    uint64_t id;
    bool fixed = false;
    const int ret = find(name, &id, &fixed);

    if (ret == 0 && fixed) {
        return -EPERM;
    }
    return ret < 0 ? ret : kvm_set_reg(kvm, fd, id, value);
}

enum vcpu_activity arch_vcpu_activity(struct kvm *kvm, int fd)
{
    struct kvm_mp_state state;

    if (kvm_ioctl(kvm, fd, KVM_GET_MP_STATE, &state) < 0) {
        return VCPU_RUNS;
    }
    return state.mp_state == KVM_MP_STATE_STOPPED ? VCPU_DEAD : VCPU_WAITS;
}
