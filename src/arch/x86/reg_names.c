/*
 * A vCPU's registers by name, and whether it would run.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, 4.11 KVM_GET_REGS, 4.13 KVM_GET_SREGS, 4.38
 * KVM_GET_MP_STATE.
 * Locking: while the vCPU is paused.
 */
#include "src/arch/arch.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#define RFLAGS_IF (1ULL << 9)

/* Where a register is kept: in which of KVM's structs, and where and how wide there. */
struct place {
    const char *name;
    bool system; /* kvm_sregs, else kvm_regs */
    bool fixed;  /* cannot be set: others depend on it */
    size_t offset, size;
};

#define GENERAL(reg)                                                                               \
    {                                                                                              \
#reg, false, false, offsetof(struct kvm_regs, reg), 8                                      \
    }
#define SYSTEM(reg)                                                                                \
    {                                                                                              \
#reg, true, false, offsetof(struct kvm_sregs, reg), 8                                      \
    }
#define SELECTOR(reg)                                                                              \
    {                                                                                              \
#reg, true, true, offsetof(struct kvm_sregs, reg.selector), 2                              \
    }
#define TABLE_BASE(reg)                                                                            \
    {                                                                                              \
#reg, true, false, offsetof(struct kvm_sregs, reg.base), 8                                 \
    }

static const struct place places[] = {
    GENERAL(rax),    GENERAL(rbx), GENERAL(rcx), GENERAL(rdx), GENERAL(rsi), GENERAL(rdi),
    GENERAL(rbp),    GENERAL(rsp), GENERAL(r8),  GENERAL(r9),  GENERAL(r10), GENERAL(r11),
    GENERAL(r12),    GENERAL(r13), GENERAL(r14), GENERAL(r15), GENERAL(rip), GENERAL(rflags),
    SYSTEM(cr0),     SYSTEM(cr2),  SYSTEM(cr3),  SYSTEM(cr4),  SYSTEM(efer), SELECTOR(cs),
    SELECTOR(ds),    SELECTOR(es), SELECTOR(fs), SELECTOR(gs), SELECTOR(ss), TABLE_BASE(gdt),
    TABLE_BASE(idt),
};

#define PLACES (sizeof(places) / sizeof(places[0]))

const char *arch_reg_name(size_t i)
{
    return i < PLACES ? places[i].name : NULL;
}

static const struct place *find(const char *name)
{
    for (size_t i = 0; i < PLACES; i++) {
        if (strcmp(places[i].name, name) == 0) {
            return &places[i];
        }
    }
    return NULL;
}

/* Both structs; they are fetched whole and set whole. */
union registers {
    struct kvm_regs general;
    struct kvm_sregs system;
};

int arch_reg_get(struct kvm *kvm, int fd, const char *name, uint64_t *value)
{
    const struct place *p = find(name);
    union registers r;

    if (p == NULL) {
        return -ENOENT;
    }
    const int ret = kvm_ioctl(kvm, fd, p->system ? KVM_GET_SREGS : KVM_GET_REGS, &r);
    if (ret == 0) {
        *value = 0;
        memcpy(value, (const char *)&r + p->offset, p->size);
    }
    return ret;
}

int arch_reg_set(struct kvm *kvm, int fd, const char *name, uint64_t value)
{
    const struct place *p = find(name);
    union registers r;

    if (p == NULL || p->fixed) {
        return p == NULL ? -ENOENT : -EPERM;
    }
    int ret = kvm_ioctl(kvm, fd, p->system ? KVM_GET_SREGS : KVM_GET_REGS, &r);
    if (ret == 0) {
        memcpy((char *)&r + p->offset, &value, p->size);
        ret = kvm_ioctl(kvm, fd, p->system ? KVM_SET_SREGS : KVM_SET_REGS, &r);
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
