/*
 * vCPUs and interrupt controllers of a PC in snapshots.
 *
 * The order in which state is given back matters; the comments say why. Structs of KVM are
 * kept as they are: their layout is the kernel's ABI.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, the sections of the ioctls; Intel
 * 82093AA (IOAPIC) and 8259A data sheets.
 * Locking: the vCPUs are paused, and every instruction that had left for user space is complete.
 */
#include "src/arch/x86/state.h"
#include "src/arch/arch.h"
#include "src/kvm/saved.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#define CR4_VMXE  (UINT64_C(1) << 13)
#define EFER_SVME (UINT64_C(1) << 12)
#define XSAVE_MAX (1U << 20)

/* --- a vCPU ----------------------------------------------------------- */

/* The extended state has the size this host's KVM says, 4 KiB or more. */
static size_t xsave_size(struct kvm *kvm)
{
    const int size = kvm_check_cap(kvm, KVM_CAP_XSAVE2);

    return size > (int)sizeof(struct kvm_xsave) && (unsigned)size <= XSAVE_MAX
               ? (size_t)size
               : sizeof(struct kvm_xsave);
}

static int save_xsave(struct kvm *kvm, int fd, struct pack *out)
{
    const size_t size = xsave_size(kvm);
    void *data = calloc(1, size);

    if (data == NULL) {
        return -ENOMEM;
    }
    const int ret =
        save_blob(kvm, fd, size > sizeof(struct kvm_xsave) ? KVM_GET_XSAVE2 : KVM_GET_XSAVE,
                  STATE_XSAVE, data, size, out);
    free(data);
    return ret;
}

static int load_xsave(struct kvm *kvm, int fd, struct unpack *in)
{
    const size_t size = xsave_size(kvm);
    void *data = calloc(1, size);

    if (data == NULL) {
        return -ENOMEM;
    }
    const int ret = load_blob(kvm, fd, KVM_SET_XSAVE, STATE_XSAVE, data, size, in);
    free(data);
    return ret;
}

static int check_nested(const struct kvm_sregs *s, struct err *e)
{
    if ((s->cr4 & CR4_VMXE) == 0 && (s->efer & EFER_SVME) == 0) {
        return 0;
    }
    err_set(e, ENOTSUP, "the guest is a hypervisor itself, whose guests cannot be saved");
    err_hint(e, "give it no virtualization: --cpu host,-vmx or host,-svm");
    return -ENOTSUP;
}

static int vcpu_failed(int ret, unsigned index, const char *verb, struct err *e)
{
    return ret < 0 ? err_set(e, -ret, "KVM cannot %s the state of vCPU %u: %s", verb, index,
                             strerror(-ret))
                   : 0;
}

int arch_vcpu_save(struct kvm *kvm, int fd, unsigned index, struct pack *out, struct err *e)
{
    struct kvm_mp_state mp = {0};
    struct kvm_regs regs = {0};
    struct kvm_sregs sregs = {0};
    struct kvm_xcrs xcrs = {0};
    struct kvm_debugregs debug = {0};
    struct kvm_lapic_state lapic = {{0}};
    struct kvm_vcpu_events events = {0};
    /* First: asking for it takes a pending INIT or SIPI, which changes the rest. */
    int ret = save_blob(kvm, fd, KVM_GET_MP_STATE, STATE_MP, &mp, sizeof(mp), out);

    pack_u64(out, (uint64_t)kvm_ioctl_num(kvm, fd, KVM_GET_TSC_KHZ, 0));
    ret = ret < 0 ? ret : save_blob(kvm, fd, KVM_GET_REGS, STATE_REGS, &regs, sizeof(regs), out);
    ret =
        ret < 0 ? ret : save_blob(kvm, fd, KVM_GET_SREGS, STATE_SREGS, &sregs, sizeof(sregs), out);
    if (ret == 0 && check_nested(&sregs, e) < 0) {
        return -ENOTSUP;
    }
    ret = ret < 0 ? ret : save_xsave(kvm, fd, out);
    ret = ret < 0 ? ret : save_blob(kvm, fd, KVM_GET_XCRS, STATE_XCRS, &xcrs, sizeof(xcrs), out);
    ret = ret < 0
              ? ret
              : save_blob(kvm, fd, KVM_GET_DEBUGREGS, STATE_DEBUGREGS, &debug, sizeof(debug), out);
    ret =
        ret < 0 ? ret : save_blob(kvm, fd, KVM_GET_LAPIC, STATE_LAPIC, &lapic, sizeof(lapic), out);
    if (ret == 0) {
        ret = msrs_save(kvm, fd, out, e);
        if (ret < 0) {
            return ret;
        }
    }
    ret = ret < 0
              ? ret
              : save_blob(kvm, fd, KVM_GET_VCPU_EVENTS, STATE_EVENTS, &events, sizeof(events), out);
    return vcpu_failed(ret, index, "save", e);
}

