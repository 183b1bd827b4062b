/*
 * See regs.h.
 */
#include "src/kvm/regs.h"

#include "src/arch/arch.h"

#include <errno.h>
#include <string.h>

const char *vcpu_reg_name(size_t i)
{
    return i < arch_reg_count ? arch_regs[i].name : NULL;
}

static const struct arch_reg *find(const char *name)
{
    for (size_t i = 0; i < arch_reg_count; i++) {
        if (strcmp(arch_regs[i].name, name) == 0) {
            return &arch_regs[i];
        }
    }
    return NULL;
}

int vcpu_reg_get(struct kvm *kvm, int fd, const char *name, uint64_t *value)
{
    const struct arch_reg *reg = find(name);

    return reg == NULL ? -ENOENT : arch_reg_read(kvm, fd, reg->id, value);
}

int vcpu_reg_set(struct kvm *kvm, int fd, const char *name, uint64_t value)
{
    const struct arch_reg *reg = find(name);

    if (reg == NULL) {
        return -ENOENT;
    }
    return reg->fixed ? -EPERM : arch_reg_write(kvm, fd, reg->id, value);
}
