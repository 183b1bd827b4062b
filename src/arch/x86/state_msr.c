/*
 * Model-specific registers in snapshots: see state.h.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, 4.3 KVM_GET_MSR_INDEX_LIST, 4.18 and
 * 4.19; virt/kvm/x86/msr.rst for those of KVM.
 */
#include "src/arch/x86/state.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MSR_TSC          0x10
#define MSR_TSC_DEADLINE 0x6e0
#define MSRS_MAX         1024

/* In no list of KVM's: memory types and timer. */
static const uint32_t extras[] = {
    0x200, 0x201, 0x202, 0x203, 0x204, 0x205, 0x206,   0x207,
    0x208, 0x209, 0x20a, 0x20b, 0x20c, 0x20d, 0x20e,   0x20f,
    0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b,   0x26c,
    0x26d, 0x26e, 0x26f, 0x277, 0x2ff, 0xda0, MSR_TSC, MSR_TSC_DEADLINE,
};

/*
 * Not to be saved: what KVM_SET_SREGS sets, what describes the host or Hyper-V, which no guest is
 * shown; and the wall clock, at whose write KVM stores the time in guest memory at once. A guest
 * writes that each time it wants to know.
 */
static bool is_left_out(uint32_t msr)
{
    return msr == 0x1b || msr == 0xc0000080 || msr == 0x8b || msr == 0x10a || msr == 0xcf ||
           (msr >= 0x480 && msr <= 0x493) || (msr >= 0x40000000 && msr <= 0x4000ffff) ||
           msr == 0x11 || msr == 0x4b564d00;
}

static struct kvm_msrs *new_list(void)
{
    return calloc(1, sizeof(struct kvm_msrs) + MSRS_MAX * sizeof(struct kvm_msr_entry));
}

static void add(struct kvm_msrs *list, uint32_t msr)
{
    bool known = is_left_out(msr) || list->nmsrs == MSRS_MAX;

    for (uint32_t i = 0; i < list->nmsrs && !known; i++) {
        known = list->entries[i].index == msr;
    }
    if (!known) {
        list->entries[list->nmsrs++].index = msr;
    }
}

/* The list to ask for: the time stamp first, since others are relative to it, its deadline last. */
static struct kvm_msrs *make_list(struct kvm *kvm)
{
    struct kvm_msr_list *known = calloc(1, sizeof(*known) + MSRS_MAX * sizeof(uint32_t));
    struct kvm_msrs *list = new_list();

    if (known == NULL || list == NULL) {
        free(known);
        free(list);
        return NULL;
    }
    known->nmsrs = MSRS_MAX;
    if (kvm_ioctl(kvm, kvm->dev_fd, KVM_GET_MSR_INDEX_LIST, known) < 0) {
        known->nmsrs = 0;
    }
    add(list, MSR_TSC);
    for (uint32_t i = 0; i < known->nmsrs; i++) {
        if (known->indices[i] != MSR_TSC_DEADLINE) {
            add(list, known->indices[i]);
        }
    }
    for (size_t i = 0; i < sizeof(extras) / sizeof(extras[0]); i++) {
        add(list, extras[i]);
    }
    free(known);
    return list;
}

/* One at a time: KVM_GET_MSRS stops at the first it has not. False: it has not. */
static bool get_msr(struct kvm *kvm, int fd, struct kvm_msr_entry *entry)
{
    union {
        struct kvm_msrs list;
        uint8_t room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
    } req = {.list.nmsrs = 1};

    req.list.entries[0].index = entry->index;
    if (kvm_ioctl(kvm, fd, KVM_GET_MSRS, &req) != 1) {
        return false;
    }
    entry->data = req.list.entries[0].data;
    return true;
}

/* The values of list, without those KVM has not. */
static int get_all(struct kvm *kvm, int fd, struct kvm_msrs *list)
{
    struct kvm_msrs *part = new_list();
    uint32_t kept = 0, done = 0;

    if (part == NULL) {
        return -ENOMEM;
    }
    while (done < list->nmsrs) {
        const uint32_t left = list->nmsrs - done;
        part->nmsrs = left;
        memcpy(part->entries, &list->entries[done], left * sizeof(part->entries[0]));
        const int got = kvm_ioctl(kvm, fd, KVM_GET_MSRS, part);
        if (got < 0) {
            free(part);
            return got;
        }
        for (int i = 0; i < got; i++) { /* kept <= done: behind what is still to be asked */
            list->entries[kept++] = part->entries[i];
        }
        done += (uint32_t)got < left ? (uint32_t)got + 1 : left;
    }
    list->nmsrs = kept;
    free(part);
    return 0;
}

int msrs_save(struct kvm *kvm, int fd, struct pack *out, struct err *e)
{
    struct kvm_msrs *list = make_list(kvm);
    const int ret = list != NULL ? get_all(kvm, fd, list) : -ENOMEM;

    if (ret < 0) {
        free(list);
        return err_set(e, -ret, "cannot read model-specific registers: %s", strerror(-ret));
    }
    pack_u32(out, STATE_MSRS);
    pack_u32(out, list->nmsrs);
    for (uint32_t i = 0; i < list->nmsrs; i++) {
        pack_u32(out, list->entries[i].index);
        pack_u64(out, list->entries[i].data);
    }
    free(list);
    return 0;
}

static int refused(struct kvm *kvm, int fd, const struct kvm_msr_entry *wanted, struct err *e)
{
    struct kvm_msr_entry now = {.index = wanted->index};

    if (get_msr(kvm, fd, &now) && now.data == wanted->data) {
        return 0;
    }
    err_set(e, EINVAL,
            "this host's KVM does not take 0x%" PRIx64 " for the model-specific register 0x%x",
            (uint64_t)wanted->data, wanted->index);
    err_hint(e, "the snapshot is for hosts with the same processor and a KVM as new");
    return -EINVAL;
}

/* Give KVM all of list; part is room for as many. */
static int set_all(struct kvm *kvm, int fd, const struct kvm_msrs *list, struct kvm_msrs *part,
                   struct err *e)
{
    uint32_t done = 0;

    while (done < list->nmsrs) {
        const uint32_t left = list->nmsrs - done;
        part->nmsrs = left;
        memcpy(part->entries, &list->entries[done], left * sizeof(part->entries[0]));
        const int set = kvm_ioctl(kvm, fd, KVM_SET_MSRS, part);
        if (set < 0) {
            return err_set(e, -set, "KVM refused model-specific registers: %s", strerror(-set));
        }
        if ((uint32_t)set == left) {
            return 0;
        }
        done += (uint32_t)set; /* where it stopped */
        const int ret = refused(kvm, fd, &list->entries[done], e);
        if (ret < 0) {
            return ret;
        }
        done++;
    }
    return 0;
}

int msrs_load(struct kvm *kvm, int fd, struct unpack *in, struct err *e)
{
    struct kvm_msrs *list = new_list(), *part = new_list();
    int ret = -ENOMEM;

    in->failed |= unpack_u32(in) != STATE_MSRS;
    const uint32_t count = unpack_u32(in);
    in->failed |= count > MSRS_MAX;
    if (list == NULL || part == NULL) {
        err_set(e, ENOMEM, "out of memory");
    } else {
        for (uint32_t i = 0; i < count && !in->failed; i++) {
            list->entries[i].index = unpack_u32(in);
            list->entries[i].data = unpack_u64(in);
            list->nmsrs = i + 1;
        }
        ret = in->failed ? 0 : set_all(kvm, fd, list, part, e);
    }
    free(list);
    free(part);
    return ret;
}
