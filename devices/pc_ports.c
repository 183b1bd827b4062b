/*
 * pc-ports: the small fixed ports of a PC.
 *
 * 0x80 shows power-on test codes; software writes it for a delay of about 1 us,
 * and 0xed where a card uses 0x80. Both are accepted and forgotten.
 * 0x92, system control port A (IBM PS/2): bit 1 gates address line 20, which is
 * always on here, bit 0 resets. The other reset register, 0xcf9, lies inside the PCI
 * address register and is pci-ports'. Port 0x61 belongs to KVM's timer.
 *
 * Locking: the device's own.
 */
#include "src/device.h"

enum {
    PORT_A_RESET = 0x01,
    PORT_A_A20 = 0x02,
};

struct pc_ports {
    struct device dev;
    uint8_t port_a;
};

static uint64_t scratch_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)d, (void)offset, (void)size;
    return 0xff;
}

static void scratch_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    (void)d, (void)offset, (void)value, (void)size;
}

static uint64_t port_a_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)offset, (void)size;
    return DEVICE_STATE(struct pc_ports, d)->port_a;
}

static void port_a_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    (void)offset, (void)size;
    struct pc_ports *p = DEVICE_STATE(struct pc_ports, d);
    bool rises = value & ~(uint64_t)p->port_a & PORT_A_RESET;
    p->port_a = (uint8_t)value;
    if (rises) {
        d->env->event(d->env->opaque, MACHINE_REBOOT, 0);
    }
}

static const struct reg post_regs[] = {
    {"post", 0, 1, 1, REG_RW, 0xff, "power-on test code; ignored"},
};
static const struct reg delay_regs[] = {
    {"delay", 0, 1, 1, REG_RW, 0xff, "alternative delay port; ignored"},
};
static const struct reg port_a_regs[] = {
    {"port_a", 0, 1, 1, REG_RW, PORT_A_A20, "bit 0 rising: reset; bit 1: A20 (no effect)"},
};

#define BLOCK(n, bytes, r, w)                                                                      \
    {                                                                                              \
        .name = #n, .size = (bytes), .regs = TABLE(n##_regs), .read = (r), .write = (w)            \
    }

static const struct reg_block pc_ports_blocks[] = {
    BLOCK(post, 1, scratch_read, scratch_write),
    BLOCK(delay, 1, scratch_read, scratch_write),
    BLOCK(port_a, 1, port_a_read, port_a_write),
};

static const uint16_t ports[ARRAY_LEN(pc_ports_blocks)] = {0x80, 0xed, 0x92};

static int pc_ports_realize(struct device *d, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        int ret = device_map_block(d, i, d->env->io_root, ports[i], NULL, e);
        if (ret < 0) {
            return ret;
        }
    }
    return 0;
}

static void pc_ports_reset(struct device *d)
{
    DEVICE_STATE(struct pc_ports, d)->port_a = PORT_A_A20;
}

static const struct field pc_ports_fields[] = {
    FIELD(struct pc_ports, port_a, 1),
};

const struct device_class pc_ports_class = {
    .name = "pc-ports",
    .summary = "a PC's delay, A20 and reset ports (0x80, 0xed, 0x92)",
    .state_size = sizeof(struct pc_ports),
    .blocks = TABLE(pc_ports_blocks),
    .fields = TABLE(pc_ports_fields),
    .version = 1,
    .internal = true,
    .realize = pc_ports_realize,
    .reset = pc_ports_reset,
};
