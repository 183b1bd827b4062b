/*
 * Model-specific registers at power-on.
 *
 * Source: Intel SDM volume 4; AMD APM volume 2, appendix A; Linux
 * Documentation/virt/kvm/x86/msr.rst for those of KVM (0x4b564dxx, 0x11, 0x12).
 * Locking: none.
 */
#include "src/arch/x86/regs.h"
#include "src/kvm/kvm.h"

#include <string.h>

static const struct msr_value power_on[] = {
    /* KVM writes into guest memory where these point: off before a new kernel runs there. */
    {0x11, 0},                   /* wall clock, old number */
    {0x12, 0},                   /* system time, old number */
    {0x4b564d00, 0},             /* wall clock */
    {0x4b564d01, 0},             /* system time */
    {0x4b564d02, 0},             /* asynchronous page faults */
    {0x4b564d03, 0},             /* steal time */
    {0x4b564d04, 0},             /* end of interrupt */
    {0x4b564d05, 1},             /* host-side polling */
    {0x4b564d06, 0},             /* asynchronous page faults by interrupt */
    {0x48, 0},                   /* SPEC_CTRL */
    {0x174, 0},                  /* SYSENTER_CS */
    {0x175, 0},                  /* SYSENTER_ESP */
    {0x176, 0},                  /* SYSENTER_EIP */
    {0x1a0, 1},                  /* MISC_ENABLE: fast string instructions */
    {0x277, 0x0007040600070406}, /* PAT */
    {0x201, 0},                  /* variable MTRRs: masks, bit 11 valid */
    {0x203, 0},
    {0x205, 0},
    {0x207, 0},
    {0x209, 0},
    {0x20b, 0},
    {0x20d, 0},
    {0x20f, 0},
    {0x2ff, 0x806},  /* MTRR default: on, write-back (there is no firmware to do it) */
    {0x6e0, 0},      /* TSC_DEADLINE */
    {0xda0, 0},      /* XSS */
    {0xc0000081, 0}, /* STAR */
    {0xc0000082, 0}, /* LSTAR */
    {0xc0000083, 0}, /* CSTAR */
    {0xc0000084, 0}, /* SFMASK */
    {0xc0000102, 0}, /* KERNEL_GS_BASE */
    {0xc0000103, 0}, /* TSC_AUX */
};
#define MSR_COUNT (sizeof(power_on) / sizeof(power_on[0]))
_Static_assert(MSR_COUNT <= MSRS_SET_MAX, "room of msrs_set()");

int msrs_set(struct kvm *kvm, int fd, const struct msr_value *values, size_t count)
{
    union {
        struct kvm_msrs list;
        uint8_t room[sizeof(struct kvm_msrs) + MSRS_SET_MAX * sizeof(struct kvm_msr_entry)];
    } req;
    size_t done = 0;
    /* KVM stops at the first it does not take and says how many it took. */
    while (done < count) {
        size_t left = count - done;
        memset(&req, 0, sizeof(req));
        req.list.nmsrs = (uint32_t)left;
        for (size_t i = 0; i < left; i++) {
            req.list.entries[i].index = values[done + i].index;
            req.list.entries[i].data = values[done + i].value;
        }
        int taken = kvm_ioctl(kvm, fd, KVM_SET_MSRS, &req);
        if (taken < 0) {
            return taken;
        }
        done += (size_t)taken < left ? (size_t)taken + 1 : left;
    }
    return 0;
}

int msrs_start(struct kvm *kvm, int fd)
{
    return msrs_set(kvm, fd, power_on, MSR_COUNT);
}