/* The guest has measured its time stamp counter: it must go on as fast, to a thousandth. */
static int load_tsc_rate(struct kvm *kvm, int fd, uint64_t khz, struct err *e)
{
    const int now = kvm_ioctl_num(kvm, fd, KVM_GET_TSC_KHZ, 0);

    if (now <= 0 || khz == (uint64_t)now || khz > UINT32_MAX) {
        return 0;
    }
    if (kvm_ioctl_num(kvm, fd, KVM_SET_TSC_KHZ, (unsigned long)khz) >= 0) {
        return 0;
    }
    const uint64_t apart = khz > (uint64_t)now ? khz - (uint64_t)now : (uint64_t)now - khz;
    if (apart <= khz / 1000) {
        return 0;
    }
    err_set(e, ENOTSUP, "the time stamp counter ran at %" PRIu64 " kHz and does at %d here", khz,
            now);
    err_hint(e, "this host cannot scale it: load the snapshot on the host that made it");
    return -ENOTSUP;
}

/* After the registers, with the local APIC's base set. */
static int load_rest(struct kvm *kvm, int fd, struct unpack *in, struct err *e)
{
    struct kvm_xcrs xcrs;
    struct kvm_debugregs debug;
    struct kvm_lapic_state lapic;
    struct kvm_vcpu_events events;
    int ret = load_xsave(kvm, fd, in);

    ret = ret < 0 ? ret : load_blob(kvm, fd, KVM_SET_XCRS, STATE_XCRS, &xcrs, sizeof(xcrs), in);
    ret = ret < 0
              ? ret
              : load_blob(kvm, fd, KVM_SET_DEBUGREGS, STATE_DEBUGREGS, &debug, sizeof(debug), in);
    /* Before the registers of its timer. */
    ret = ret < 0 ? ret : load_blob(kvm, fd, KVM_SET_LAPIC, STATE_LAPIC, &lapic, sizeof(lapic), in);
    if (ret == 0) {
        ret = msrs_load(kvm, fd, in, e);
        if (ret < 0) {
            return ret;
        }
    }
    /* Last: others drop pending exceptions. */
    ret = ret < 0
              ? ret
              : load_blob(kvm, fd, KVM_SET_VCPU_EVENTS, STATE_EVENTS, &events, sizeof(events), in);
    return ret < 0 ? err_set(e, -ret, "KVM refused a part of it: %s", strerror(-ret)) : 0;
}

int arch_vcpu_load(struct kvm *kvm, int fd, unsigned index, struct unpack *in, struct err *e)
{
    struct kvm_mp_state mp;
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    int ret = load_blob(kvm, fd, KVM_SET_MP_STATE, STATE_MP, &mp, sizeof(mp), in);

    if (ret == 0) { /* before the counter's value */
        ret = load_tsc_rate(kvm, fd, unpack_u64(in), e);
        if (ret < 0) {
            return ret;
        }
    }
    ret = ret < 0 ? ret : load_blob(kvm, fd, KVM_SET_REGS, STATE_REGS, &regs, sizeof(regs), in);
    ret = ret < 0 ? ret : load_blob(kvm, fd, KVM_SET_SREGS, STATE_SREGS, &sregs, sizeof(sregs), in);
    if (ret < 0) {
        return vcpu_failed(ret, index, "restore", e);
    }
    ret = load_rest(kvm, fd, in, e);
    if (ret < 0) {
        err_prefix(e, "vCPU %u", index);
    }
    return ret;
}

