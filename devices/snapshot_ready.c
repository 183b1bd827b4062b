/*
 * snapshot-ready: by a write the guest says that what comes before a snapshot is over
 * (--snapshot-save); by a read it learns which machine it is in.
 *
 * Model: this project's own, beside debug-exit. The machine is saved between the
 * write and the guest's next instruction. A read gives the number of times the machine
 * has begun from a snapshot: 0 in one that booted, 1 in those restored from its
 * snapshot, 2 in those restored from a snapshot of such a one. So a guest writes, reads, and
 * knows whether it is the one that was saved or one that was restored.
 *
 * Without --snapshot-save a write has no effect.
 *
 * Locking: the device's own.
 */
#include "src/device.h"

#define SIZE 4

struct snapshot_ready {
    struct device dev;
    uint32_t iobase;
    uint32_t generation;
};

static uint64_t ready_read(struct device *d, uint32_t offset, unsigned size)
{
    const struct snapshot_ready *s = DEVICE_STATE(struct snapshot_ready, d);

    (void)size;
    return s->generation >> 8 * offset;
}

static void ready_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    (void)offset, (void)value, (void)size;
    d->env->event(d->env->opaque, MACHINE_READY, 0);
}

static const struct reg ready_regs[] = {
    {"ready", 0, SIZE, 1 | 2 | 4, REG_RW, 0,
     "write: ready to be saved; read: how often the machine was restored"},
};

static const struct reg_block ready_blocks[] = {
    {
        .name = "ready",
        .size = SIZE,
        .regs = TABLE(ready_regs),
        .read = ready_read,
        .write = ready_write,
    },
};

static const struct prop ready_props[] = {
    PROP(struct snapshot_ready, iobase, PROP_U32, "0x508", 0, 0xfffc, "first I/O port; bus=isa"),
};

static int ready_realize(struct device *d, struct err *e)
{
    const struct snapshot_ready *s = DEVICE_STATE(struct snapshot_ready, d);

    return d->bus != NULL ? 0 : device_map_block(d, 0, d->env->io_root, s->iobase, NULL, e);
}

static int ready_loaded(struct device *d, struct err *e)
{
    (void)e;
    DEVICE_STATE(struct snapshot_ready, d)->generation++;
    return 0;
}

static const struct field ready_fields[] = {
    FIELD(struct snapshot_ready, generation, 1),
};

const struct device_class snapshot_ready_class = {
    .name = "snapshot-ready",
    .summary = "a write tells --snapshot-save that the guest is ready",
    .state_size = sizeof(struct snapshot_ready),
    .props = TABLE(ready_props),
    .blocks = TABLE(ready_blocks),
    .fields = TABLE(ready_fields),
    .version = 1,
    .compatible = "vmm,snapshot-ready",
    .isa = true,
    .realize = ready_realize,
    .loaded = ready_loaded,
};
