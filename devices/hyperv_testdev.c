/*
 * hyperv-testdev: makes Hyper-V's synthetic interrupts and connections for
 * kvm-unit-tests, which then uses them.
 *
 * Model: QEMU's hyperv-testdev (hw/hyperv/hyperv_testdev.c): one port takes a
 * 32-bit command,
 *
 *     31      24 23     16 15      8 7       0
 *     connection  command    vCPU      SINT
 *
 *     1  connect a SINT      4, 5  connect, disconnect messages of a connection to a SINT
 *     2  disconnect it       6, 7  the same for events; the flag is the connection's number
 *     3  raise it
 *
 * Narrower writes are as wide with zeros above. What a command cannot do is a mistake of the
 * guest's, and counted.
 *
 * Locking: the device's own; no state of its own (src/hyperv.h has it).
 */
#include "src/device.h"
#include "src/hyperv.h"

#include <errno.h>
#include <string.h>

#define COMMAND_PORT 0x3000

enum {
    SINT_CONNECT = 1,
    SINT_DISCONNECT,
    SINT_RAISE,
    MESSAGES_CONNECT,
    MESSAGES_DISCONNECT,
    EVENTS_CONNECT,
    EVENTS_DISCONNECT,
};

struct hyperv_testdev {
    struct device dev;
};

static int carry_out(struct hyperv *h, unsigned command, unsigned conn, unsigned vcpu,
                     unsigned sint)
{
    switch (command) {
    case SINT_CONNECT:
        return h->connect_sint(h, vcpu, sint);
    case SINT_DISCONNECT:
        return h->disconnect_sint(h, vcpu, sint);
    case SINT_RAISE:
        return h->raise_sint(h, vcpu, sint);
    case MESSAGES_CONNECT:
        return h->connect_messages(h, conn, vcpu, sint);
    case EVENTS_CONNECT:
        return h->connect_events(h, conn, vcpu, sint, conn);
    case MESSAGES_DISCONNECT:
    case EVENTS_DISCONNECT:
        return h->disconnect(h, conn);
    default:
        return -ENOSYS;
    }
}

static void command_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    (void)offset, (void)size;
    const int ret = carry_out(d->env->hyperv, value >> 16 & 0xff, value >> 24 & 0xff,
                              value >> 8 & 0xff, value & 0xff);

    if (ret < 0) {
        guest_error(&d->guest_errors, "%s: command 0x%08llx: %s", d->id, (unsigned long long)value,
                    strerror(-ret));
    }
}

static const struct reg hyperv_testdev_regs[] = {
    {"command", 0, 4, 1 | 2 | 4 | REG_AT_START, REG_WO, 0,
     "connection << 24 | command << 16 | vCPU << 8 | SINT"},
};

static const struct reg_block hyperv_testdev_blocks[] = {
    {
        .name = "command",
        .size = 4,
        .regs = TABLE(hyperv_testdev_regs),
        .write = command_write,
    },
};

static int hyperv_testdev_realize(struct device *d, struct err *e)
{
    if (d->env->hyperv == NULL) {
        err_set(e, ENODEV, "%s: the guest's CPUs have no Hyper-V interface", d->id);
        err_hint(e, "--cpu host,hyperv=on");
        err_status(e, EXIT_USAGE);
        return -ENODEV;
    }
    return device_map_block(d, 0, d->env->io_root, COMMAND_PORT, NULL, e);
}

const struct device_class hyperv_testdev_class = {
    .name = "hyperv-testdev",
    .summary = "Hyper-V's synthetic interrupts and connections for kvm-unit-tests",
    .state_size = sizeof(struct hyperv_testdev),
    .blocks = TABLE(hyperv_testdev_blocks),
    .isa = true,
    .realize = hyperv_testdev_realize,
};
