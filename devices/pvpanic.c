/*
 * pvpanic: the guest's kernel says that it panicked.
 *
 * Model: QEMU's pvpanic device (docs/specs/pvpanic.rst): one byte at a port, or in
 * the memory map as a platform device. Reading gives the events the host
 * understands, writing reports one. Linux's driver pvpanic-mmio finds it through
 * ACPI (QEMU0001: the port) or the device tree, and writes from its panic notifier.
 *
 * Locking: no state that changes; lock-free.
 */
#include "src/device.h"

enum {
    PVPANIC_PANICKED = 1,
    PVPANIC_CRASH_LOADED = 2, /* panicked, but a crash kernel takes over: the guest goes on */
    PVPANIC_SHUTDOWN = 4,     /* asks for a power-off; newer than the others */
};

struct pvpanic {
    struct device dev;
    uint32_t ioport;
    uint32_t events;
};

static uint64_t pvpanic_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)offset, (void)size;
    return DEVICE_STATE(struct pvpanic, d)->events;
}

static void pvpanic_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    (void)offset, (void)size;
    uint64_t known = value & DEVICE_STATE(struct pvpanic, d)->events;
    if (known != value) {
        guest_error(&d->guest_errors, "%s: unknown event 0x%x", d->id, (unsigned)value);
    }
    if (known & PVPANIC_PANICKED) {
        d->env->event(d->env->opaque, MACHINE_PANIC, 0);
    } else if (known & PVPANIC_SHUTDOWN) {
        d->env->event(d->env->opaque, MACHINE_POWEROFF, 0);
    }
}

static const struct reg pvpanic_regs[] = {
    {"events", 0, 1, 1, REG_RW, PVPANIC_PANICKED | PVPANIC_CRASH_LOADED,
     "read: events understood; write: 1 panicked, 2 crash kernel loaded, 4 shut down"},
};

static const struct reg_block pvpanic_blocks[] = {
    {
        .name = "events",
        .size = 1,
        .regs = TABLE(pvpanic_regs),
        .read = pvpanic_read,
        .write = pvpanic_write,
    },
};

static const struct prop pvpanic_props[] = {
    PROP(struct pvpanic, ioport, PROP_U32, "0x505", 0, 0xffff, "I/O port; bus=isa"),
    PROP(struct pvpanic, events, PROP_U32, "3", 0, 7, "events understood; 7 adds shutdown"),
};

static int pvpanic_realize(struct device *d, struct err *e)
{
    struct pvpanic *p = DEVICE_STATE(struct pvpanic, d);
    return d->bus != NULL ? 0 : device_map_block(d, 0, d->env->io_root, p->ioport, NULL, e);
}

const struct device_class pvpanic_class = {
    .name = "pvpanic",
    .summary = "the guest reports its kernel's panic",
    .state_size = sizeof(struct pvpanic),
    .props = TABLE(pvpanic_props),
    .blocks = TABLE(pvpanic_blocks),
    .lock_free = true,
    .compatible = "qemu,pvpanic-mmio",
    .isa = true,
    .realize = pvpanic_realize,
};
