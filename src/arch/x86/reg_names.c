/*
 * A vCPU's registers by name, and whether it would run.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, 4.11 KVM_GET_REGS, 4.13 KVM_GET_SREGS, 4.38
 * KVM_GET_MP_STATE.
 * Locking: while the vCPU is paused.
 */
#include "src/arch/arch.h"

#include <linux/kvm.h>
#include <string.h>

#define RFLAGS_IF (1ULL << 9)

/* Where a register is kept: in which of KVM's structs, and where and how wide there. */
#define SYSTEM_REGS      (1ULL << 32) /* kvm_sregs, else kvm_regs */
#define PLACE(size, at)  ((uint64_t)(size) << 16 | (at))
#define PLACE_SIZE(id)   ((id) >> 16 & 0xff)
#define PLACE_OFFSET(id) ((id)&0xffff)

#define GENERAL(reg)                                                                               \
    {                                                                                              \
#reg, PLACE(8, offsetof(struct kvm_regs, reg)), false                                      \
    }
#define SYSTEM(reg)                                                                                \
    {                                                                                              \
#reg, SYSTEM_REGS | PLACE(8, offsetof(struct kvm_sregs, reg)), false                       \
    }
#define SELECTOR(reg)                                                                              \
    {                                                                                              \
#reg, SYSTEM_REGS | PLACE(2, offsetof(struct kvm_sregs, reg.selector)), true               \
    }
#define TABLE_BASE(reg)                                                                            \
    {                                                                                              \
#reg, SYSTEM_REGS | PLACE(8, offsetof(struct kvm_sregs, reg.base)), false                  \
    }

const struct arch_reg arch_regs[] = {
    GENERAL(rax),    GENERAL(rbx), GENERAL(rcx), GENERAL(rdx), GENERAL(rsi), GENERAL(rdi),
    GENERAL(rbp),    GENERAL(rsp), GENERAL(r8),  GENERAL(r9),  GENERAL(r10), GENERAL(r11),
    GENERAL(r12),    GENERAL(r13), GENERAL(r14), GENERAL(r15), GENERAL(rip), GENERAL(rflags),
    SYSTEM(cr0),     SYSTEM(cr2),  SYSTEM(cr3),  SYSTEM(cr4),  SYSTEM(efer), SELECTOR(cs),
    SELECTOR(ds),    SELECTOR(es), SELECTOR(fs), SELECTOR(gs), SELECTOR(ss), TABLE_BASE(gdt),
    TABLE_BASE(idt),
};
const size_t arch_reg_count = sizeof(arch_regs) / sizeof(arch_regs[0]);

/* Both structs; they are fetched whole and set whole. */
union registers {
    struct kvm_regs general;
    struct kvm_sregs system;
};

int arch_reg_read(struct kvm *kvm, int fd, uint64_t id, uint64_t *value)
{
    union registers r;
    const int ret = kvm_ioctl(kvm, fd, (id & SYSTEM_REGS) != 0 ? KVM_GET_SREGS : KVM_GET_REGS, &r);

    if (ret == 0) {
        *value = 0;
        memcpy(value, (const char *)&r + PLACE_OFFSET(id), PLACE_SIZE(id));
    }
    return ret;
}

int arch_reg_write(struct kvm *kvm, int fd, uint64_t id, uint64_t value)
{
    const bool system = (id & SYSTEM_REGS) != 0;
    union registers r;
    int ret = kvm_ioctl(kvm, fd, system ? KVM_GET_SREGS : KVM_GET_REGS, &r);

    if (ret == 0) {
        memcpy((char *)&r + PLACE_OFFSET(id), &value, PLACE_SIZE(id));
        ret = kvm_ioctl(kvm, fd, system ? KVM_SET_SREGS : KVM_SET_REGS, &r);
    }
    return ret;
}

enum vcpu_activity arch_vcpu_activity(struct kvm *kvm, int fd)
{
    struct kvm_mp_state state;
    struct kvm_regs regs;

    if (kvm_ioctl(kvm, fd, KVM_GET_MP_STATE, &state) < 0 ||
        state.mp_state == KVM_MP_STATE_RUNNABLE) {
        return VCPU_RUNS;
    }
    if (state.mp_state != KVM_MP_STATE_HALTED) {
        return VCPU_DEAD;
    }
    return kvm_ioctl(kvm, fd, KVM_GET_REGS, &regs) == 0 && (regs.rflags & RFLAGS_IF) == 0
               ? VCPU_DEAD
               : VCPU_WAITS;
}
