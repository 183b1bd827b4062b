/*
 * State that KVM keeps of a VM, in saved state: structs that one ioctl gives and another takes,
 * all registers of a vCPU by number, registers of a device.
 *
 * Where in is short or damaged, it is marked failed (pack.h) and nothing more is given to KVM; the
 * functions return 0 then, and the caller looks.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, 4.68 KVM_SET_ONE_REG, 4.80 KVM_SET_DEVICE_ATTR,
 * 4.84 KVM_GET_REG_LIST.
 * Locking: the vCPUs are paused.
 */
#ifndef KVM_SAVED_H
#define KVM_SAVED_H

#include "src/base/pack.h"
#include "src/kvm/kvm.h"

/* --- structs (saved_blob.c) ---------------------------------------------- */

/* What request fills, as one blob; it is in data, too. 0 or -errno. */
int save_blob(struct kvm *kvm, int fd, unsigned long request, uint32_t tag, void *data, size_t size,
              struct pack *out);
int load_blob(struct kvm *kvm, int fd, unsigned long request, uint32_t tag, void *data, size_t size,
              struct unpack *in);

/* --- registers of a vCPU (saved_regs.c) ----------------------------------- */

/* All that KVM lists, in its order. 0 or -errno. */
int save_regs(struct kvm *kvm, int fd, struct pack *out);

/*
 * Set them, in that order: KVM lists what decides about others before those. One that KVM refuses
 * is no error if it has that value already. -ENOTSUP: it has another, and *refused is its number.
 */
int load_regs(struct kvm *kvm, int fd, struct unpack *in, uint64_t *refused);

/* --- registers of a device (saved_attrs.c) --------------------------------- */

/* Registers that follow one another: attributes first, first + step, ... */
struct attr_run {
    uint32_t first, count;
};

/* Registers of one kind, in the order in which they are saved and restored. */
struct attr_group {
    uint32_t group; /* KVM's number of it */
    unsigned step;  /* between attributes */
    unsigned width; /* of a register: 4 or 8 bytes */
    const struct attr_run *runs;
    size_t count;
};

/* Where registers go to, or come from: one of the two is NULL. */
struct attr_file {
    struct pack *out;
    struct unpack *in;
};

/* Save or restore them all; base is added to each attribute (whose registers these are). 0 or
 * -errno. */
int attrs_move(struct kvm *kvm, int fd, const struct attr_group *g, uint64_t base,
               const struct attr_file *file);

/* Write value to all of one run of g. */
int attrs_fill(struct kvm *kvm, int fd, const struct attr_group *g, uint64_t base,
               const struct attr_run *run, uint64_t value);

#endif
