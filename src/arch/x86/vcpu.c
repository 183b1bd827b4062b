/*
 * A vCPU on x86: its CPUID, and all its state at power-on and reset.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, 4.46 KVM_GET_SUPPORTED_CPUID,
 * 4.20 KVM_SET_CPUID2, 4.38 KVM_GET_MP_STATE and their neighbours.
 * Locking: set-up, or while the vCPU is paused.
 */
#include "src/arch/arch.h"
#include "src/arch/cpu_spec.h"
#include "src/arch/x86/cpuid.h"
#include "src/arch/x86/hyperv.h"
#include "src/arch/x86/regs.h"
#include "src/base/pack.h"

#include <cpuid.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#define CPUID_FIRST_ROOM 128
#define CPUID_ROOM_MAX   4096

/* Leaves that there is room for, beyond KVM's. */
#define ROOM_TO_ADD (CPUID_ADDED_MAX + HYPERV_LEAVES_MAX)

/* Both with room for ROOM_TO_ADD leaves more. */
struct cpu_host {
    struct kvm_cpuid2 *cpuid;
};

struct cpu_model {
    struct kvm_cpuid2 *cpuid;
    bool hyperv;
};

/* --- CPUID ------------------------------------------------------------ */

/* KVM's supported leaves, with room for more. NULL with e set. */
static struct kvm_cpuid2 *supported_cpuid(struct kvm *kvm, struct err *e)
{
    int r = -E2BIG;
    for (uint32_t room = CPUID_FIRST_ROOM; r == -E2BIG && room <= CPUID_ROOM_MAX; room *= 2) {
        size_t size = (room + ROOM_TO_ADD) * sizeof(struct kvm_cpuid_entry2);
        struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + size);
        if (c == NULL) {
            r = -ENOMEM;
            break;
        }
        c->nent = room;
        r = kvm_ioctl(kvm, kvm->dev_fd, KVM_GET_SUPPORTED_CPUID, c);
        if (r >= 0) {
            return c;
        }
        free(c);
    }
    err_set(e, -r, "cannot ask KVM for the processor's features: %s", strerror(-r));
    return NULL;
}

static void fill_from_host(struct kvm_cpuid2 *c)
{
    uint32_t regs[4];
    const uint32_t last = __get_cpuid_max(0x80000000, NULL); /* once: it may exit to a hypervisor */
    for (uint32_t leaf = CPUID_HOST_FIRST; leaf <= CPUID_HOST_LAST && leaf <= last; leaf++) {
        __cpuid(leaf, regs[0], regs[1], regs[2], regs[3]);
        cpuid_fill(c, leaf, regs);
    }
}

static struct kvm_cpuid2 *copy_cpuid(const struct kvm_cpuid2 *c, struct err *e)
{
    const size_t size = sizeof(*c) + c->nent * sizeof(c->entries[0]);
    struct kvm_cpuid2 *copy = calloc(1, size + ROOM_TO_ADD * sizeof(c->entries[0]));
    if (copy == NULL) {
        err_set(e, ENOMEM, "out of memory for the CPU model");
        return NULL;
    }
    return memcpy(copy, c, size);
}

int cpu_host_new(struct cpu_host **out, struct kvm *kvm, struct err *e)
{
    struct cpu_host *h = calloc(1, sizeof(*h));
    if (h == NULL) {
        return err_set(e, ENOMEM, "out of memory for the CPU model");
    }
    h->cpuid = supported_cpuid(kvm, e);
    if (h->cpuid == NULL) {
        free(h);
        return -ENODEV;
    }
    fill_from_host(h->cpuid);
    *out = h;
    return 0;
}

int cpu_model_new(struct cpu_model **out, struct kvm *kvm, const char *spec, unsigned cpus,
                  struct err *e)
{
    struct cpu_model *m = calloc(1, sizeof(*m));
    if (m == NULL) {
        return err_set(e, ENOMEM, "out of memory for the CPU model");
    }
    const struct cpu_host *host = kvm->cpu_host;
    m->cpuid = host != NULL ? copy_cpuid(host->cpuid, e) : supported_cpuid(kvm, e);
    if (m->cpuid == NULL) {
        cpu_model_free(m);
        return -ENODEV;
    }
    if (host == NULL) {
        fill_from_host(m->cpuid);
    }
    cpuid_prepare(m->cpuid, cpus, kvm_check_cap(kvm, KVM_CAP_TSC_DEADLINE_TIMER) != 0);
    int r = cpuid_apply_spec(m->cpuid, spec, e);
    m->hyperv = cpu_spec_switch(spec, "hyperv");
    if (r == 0 && m->hyperv) { /* the names of KVM's features mean the leaf where it was */
        r = hyperv_add_leaves(kvm, m->cpuid, e);
    }
    if (r < 0) {
        cpu_model_free(m);
        return r;
    }
    *out = m;
    return 0;
}

void cpu_model_free(struct cpu_model *m)
{
    if (m != NULL) {
        free(m->cpuid);
        free(m);
    }
}

/* What differs between vCPUs, and the CPU of the host that was asked, is none of a snapshot's. */
void cpu_model_save(const struct cpu_model *m, struct pack *out)
{
    cpuid_set_index(m->cpuid, 0);
    cpuid_save(m->cpuid, out);
}

