/*
 * debug-exit: a write ends vmm with a status the guest chooses, for tests and
 * teaching guests.
 *
 * Model: QEMU's isa-debug-exit (hw/misc/debugexit.c): a write of v, 1 to 4 bytes
 * wide, gives the status (v << 1) | 1, of which an exit status keeps 8 bits; so
 * a guest cannot end with 0. Reads give 0. As a platform device it is 256 bytes
 * of memory in place of ports.
 *
 * Locking: no state; lock-free.
 */
#include "src/device.h"

#define IOSIZE_MAX 256

struct debug_exit {
    struct device dev;
    uint32_t iobase;
    uint32_t iosize;
};

static uint64_t debug_exit_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)d, (void)offset, (void)size;
    return 0;
}

static void debug_exit_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    (void)offset, (void)size;
    d->env->event(d->env->opaque, MACHINE_DEBUG_EXIT, (int)((value << 1 | 1) & 0xff));
}

static const struct reg debug_exit_regs[] = {
    {"exit", 0, IOSIZE_MAX, 1 | 2 | 4, REG_RW, 0, "write v: vmm exits with (v << 1 | 1) & 0xff"},
};

static const struct reg_block debug_exit_blocks[] = {
    {
        .name = "exit",
        .size = IOSIZE_MAX,
        .regs = TABLE(debug_exit_regs),
        .read = debug_exit_read,
        .write = debug_exit_write,
    },
};

static const struct prop debug_exit_props[] = {
    PROP(struct debug_exit, iobase, PROP_U32, "0x501", 0, 0xffff, "first I/O port; bus=isa"),
    PROP(struct debug_exit, iosize, PROP_U32, "2", 1, IOSIZE_MAX, "number of I/O ports; bus=isa"),
};

static int debug_exit_realize(struct device *d, struct err *e)
{
    struct debug_exit *x = DEVICE_STATE(struct debug_exit, d);
    struct region *r;
    if (d->bus != NULL) {
        return 0;
    }
    int ret = device_map_block(d, 0, d->env->io_root, x->iobase, &r, e);
    if (ret < 0) {
        return ret;
    }
    ret = region_set_size(r, x->iosize);
    return ret < 0 ? err_set(e, -ret, "cannot map %u ports at 0x%x", x->iosize, x->iobase) : 0;
}

const struct device_class debug_exit_class = {
    .name = "debug-exit",
    .summary = "a write ends vmm with a status of the guest's choice",
    .state_size = sizeof(struct debug_exit),
    .props = TABLE(debug_exit_props),
    .blocks = TABLE(debug_exit_blocks),
    .lock_free = true,
    .compatible = "vmm,debug-exit",
    .isa = true,
    .realize = debug_exit_realize,
};
