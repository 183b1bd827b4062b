/*
 * All registers of a vCPU in saved state, where KVM has numbers for them; see saved.h. Their count,
 * then of each its number, which says how wide it is, and its value.
 */
#include "src/kvm/saved.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#define REGS_MAX     2048
#define REG_SIZE_MAX 256 /* bytes: a vector register of 2048 bits */

static size_t reg_size(uint64_t id)
{
    return (size_t)1 << ((id & KVM_REG_SIZE_MASK) >> KVM_REG_SIZE_SHIFT);
}

static int get_reg(struct kvm *kvm, int fd, uint64_t id, void *value)
{
    struct kvm_one_reg reg = {.id = id, .addr = (uintptr_t)value};
    return kvm_ioctl(kvm, fd, KVM_GET_ONE_REG, &reg);
}

static int list_regs(struct kvm *kvm, int fd, struct kvm_reg_list **out)
{
    struct kvm_reg_list *list = calloc(1, sizeof(*list) + REGS_MAX * sizeof(list->reg[0]));
    int ret;

    if (list == NULL) {
        return -ENOMEM;
    }
    list->n = REGS_MAX;
    ret = kvm_ioctl(kvm, fd, KVM_GET_REG_LIST, list);
    if (ret < 0) {
        free(list);
        return ret;
    }
    *out = list;
    return 0;
}

int save_regs(struct kvm *kvm, int fd, struct pack *out)
{
    struct kvm_reg_list *list;
    uint8_t value[REG_SIZE_MAX];
    int ret = list_regs(kvm, fd, &list);

    if (ret < 0) {
        return ret;
    }
    pack_u32(out, (uint32_t)list->n);
    for (uint64_t i = 0; ret == 0 && i < list->n; i++) {
        const size_t size = reg_size(list->reg[i]);
        ret = size <= sizeof(value) ? get_reg(kvm, fd, list->reg[i], value) : -E2BIG;
        if (ret == 0) {
            pack_u64(out, list->reg[i]);
            pack_bytes(out, value, size);
        }
    }
    free(list);
    return ret;
}

static int load_reg(struct kvm *kvm, int fd, uint64_t id, const uint8_t *wanted, size_t size)
{
    struct kvm_one_reg reg = {.id = id, .addr = (uintptr_t)wanted};
    uint8_t now[REG_SIZE_MAX];

    if (kvm_ioctl(kvm, fd, KVM_SET_ONE_REG, &reg) == 0 ||
        (get_reg(kvm, fd, id, now) == 0 && memcmp(now, wanted, size) == 0)) {
        return 0;
    }
    return -ENOTSUP;
}

int load_regs(struct kvm *kvm, int fd, struct unpack *in, uint64_t *refused)
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
        *refused = id;
        ret = load_reg(kvm, fd, id, value, size);
    }
    return ret;
}
