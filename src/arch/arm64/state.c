/*
 * vCPUs of an arm64 machine in snapshots: every register that KVM lists, as it lists them.
 * The interrupt controller is in state_gic.c.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, 4.68 KVM_SET_ONE_REG, 4.84
 * KVM_GET_REG_LIST; virt/kvm/arm/ for the firmware's registers.
 * Locking: the vCPUs are paused.
 */
#include "src/arch/arch.h"
#include "src/arch/arm64/regs.h"
#include "src/base/pack.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#define REGS_MAX     2048
#define REG_SIZE_MAX 256 /* bytes: a vector register of 2048 bits */

enum {
    STATE_MP = 1,
    STATE_EVENTS = 2,
};

static size_t reg_size(uint64_t id)
{
    return (size_t)1 << ((id & KVM_REG_SIZE_MASK) >> KVM_REG_SIZE_SHIFT);
}

static int get_reg(struct kvm *kvm, int fd, uint64_t id, void *value)
{
    struct kvm_one_reg reg = {.id = id, .addr = (uintptr_t)value};
    return kvm_ioctl(kvm, fd, KVM_GET_ONE_REG, &reg);
}

/* --- the CPU ------------------------------------------------------------ */

/* What KVM's registers do not tell of a model: the rest is compared register by register. */
static int load_reg(struct kvm *kvm, int fd, uint64_t id, const uint8_t *wanted, size_t size,
                    struct err *e)
{
    struct kvm_one_reg reg = {.id = id, .addr = (uintptr_t)wanted};
    uint8_t now[REG_SIZE_MAX];
    const int ret = kvm_ioctl(kvm, fd, KVM_SET_ONE_REG, &reg);

    if (ret == 0 || (get_reg(kvm, fd, id, now) == 0 && memcmp(now, wanted, size) == 0)) {
        return 0;
    }
    if ((id & KVM_REG_ARM_COPROC_MASK) == KVM_REG_ARM64_SYSREG) {
        err_set(e, ENOTSUP, "the CPU is another: its register S%u_%u_C%u_C%u_%u cannot be as saved",
                (unsigned)(id >> 14 & 3), (unsigned)(id >> 11 & 7), (unsigned)(id >> 7 & 15),
                (unsigned)(id >> 3 & 15), (unsigned)(id & 7));
    } else {
        err_set(e, ENOTSUP, "the CPU is another: its register 0x%" PRIx64 " cannot be as saved",
                id);
    }
    err_hint(e, "the snapshot is for hosts with the same processor and a KVM as new");
    return -ENOTSUP;
}

static struct kvm_reg_list *list_regs(struct kvm *kvm, int fd)
{
    struct kvm_reg_list *list = calloc(1, sizeof(*list) + REGS_MAX * sizeof(list->reg[0]));

    if (list != NULL) {
        list->n = REGS_MAX;
        if (kvm_ioctl(kvm, fd, KVM_GET_REG_LIST, list) < 0) {
            free(list);
            list = NULL;
        }
    }
    return list;
}

static int save_regs(struct kvm *kvm, int fd, struct pack *out)
{
    struct kvm_reg_list *list = list_regs(kvm, fd);
    uint8_t value[REG_SIZE_MAX];
    int ret = list != NULL ? 0 : -ENOMEM;

    pack_u32(out, ret == 0 ? (uint32_t)list->n : 0);
    for (uint64_t i = 0; ret == 0 && i < list->n; i++) {
        const size_t size = reg_size(list->reg[i]);
        ret = size <= sizeof(value) ? get_reg(kvm, fd, list->reg[i], value) : -E2BIG;
        pack_u64(out, list->reg[i]);
        pack_bytes(out, value, size <= sizeof(value) ? size : 0);
    }
    free(list);
    return ret < 0 ? ret : 0;
}

/* KVM lists what decides about others, such as the firmware's version, before those. */
static int load_regs(struct kvm *kvm, int fd, struct unpack *in, struct err *e)
{
    const uint32_t count = unpack_u32(in);
    int ret = 0;

    for (uint32_t i = 0; i < count && !in->failed && ret == 0; i++) {
        const uint64_t id = unpack_u64(in);
        const size_t size = reg_size(id);
        uint8_t value[REG_SIZE_MAX];
        const uint8_t *saved = size <= sizeof(value) ? unpack_bytes(in, size) : NULL;
        if (saved == NULL) {
            in->failed = true;
            break;
        }
        memcpy(value, saved, size); /* aligned */
        ret = load_reg(kvm, fd, id, value, size, e);
    }
    return ret;
}

int arch_vcpu_save(struct kvm *kvm, int fd, unsigned index, struct pack *out, struct err *e)
{
    struct kvm_mp_state mp = {0};
    struct kvm_vcpu_events events = {0};
    int ret = kvm_ioctl(kvm, fd, KVM_GET_MP_STATE, &mp);

    pack_blob(out, STATE_MP, &mp, sizeof(mp));
    if (ret == 0) {
        ret = save_regs(kvm, fd, out);
    }
    if (ret == 0 && kvm_check_cap(kvm, KVM_CAP_VCPU_EVENTS) != 0) {
        ret = kvm_ioctl(kvm, fd, KVM_GET_VCPU_EVENTS, &events);
    }
    pack_blob(out, STATE_EVENTS, &events, sizeof(events));
    return ret < 0
               ? err_set(e, -ret, "KVM cannot save the state of vCPU %u: %s", index, strerror(-ret))
               : 0;
}

int arch_vcpu_load(struct kvm *kvm, int fd, unsigned index, struct unpack *in, struct err *e)
{
    struct kvm_mp_state mp;
    struct kvm_vcpu_events events;
    int ret;

    unpack_blob(in, STATE_MP, &mp, sizeof(mp));
    ret = load_regs(kvm, fd, in, e);
    if (ret < 0) {
        err_prefix(e, "vCPU %u", index);
        return ret;
    }
    unpack_blob(in, STATE_EVENTS, &events, sizeof(events));
    if (in->failed) {
        return 0;
    }
    if (kvm_check_cap(kvm, KVM_CAP_VCPU_EVENTS) != 0) {
        ret = kvm_ioctl(kvm, fd, KVM_SET_VCPU_EVENTS, &events);
    }
    if (ret == 0) {
        ret = kvm_ioctl(kvm, fd, KVM_SET_MP_STATE, &mp);
    }
    return ret < 0 ? err_set(e, -ret, "KVM cannot restore the state of vCPU %u: %s", index,
                             strerror(-ret))
                   : 0;
}

void arch_vcpu_was_paused(struct kvm *kvm, int fd)
{
    (void)kvm, (void)fd; /* Linux on arm64 has no such question */
}