void arch_vcpu_was_paused(struct kvm *kvm, int fd)
{
    kvm_ioctl(kvm, fd, KVM_KVMCLOCK_CTRL, NULL); /* -EINVAL: it has not asked */
}

/* --- the VM ------------------------------------------------------------ */

static int save_chip(struct kvm *kvm, uint32_t id, enum state_tag tag, struct pack *out)
{
    struct kvm_irqchip chip = {.chip_id = id};

    return save_blob(kvm, kvm->vm_fd, KVM_GET_IRQCHIP, tag, &chip, sizeof(chip), out);
}

int arch_vm_save(struct kvm *kvm, struct pack *out, struct err *e)
{
    struct kvm_pit_state2 pit = {0};
    struct kvm_clock_data clock = {0};
    int ret = save_chip(kvm, KVM_IRQCHIP_PIC_MASTER, STATE_PIC_MASTER, out);

    ret = ret < 0 ? ret : save_chip(kvm, KVM_IRQCHIP_PIC_SLAVE, STATE_PIC_SLAVE, out);
    ret = ret < 0 ? ret : save_chip(kvm, KVM_IRQCHIP_IOAPIC, STATE_IOAPIC, out);
    ret =
        ret < 0 ? ret : save_blob(kvm, kvm->vm_fd, KVM_GET_PIT2, STATE_PIT, &pit, sizeof(pit), out);
    ret = ret < 0
              ? ret
              : save_blob(kvm, kvm->vm_fd, KVM_GET_CLOCK, STATE_CLOCK, &clock, sizeof(clock), out);
    return ret < 0
               ? err_set(e, -ret, "KVM cannot save the interrupt controllers: %s", strerror(-ret))
               : 0;
}

/*
 * Devices raise their lines anew, so a level that was high is forgotten first: nobody would lower
 * the line of one that fell in between. What an 8259 has latched of edges is kept.
 */
static void forget_levels(struct kvm_irqchip *chip)
{
    if (chip->chip_id == KVM_IRQCHIP_IOAPIC) {
        chip->chip.ioapic.irr = 0;
    } else {
        chip->chip.pic.irr &= (uint8_t)~chip->chip.pic.elcr;
        chip->chip.pic.last_irr &= (uint8_t)~chip->chip.pic.elcr;
    }
}

static int load_chip(struct kvm *kvm, uint32_t id, enum state_tag tag, struct unpack *in)
{
    struct kvm_irqchip chip;

    unpack_blob(in, tag, &chip, sizeof(chip));
    if (chip.chip_id != id) {
        in->failed = true;
    }
    if (in->failed) {
        return 0;
    }
    forget_levels(&chip);
    const int ret = kvm_ioctl(kvm, kvm->vm_fd, KVM_SET_IRQCHIP, &chip);
    return ret < 0 ? ret : 0;
}

/* The guest's time goes on where it was: it does not see the time between. */
static int load_clock(struct kvm *kvm, struct unpack *in)
{
    struct kvm_clock_data saved;

    unpack_blob(in, STATE_CLOCK, &saved, sizeof(saved));
    struct kvm_clock_data clock = {.clock = saved.clock};
    const int ret = in->failed ? 0 : kvm_ioctl(kvm, kvm->vm_fd, KVM_SET_CLOCK, &clock);
    return ret < 0 ? ret : 0;
}

int arch_vm_load(struct kvm *kvm, struct unpack *in, struct err *e)
{
    struct kvm_pit_state2 pit;
    int ret = load_chip(kvm, KVM_IRQCHIP_PIC_MASTER, STATE_PIC_MASTER, in);

    ret = ret < 0 ? ret : load_chip(kvm, KVM_IRQCHIP_PIC_SLAVE, STATE_PIC_SLAVE, in);
    ret = ret < 0 ? ret : load_chip(kvm, KVM_IRQCHIP_IOAPIC, STATE_IOAPIC, in);
    ret =
        ret < 0 ? ret : load_blob(kvm, kvm->vm_fd, KVM_SET_PIT2, STATE_PIT, &pit, sizeof(pit), in);
    ret = ret < 0 ? ret : load_clock(kvm, in);
    return ret < 0 ? err_set(e, -ret, "KVM refused the state of the interrupt controllers: %s",
                             strerror(-ret))
                   : 0;
}
