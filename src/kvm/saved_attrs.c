/*
 * Registers of KVM's devices, by KVM_{GET,SET}_DEVICE_ATTR; see saved.h.
 */
#include "src/kvm/saved.h"

#include <linux/kvm.h>

/* KVM takes 4 or 8 bytes, as the group has it. */
static int move_wide(struct kvm *kvm, int fd, uint32_t group, uint64_t attr,
                     const struct attr_file *file)
{
    uint64_t value = 0;
    int ret = 0;

    if (file->out != NULL) {
        ret = kvm_get_attr(kvm, fd, group, attr, &value);
        pack_u64(file->out, value);
        return ret;
    }
    value = unpack_u64(file->in);
    return file->in->failed ? 0 : kvm_set_attr(kvm, fd, group, attr, &value);
}

static int move_word(struct kvm *kvm, int fd, uint32_t group, uint64_t attr,
                     const struct attr_file *file)
{
    uint32_t value = 0;
    int ret = 0;

    if (file->out != NULL) {
        ret = kvm_get_attr(kvm, fd, group, attr, &value);
        pack_u32(file->out, value);
        return ret;
    }
    value = unpack_u32(file->in);
    return file->in->failed ? 0 : kvm_set_attr(kvm, fd, group, attr, &value);
}

int attrs_move(struct kvm *kvm, int fd, const struct attr_group *g, uint64_t base,
               const struct attr_file *file)
{
    int ret = 0;

    for (size_t i = 0; i < g->count; i++) {
        for (uint32_t n = 0; n < g->runs[i].count && ret == 0; n++) {
            const uint64_t attr = base + g->runs[i].first + n * g->step;
            ret = g->width == 8 ? move_wide(kvm, fd, g->group, attr, file)
                                : move_word(kvm, fd, g->group, attr, file);
        }
    }
    return ret;
}

int attrs_fill(struct kvm *kvm, int fd, const struct attr_group *g, uint64_t base,
               const struct attr_run *run, uint64_t value)
{
    uint32_t word = (uint32_t)value;
    int ret = 0;

    for (uint32_t n = 0; n < run->count && ret == 0; n++) {
        ret = kvm_set_attr(kvm, fd, g->group, base + run->first + n * g->step,
                           g->width == 8 ? (void *)&value : (void *)&word);
    }
    return ret;
}
