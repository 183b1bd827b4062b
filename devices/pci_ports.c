/*
 * pci-ports: configuration mechanism #1 of a PC, and its reset control register.
 *
 * 0xcf8 takes an address, as 4 bytes only: bit 31 enable, 23:16 bus, 15:11 slot,
 * 10:8 function, 7:2 register; 0xcfc to 0xcff are the 4 bytes of that register.
 * 0xcf9 as one byte is another register (Intel PIIX3 and later): bit 2 going high
 * resets, bit 1 makes that a full reset. The other single bytes do nothing: with
 * them systems look for configuration mechanism #2, which this machine is without.
 *
 * Each access to the data follows a write of the address. So these writes are
 * posted during a run of them, and one configuration access is one exit.
 *
 * Source: PCI Local Bus Specification 3.0, section 3.2.2.3.2; Intel 82371SB
 * datasheet, section 2.5.7 (reset control).
 * Locking: the device's own; the function's nests inside.
 */
#include "devices/pci_function.h"
#include "devices/posted.h"

#define ADDRESS_ENABLE 0x80000000U

enum {
    RST_OFFSET = 1,
    RST_CPU = 0x04,
    RST_MASK = 0x0e,
};

struct pci_ports {
    struct device dev;
    struct pci_host *host;
    uint32_t address;
    uint8_t reset_control;
    struct posted posted;
};

void pci_ports_connect(struct device *ports, struct device *host)
{
    DEVICE_STATE(struct pci_ports, ports)->host = DEVICE_STATE(struct pci_host, host);
}

static uint64_t address_read(struct device *d, uint32_t offset, unsigned size)
{
    struct pci_ports *p = DEVICE_STATE(struct pci_ports, d);

    if (size == 4) { /* without a bridge as without this device: systems look no further then */
        return p->host != NULL ? p->address : UINT32_MAX;
    }
    return offset == RST_OFFSET ? p->reset_control : UINT8_MAX;
}

static void reset_control_write(struct pci_ports *p, uint8_t value)
{
    const bool rises = value & ~p->reset_control & RST_CPU;

    p->reset_control = value & RST_MASK;
    if (rises) {
        p->dev.env->event(p->dev.env->opaque, MACHINE_REBOOT, 0);
    }
}

static void address_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    struct pci_ports *p = DEVICE_STATE(struct pci_ports, d);

    if (size == 4) {
        p->address = (uint32_t)value;
        posted_count(&p->posted);
    } else if (offset == RST_OFFSET) {
        reset_control_write(p, (uint8_t)value);
    }
}

/* Does the address name something on bus 0? */
static bool selects(const struct pci_ports *p)
{
    return p->host != NULL && (p->address & ADDRESS_ENABLE) != 0 && (p->address >> 16 & 0xff) == 0;
}

static uint64_t data_read(struct device *d, uint32_t offset, unsigned size)
{
    const struct pci_ports *p = DEVICE_STATE(struct pci_ports, d);
    const uint32_t a = p->address;

    if (!selects(p)) {
        return UINT32_MAX;
    }
    return pci_host_read(p->host, a >> 11 & 0x1f, a >> 8 & 7, (a & 0xfc) + offset, size);
}

static void data_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    const struct pci_ports *p = DEVICE_STATE(struct pci_ports, d);
    const uint32_t a = p->address;

    if (selects(p)) {
        pci_host_write(p->host, a >> 11 & 0x1f, a >> 8 & 7, (a & 0xfc) + offset, (uint32_t)value,
                       size);
    }
}

static const struct reg address_regs[] = {
    {"address", 0, 4, 1 | 4, REG_RW, 0,
     "4 bytes: PCI address; byte 1 alone: reset control, bit 2 rising: reset, bit 1: full"},
};
static const struct reg data_regs[] = {
    {"data", 0, 4, 1 | 2 | 4, REG_RW, UINT32_MAX,
     "of the register at the address; all ones: there is none"},
};

static const struct reg_block pci_ports_blocks[] = {
    {
        .name = "address",
        .size = 4,
        .regs = TABLE(address_regs),
        .read = address_read,
        .write = address_write,
    },
    {
        .name = "data",
        .size = 4,
        .regs = TABLE(data_regs),
        .read = data_read,
        .write = data_write,
    },
};

/* A reset through 0xcf9 is posted too while this is on: at most 20 ms late, after a scan of PCI. */
static const struct posted_rule posted_rule = {.offset = 0, .size = 4, .after = 8, .idle_ms = 20};

static int pci_ports_realize(struct device *d, struct err *e)
{
    struct region *address;
    int ret = device_map_block(d, 0, d->env->io_root, 0xcf8, &address, e);

    if (ret == 0) {
        ret = device_map_block(d, 1, d->env->io_root, 0xcfc, NULL, e);
    }
    if (ret == 0) {
        posted_init(&DEVICE_STATE(struct pci_ports, d)->posted, d, address, &posted_rule, true);
    }
    return ret;
}

static void pci_ports_unrealize(struct device *d)
{
    posted_fini(&DEVICE_STATE(struct pci_ports, d)->posted);
}

static void pci_ports_reset(struct device *d)
{
    struct pci_ports *p = DEVICE_STATE(struct pci_ports, d);

    p->address = 0;
    p->reset_control = 0;
    posted_stop(&p->posted);
}

static const struct field pci_ports_fields[] = {
    FIELD(struct pci_ports, address, 1),
    FIELD(struct pci_ports, reset_control, 1),
};

const struct device_class pci_ports_class = {
    .name = "pci-ports",
    .summary = "a PC's access to PCI by ports, and reset control (0xcf8 to 0xcff)",
    .state_size = sizeof(struct pci_ports),
    .blocks = TABLE(pci_ports_blocks),
    .fields = TABLE(pci_ports_fields),
    .version = 1,
    .internal = true,
    .realize = pci_ports_realize,
    .unrealize = pci_ports_unrealize,
    .reset = pci_ports_reset,
};
