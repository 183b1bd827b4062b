/*
 * vCPUs in snapshots, where KVM numbers registers: whether it runs, every register that KVM lists,
 * and what no register tells.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, 4.38 KVM_GET_MP_STATE.
 * Locking: the vCPUs are paused.
 */
#include "src/arch/virt/virt.h"
#include "src/kvm/saved.h"

#include <assert.h>
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

enum {
    STATE_MP = 1,
    STATE_EXTRA = 2,
};

static bool has_extra(struct kvm *kvm)
{
    return virt_cpu.extra.size != 0 && kvm_check_cap(kvm, virt_cpu.extra.cap) != 0;
}

/* A KVM without it has nothing to tell: then it is zeros. */
static int save_extra(struct kvm *kvm, int fd, struct pack *out)
{
    const struct virt_extra *extra = &virt_cpu.extra;
    uint8_t data[VIRT_EXTRA_MAX] = {0};

    assert(extra->size <= sizeof(data));
    if (has_extra(kvm)) {
        return save_blob(kvm, fd, extra->get, STATE_EXTRA, data, extra->size, out);
    }
    pack_blob(out, STATE_EXTRA, data, extra->size);
    return 0;
}

static int load_extra(struct kvm *kvm, int fd, struct unpack *in)
{
    const struct virt_extra *extra = &virt_cpu.extra;
    uint8_t data[VIRT_EXTRA_MAX];

    if (has_extra(kvm)) {
        return load_blob(kvm, fd, extra->set, STATE_EXTRA, data, extra->size, in);
    }
    unpack_blob(in, STATE_EXTRA, data, extra->size);
    return 0;
}

int arch_vcpu_save(struct kvm *kvm, int fd, unsigned index, struct pack *out, struct err *e)
{
    struct kvm_mp_state mp = {0};
    int ret = save_blob(kvm, fd, KVM_GET_MP_STATE, STATE_MP, &mp, sizeof(mp), out);

    ret = ret < 0 ? ret : save_regs(kvm, fd, out);
    ret = ret < 0 ? ret : save_extra(kvm, fd, out);
    return ret < 0
               ? err_set(e, -ret, "KVM cannot save the state of vCPU %u: %s", index, strerror(-ret))
               : 0;
}

static int refused_reg(uint64_t id, unsigned index, struct err *e)
{
    char name[64];

    virt_cpu.name_reg(id, name, sizeof(name));
    err_set(e, ENOTSUP, "vCPU %u: the CPU is another: its register %s cannot be as saved", index,
            name);
    err_hint(e, "the snapshot is for hosts with the same processor and a KVM as new");
    return -ENOTSUP;
}

int arch_vcpu_load(struct kvm *kvm, int fd, unsigned index, struct unpack *in, struct err *e)
{
    struct kvm_mp_state mp;
    uint64_t refused;

    unpack_blob(in, STATE_MP, &mp, sizeof(mp));
    if (load_regs(kvm, fd, in, &refused) < 0) {
        return refused_reg(refused, index, e);
    }
    int ret = load_extra(kvm, fd, in);
    if (ret == 0 && !in->failed) {
        ret = kvm_ioctl(kvm, fd, KVM_SET_MP_STATE, &mp);
    }
    return ret < 0 ? err_set(e, -ret, "KVM cannot restore the state of vCPU %u: %s", index,
                             strerror(-ret))
                   : 0;
}

void arch_vcpu_was_paused(struct kvm *kvm, int fd)
{
    (void)kvm, (void)fd; /* only on x86 can Linux be told */
}

enum vcpu_activity arch_vcpu_activity(struct kvm *kvm, int fd)
{
    struct kvm_mp_state state;

    if (kvm_ioctl(kvm, fd, KVM_GET_MP_STATE, &state) < 0) {
        return VCPU_RUNS;
    }
    return state.mp_state == KVM_MP_STATE_STOPPED ? VCPU_DEAD : VCPU_WAITS;
}

int arch_reg_read(struct kvm *kvm, int fd, uint64_t id, uint64_t *value)
{
    return kvm_get_reg(kvm, fd, id, value);
}

int arch_reg_write(struct kvm *kvm, int fd, uint64_t id, uint64_t value)
{
    return kvm_set_reg(kvm, fd, id, value);
}
