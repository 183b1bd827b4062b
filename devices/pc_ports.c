/*
 * pc-ports: the small fixed ports of a PC.
 *
 * 0x80 shows power-on test codes; software writes it for a delay of about 1 us,
 * and 0xed where a card uses 0x80. Both are accepted and forgotten.
 * 0x92, system control port A (IBM PS/2): bit 1 gates address line 20, which is
 * always on here, bit 0 resets. 0xcf9, reset control (Intel PIIX3 and later):
 * bit 2 going high resets, bit 1 makes that a full reset. It lies inside the
 * 4 bytes of the PCI address register, so the two are one register here: whole,
 * it is a PCI bridge that is absent. Linux writes it a hundred times to find that
 * out, so these writes are posted. Port 0x61 belongs to KVM's timer.
 *
 * Locking: the device's own.
 */
#include "devices/posted.h"
#include "src/device.h"

enum {
    PORT_A_RESET = 0x01,
    PORT_A_A20 = 0x02,
    RST_OFFSET = 1,
    RST_CPU = 0x04,
    RST_MASK = 0x0e,
};

struct pc_ports {
    struct device dev;
    uint8_t port_a;
    uint8_t reset_control;
    struct posted pci_scan;
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

static void request_reset(struct device *d)
{
    d->env->event(d->env->opaque, MACHINE_REBOOT, 0);
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
        request_reset(d);
    }
}

static uint64_t cf8_read(struct device *d, uint32_t offset, unsigned size)
{
    bool reset_control = offset == RST_OFFSET && size == 1;
    return reset_control ? DEVICE_STATE(struct pc_ports, d)->reset_control : UINT32_MAX;
}

static void cf8_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    struct pc_ports *p = DEVICE_STATE(struct pc_ports, d);
    if (offset != RST_OFFSET || size != 1) {
        posted_count(&p->pci_scan);
        return;
    }
    bool rises = value & ~(uint64_t)p->reset_control & RST_CPU;
    p->reset_control = value & RST_MASK;
    if (rises) {
        request_reset(d);
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
static const struct reg cf8_regs[] = {
    {"pci_address", 0, 4, 1 | 4, REG_RW, UINT32_MAX,
     "byte 1: reset control, bit 2 rising: reset, bit 1: full; all else: no PCI here"},
};

#define BLOCK(n, bytes, r, w)                                                                      \
    {                                                                                              \
        .name = #n, .size = (bytes), .regs = TABLE(n##_regs), .read = (r), .write = (w)            \
    }

static const struct reg_block pc_ports_blocks[] = {
    BLOCK(post, 1, scratch_read, scratch_write),
    BLOCK(delay, 1, scratch_read, scratch_write),
    BLOCK(port_a, 1, port_a_read, port_a_write),
    BLOCK(cf8, 4, cf8_read, cf8_write),
};

static const uint16_t ports[ARRAY_LEN(pc_ports_blocks)] = {0x80, 0xed, 0x92, 0xcf8};

/* A reset through 0xcf9 is posted too while this is on: at most 20 ms late, after a scan of PCI. */
static const struct posted_rule scan_rule = {.offset = 0, .size = 4, .after = 8, .idle_ms = 20};

static int pc_ports_realize(struct device *d, struct err *e)
{
    struct pc_ports *p = DEVICE_STATE(struct pc_ports, d);
    struct region *cf8 = NULL;
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        int ret = device_map_block(d, i, d->env->io_root, ports[i], &cf8, e);
        if (ret < 0) {
            return ret;
        }
    }
    posted_init(&p->pci_scan, d, cf8, &scan_rule, true);
    return 0;
}

static void pc_ports_unrealize(struct device *d)
{
    posted_fini(&DEVICE_STATE(struct pc_ports, d)->pci_scan);
}

static void pc_ports_reset(struct device *d)
{
    struct pc_ports *p = DEVICE_STATE(struct pc_ports, d);
    p->port_a = PORT_A_A20;
    p->reset_control = 0;
    posted_stop(&p->pci_scan);
}

static const struct field pc_ports_fields[] = {
    FIELD(struct pc_ports, port_a, 1),
    FIELD(struct pc_ports, reset_control, 1),
};

const struct device_class pc_ports_class = {
    .name = "pc-ports",
    .summary = "a PC's delay, A20 and reset ports (0x80, 0xed, 0x92, 0xcf9)",
    .state_size = sizeof(struct pc_ports),
    .blocks = TABLE(pc_ports_blocks),
    .fields = TABLE(pc_ports_fields),
    .version = 1,
    .internal = true,
    .realize = pc_ports_realize,
    .unrealize = pc_ports_unrealize,
    .reset = pc_ports_reset,
};
