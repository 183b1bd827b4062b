/*
 * See hyperv.h.
 */
#include "src/arch/x86/hyperv.h"

#include "src/arch/x86/regs.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#define BIT(n) (1U << (n))

#define LEAF_BASE        0x40000000U /* highest leaf, and who made it */
#define LEAF_FEATURES    0x40000003U
#define LEAF_ADVICE      0x40000004U
#define LEAF_LIMITS      0x40000005U
#define LEAVES_PER_BLOCK 0x100U

/*
 * Promised by KVM, with a part for its user that vmm does not take: debugging through the
 * hypervisor, hypercalls from 0x8001 on, and enlightened VMCSs, which need a capability switched
 * on and a guest with guests.
 */
#define FEATURES_EBX_DEBUGGING           BIT(11)
#define FEATURES_EBX_EXTENDED_HYPERCALLS BIT(20)
#define FEATURES_EDX_DEBUGGING           BIT(1)
#define FEATURES_EDX_DEBUG_MSRS          BIT(11)
#define ADVICE_EAX_ENLIGHTENED_VMCS      BIT(14)

static const struct kvm_cap needed[] = {
    KVM_CAP_ROW(SYS_HYPERV_CPUID, true, "--cpu hyperv=on"),
    KVM_CAP_ROW(HYPERV_SYNIC2, true, "--cpu hyperv=on"),
    KVM_CAP_ROW(HYPERV_EVENTFD, true, "--cpu hyperv=on"),
    KVM_CAP_ROW(IRQFD_RESAMPLE, true, "--cpu hyperv=on"),
};

/* Room for the call; it fills in what it needs. */
union leaves {
    struct kvm_cpuid2 c;
    uint8_t room[sizeof(struct kvm_cpuid2) + HYPERV_LEAVES_MAX * sizeof(struct kvm_cpuid_entry2)];
};

/* KVM's own leaves, 0x40000000 and 0x40000001, move up. */
static void move_kvm_leaves(struct kvm_cpuid2 *c)
{
    for (uint32_t i = 0; i < c->nent; i++) {
        struct kvm_cpuid_entry2 *l = &c->entries[i];
        if (l->function - LEAF_BASE < LEAVES_PER_BLOCK) {
            if (l->function == LEAF_BASE && l->eax != 0) { /* 0: an old form of 0x40000001 */
                l->eax += LEAVES_PER_BLOCK;
            }
            l->function += LEAVES_PER_BLOCK;
        }
    }
}

/* Promise what KVM and vmm keep. */
static void limit_leaf(struct kvm_cpuid_entry2 *l)
{
    switch (l->function) {
    case LEAF_BASE:
        l->eax = LEAF_LIMITS;
        break;
    case LEAF_FEATURES:
        l->ebx &= ~(FEATURES_EBX_DEBUGGING | FEATURES_EBX_EXTENDED_HYPERCALLS);
        l->edx &= ~(FEATURES_EDX_DEBUGGING | FEATURES_EDX_DEBUG_MSRS);
        break;
    case LEAF_ADVICE:
        l->eax &= ~ADVICE_EAX_ENLIGHTENED_VMCS;
        break;
    default:
        break;
    }
}

int hyperv_add_leaves(struct kvm *kvm, struct kvm_cpuid2 *c, struct err *e)
{
    union leaves hv = {.c.nent = HYPERV_LEAVES_MAX};
    int r = kvm_need_caps(kvm, needed, sizeof(needed) / sizeof(needed[0]), e);
    if (r < 0) {
        return r;
    }
    r = kvm_ioctl(kvm, kvm->dev_fd, KVM_GET_SUPPORTED_HV_CPUID, &hv.c);
    if (r < 0) {
        return err_set(e, -r, "cannot ask KVM for its Hyper-V features: %s", strerror(-r));
    }
    move_kvm_leaves(c);
    for (uint32_t i = 0; i < hv.c.nent && i < HYPERV_LEAVES_MAX; i++) {
        if (hv.c.entries[i].function <= LEAF_LIMITS) {
            limit_leaf(&hv.c.entries[i]);
            c->entries[c->nent++] = hv.c.entries[i];
        }
    }
    return 0;
}

/* --- state ------------------------------------------------------------ */

int hyperv_vcpu_init(struct kvm *kvm, int fd)
{
    struct kvm_enable_cap cap = {.cap = KVM_CAP_HYPERV_SYNIC2};
    return kvm_ioctl(kvm, fd, KVM_ENABLE_CAP, &cap);
}

/* Timers before what they send to. */
static const struct msr_value power_on[] = {
    {0x400000b0, 0},       {0x400000b1, 0},       {0x400000b2, 0},       {0x400000b3, 0},
    {0x400000b4, 0},       {0x400000b5, 0},       {0x400000b6, 0},       {0x400000b7, 0},
    {0x40000080, 1}, /* SCONTROL: KVM's controller starts enabled */
    {0x40000082, 0}, /* SIEFP: page of event flags */
    {0x40000083, 0}, /* SIMP: page of messages */
    {0x40000090, 0x10000}, {0x40000091, 0x10000}, {0x40000092, 0x10000}, {0x40000093, 0x10000},
    {0x40000094, 0x10000}, {0x40000095, 0x10000}, {0x40000096, 0x10000}, {0x40000097, 0x10000},
    {0x40000098, 0x10000}, {0x40000099, 0x10000}, {0x4000009a, 0x10000}, {0x4000009b, 0x10000},
    {0x4000009c, 0x10000}, {0x4000009d, 0x10000}, {0x4000009e, 0x10000}, {0x4000009f, 0x10000},
    {0x40000073, 0}, /* VP assist page */
    {0x40000106, 0}, /* reenlightenment control */
    {0x40000107, 0}, /* TSC emulation control */
    {0x40000108, 0}, /* TSC emulation status */
    {0x40000021, 0}, /* reference TSC page */
    {0x40000001, 0}, /* hypercall page */
    {0x40000000, 0}, /* the guest's name */
};

int hyperv_vcpu_reset(struct kvm *kvm, int fd)
{
    return msrs_set(kvm, fd, power_on, sizeof(power_on) / sizeof(power_on[0]));
}
