/*
 * vmgenid: a number that is another one in each machine that begins from a snapshot. An
 * interrupt tells the guest that it has changed, and the guest's random number generator that its
 * state is no longer its alone.
 *
 * Model: Microsoft, "Virtual Machine Generation ID" (2012), and how Linux uses it
 * (drivers/virt/vmgenid.c; device tree binding microsoft,vmgenid). Different: the 16 bytes are a
 * register and not a page of RAM, which costs no memory slot. Linux takes both.
 *
 * Locking: the device's own.
 */
#include "src/device.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define ID_SIZE 16

struct vmgenid {
    struct device dev;
    uint8_t id[ID_SIZE];
    bool changed; /* and the guest is to be told */
};

/* From the kernel, which has random numbers long before there is a vmm. */
static int choose_id(struct vmgenid *v, struct err *e)
{
    if (getrandom(v->id, sizeof(v->id), 0) != (ssize_t)sizeof(v->id)) {
        return err_set(e, errno, "no random number for the generation id, %s", strerror(errno));
    }
    return 0;
}

static uint64_t id_read(struct device *d, uint32_t offset, unsigned size)
{
    const struct vmgenid *v = DEVICE_STATE(struct vmgenid, d);
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)v->id[offset + i] << 8 * i;
    }
    return value;
}

static const struct reg id_regs[] = {
    {"id", 0, ID_SIZE, 1 | 2 | 4 | 8, REG_RO, 0, "another value in each machine"},
};

static const struct reg_block id_blocks[] = {
    {
        .name = "id",
        .size = 4096,
        .regs = TABLE(id_regs),
        .read = id_read,
    },
};

static int vmgenid_realize(struct device *d, struct err *e)
{
    return choose_id(DEVICE_STATE(struct vmgenid, d), e);
}

static int vmgenid_loaded(struct device *d, struct err *e)
{
    struct vmgenid *v = DEVICE_STATE(struct vmgenid, d);

    v->changed = true;
    return choose_id(v, e);
}

/* An event and no state: nobody acknowledges it. */
static void vmgenid_resume(struct device *d)
{
    struct vmgenid *v = DEVICE_STATE(struct vmgenid, d);

    device_lock(d);
    if (v->changed) {
        v->changed = false;
        device_raise(d, 0);
        device_lower(d, 0);
    }
    device_unlock(d);
}

const struct device_class vmgenid_class = {
    .name = "vmgenid",
    .summary = "tells a guest that it goes on in another machine",
    .state_size = sizeof(struct vmgenid),
    .blocks = TABLE(id_blocks),
    .version = 1,
    .internal = true,
    .compatible = "microsoft,vmgenid",
    .realize = vmgenid_realize,
    .loaded = vmgenid_loaded,
    .resume = vmgenid_resume,
};