int cpu_model_check(const struct cpu_model *m, struct unpack *in, struct err *e)
{
    struct kvm_cpuid2 *saved = cpuid_load(in);

    if (saved == NULL) {
        return in->failed ? 0 : err_set(e, ENOMEM, "out of memory for the CPU model");
    }
    cpuid_set_index(m->cpuid, 0);
    const int r = in->failed ? 0 : cpuid_compare(saved, m->cpuid, e);
    free(saved);
    return r;
}

static int set_cpuid(struct kvm *kvm, int fd, unsigned index, const struct cpu_model *m)
{
    size_t size = sizeof(*m->cpuid) + m->cpuid->nent * sizeof(m->cpuid->entries[0]);
    struct kvm_cpuid2 *own = malloc(size);
    if (own == NULL) {
        return -ENOMEM;
    }
    memcpy(own, m->cpuid, size);
    cpuid_set_index(own, index);
    int r = kvm_ioctl(kvm, fd, KVM_SET_CPUID2, own);
    free(own);
    return r;
}

/* --- state at power-on ------------------------------------------------ */

/* entry NULL: where a processor is after power-on. */
static int set_registers(struct kvm *kvm, int fd, unsigned index, const struct boot_entry *entry)
{
    struct kvm_sregs sregs;
    struct kvm_regs regs;
    sregs_start(&sregs, entry, index);
    regs_start(&regs, entry);
    int r = kvm_ioctl(kvm, fd, KVM_SET_SREGS, &sregs);
    return r < 0 ? r : kvm_ioctl(kvm, fd, KVM_SET_REGS, &regs);
}

static int set_other_registers(struct kvm *kvm, int fd)
{
    struct kvm_fpu fpu = {.fcw = 0x37f, .mxcsr = 0x1f80};
    struct kvm_debugregs debug = {.dr6 = 0xffff0ff0, .dr7 = 0x400};
    struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs = {{.xcr = 0, .value = 1}}};
    int r = kvm_ioctl(kvm, fd, KVM_SET_FPU, &fpu);
    if (r == 0) {
        r = kvm_ioctl(kvm, fd, KVM_SET_DEBUGREGS, &debug);
    }
    if (r == 0) {
        r = kvm_ioctl(kvm, fd, KVM_SET_XCRS, &xcrs);
        r = r == -EINVAL ? 0 : r; /* a processor without XSAVE */
    }
    return r;
}

static int set_lapic(struct kvm *kvm, int fd, unsigned index)
{
    struct kvm_lapic_state lapic;
    uint32_t version;
    int r = kvm_ioctl(kvm, fd, KVM_GET_LAPIC, &lapic);
    if (r < 0) {
        return r;
    }
    memcpy(&version, &lapic.regs[0x30], sizeof(version));
    lapic_start(&lapic, index, version);
    return kvm_ioctl(kvm, fd, KVM_SET_LAPIC, &lapic);
}

/* Forget what was pending; say whether the vCPU runs at once. */
static int set_activity(struct kvm *kvm, int fd, bool runs)
{
    struct kvm_vcpu_events events = {
        .flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR |
                 KVM_VCPUEVENT_VALID_SHADOW,
    };
    struct kvm_mp_state state = {
        .mp_state = runs ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_UNINITIALIZED,
    };
    int r = kvm_ioctl(kvm, fd, KVM_SET_VCPU_EVENTS, &events);
    return r < 0 ? r : kvm_ioctl(kvm, fd, KVM_SET_MP_STATE, &state);
}

static int refused(int r, unsigned index, struct err *e)
{
    return r < 0 ? err_set(e, -r, "KVM refused the start state of vCPU %u: %s", index, strerror(-r))
                 : 0;
}

int arch_vcpu_init(struct kvm *kvm, int fd, unsigned index, const struct cpu_model *m,
                   struct err *e)
{
    int r = set_cpuid(kvm, fd, index, m);
    if (r < 0) {
        return err_set(e, -r, "KVM refused the CPUID of vCPU %u: %s", index, strerror(-r));
    }
    r = m->hyperv ? hyperv_vcpu_init(kvm, fd) : 0;
    if (r < 0) {
        return err_set(e, -r, "KVM refused vCPU %u Hyper-V's interrupt controller: %s", index,
                       strerror(-r));
    }
    r = set_lapic(kvm, fd, index);
    return refused(r < 0 ? r : msrs_start(kvm, fd), index, e);
}

int arch_vcpu_reset(struct kvm *kvm, int fd, unsigned index, const struct cpu_model *m,
                    struct err *e)
{
    /* CPUID stays. */
    int r = set_registers(kvm, fd, index, NULL);
    if (r == 0) {
        r = set_other_registers(kvm, fd);
    }
    if (r == 0) { /* its base came with the registers */
        r = set_lapic(kvm, fd, index);
    }
    if (r == 0) { /* some of them are the APIC's */
        r = msrs_start(kvm, fd);
    }
    if (r == 0 && m->hyperv) {
        r = hyperv_vcpu_reset(kvm, fd);
    }
    if (r == 0) {
        r = set_activity(kvm, fd, index == 0);
    }
    return refused(r, index, e);
}

int arch_vcpu_enter(struct kvm *kvm, int fd, const struct boot_entry *entry, struct err *e)
{
    return refused(set_registers(kvm, fd, 0, entry), 0, e);
}
