/*
 * A PCI bus for unit tests: see pci_fixture.h.
 */
#include "tests/unit/pci_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* --- the probe ----------------------------------------------------------- */

struct probe {
    struct device dev;
    uint32_t tag;
    uint32_t scratch;
    unsigned resets;
};

static uint64_t probe_read(struct device *d, uint32_t offset, unsigned bar)
{
    const struct probe *p = DEVICE_STATE(struct probe, d);
    return offset == PROBE_ID_REG ? PROBE_ID(p->tag, bar) : p->scratch;
}

static uint64_t mem_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)size;
    return probe_read(d, offset, 0);
}

static uint64_t io_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)size;
    return probe_read(d, offset, 1);
}

static uint64_t mem64_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)size;
    return probe_read(d, offset, 2);
}

static void probe_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    (void)size;
    switch (offset) {
    case PROBE_SCRATCH:
        DEVICE_STATE(struct probe, d)->scratch = (uint32_t)value;
        break;
    case PROBE_RAISE:
        device_raise(d, value % DEVICE_VECTORS_MAX);
        break;
    case PROBE_LOWER:
        device_lower(d, value % DEVICE_VECTORS_MAX);
        break;
    }
}

static void probe_reset(struct device *d)
{
    struct probe *p = DEVICE_STATE(struct probe, d);
    p->scratch = 0;
    p->resets++;
}

unsigned pci_probe_resets(const struct device *d)
{
    return ((const struct probe *)(const void *)d)->resets;
}

static const struct reg probe_regs[] = {
    {"id", PROBE_ID_REG, 4, 4, REG_RO, 0, "who answers"},
    {"scratch", PROBE_SCRATCH, 4, 4, REG_RW, 0, "plain storage"},
    {"raise", PROBE_RAISE, 4, 4, REG_WO, 0, "raise a vector"},
    {"lower", PROBE_LOWER, 4, 4, REG_WO, 0, "lower a vector"},
};

static const struct reg_block probe_blocks[] = {
    {"mem", PROBE_MEM_SIZE, .regs = TABLE(probe_regs), .read = mem_read, .write = probe_write},
    {"io", PROBE_IO_SIZE, .regs = TABLE(probe_regs), .read = io_read, .write = probe_write},
    {"mem64", PROBE_MEM64_SIZE, .regs = TABLE(probe_regs), .read = mem64_read,
     .write = probe_write},
};

static const struct prop probe_props[] = {
    PROP(struct probe, tag, PROP_U32, "0", 0, 0xffffff, "tells probes apart"),
};

static const struct pci_info probe_info = {
    .vendor = 0x1234,
    .device = 0x5678,
    .class_code = 0x00ff00,
    .revision = 0x10,
    .intx = true,
    .msi = true,
    .flr = true,
    .bar = {{PCI_BAR_MEM32, false, 0}, {PCI_BAR_IO, false, 1}, {PCI_BAR_MEM64, true, 2}},
};

const struct device_class pci_probe_class = {
    .name = "probe",
    .summary = "for tests of PCI",
    .state_size = sizeof(struct probe),
    .props = TABLE(probe_props),
    .blocks = TABLE(probe_blocks),
    .pci = &probe_info,
    .reset = probe_reset,
};

/* What the specification says of the probe, byte for byte; what is not listed is 0 and read-only.
 */
static const struct {
    uint8_t reg, value, writable;
} oracle[] = {
    {0x00, 0x34, 0x00}, {0x01, 0x12, 0x00}, /* vendor */
    {0x02, 0x78, 0x00}, {0x03, 0x56, 0x00}, /* device */
    {0x04, 0x00, 0x47}, {0x05, 0x00, 0x05}, /* command */
    {0x06, 0x10, 0x00},                     /* status: capabilities */
    {0x08, 0x10, 0x00}, {0x0a, 0xff, 0x00}, /* revision; class ff00, byte 0x0b is 0 */
    {0x0c, 0x00, 0xff}, {0x0d, 0x00, 0xff}, /* cache line, latency */
    {0x11, 0x00, 0xf0}, {0x12, 0x00, 0xff}, /* BAR 0: 4 KiB */
    {0x13, 0x00, 0xff},                     /* */
    {0x14, 0x01, 0xe0}, {0x15, 0x00, 0xff}, /* BAR 1: 32 ports */
    {0x16, 0x00, 0xff}, {0x17, 0x00, 0xff}, /* */
    {0x18, 0x0c, 0x00}, {0x1a, 0x00, 0xff}, /* BARs 2 and 3: 64 KiB, 64 bits, prefetchable */
    {0x1b, 0x00, 0xff}, {0x1c, 0x00, 0xff}, /* */
    {0x1d, 0x00, 0xff}, {0x1e, 0x00, 0xff}, /* */
    {0x1f, 0x00, 0xff},                     /* */
    {0x2c, 0xf4, 0x00}, {0x2d, 0x1a, 0x00}, /* subsystem */
    {0x2e, 0x00, 0x00}, {0x2f, 0x11, 0x00}, /* */
    {0x34, 0x40, 0x00},                     /* first capability */
    {0x3c, 0x00, 0xff}, {0x3d, 0x01, 0x00}, /* interrupt line, pin */
    {0x40, 0x05, 0x00}, {0x41, 0x50, 0x00}, /* MSI */
    {0x42, 0x80, 0x01},                     /* 64 bits; enable */
    {0x44, 0x00, 0xfc}, {0x45, 0x00, 0xff}, /* address */
    {0x46, 0x00, 0xff}, {0x47, 0x00, 0xff}, /* */
    {0x48, 0x00, 0xff}, {0x49, 0x00, 0xff}, /* */
    {0x4a, 0x00, 0xff}, {0x4b, 0x00, 0xff}, /* */
    {0x4c, 0x00, 0xff}, {0x4d, 0x00, 0xff}, /* data */
    {0x50, 0x13, 0x00}, {0x52, 0x06, 0x00}, /* Advanced Features, 6 bytes */
    {0x53, 0x03, 0x00},                     /* TP, FLR */
};

void pci_probe_oracle(unsigned reg, uint8_t *value, uint8_t *writable)
{
    *value = *writable = 0;
    for (size_t i = 0; i < ARRAY_LEN(oracle); i++) {
        if (oracle[i].reg == reg) {
            *value = oracle[i].value;
            *writable = oracle[i].writable;
        }
    }
}

/* --- the bus --------------------------------------------------------------- */

void pci_fixture_init(struct pci_fixture *p, unsigned ram_mib)
{
    char props[256];

    fake_machine_init(&p->m, ram_mib);
    snprintf(props, sizeof(props),
             "ecam=0x%llx,io=0x%x,io_size=0x%x,mem32=0x%llx,mem32_size=0x%llx,mem64=0x%llx,"
             "mem64_size=0x%llx,intx_gsi=%u",
             FIXTURE_ECAM, FIXTURE_IO, FIXTURE_IO_SIZE, FIXTURE_MEM32, FIXTURE_MEM32_SIZE,
             FIXTURE_MEM64, FIXTURE_MEM64_SIZE, FIXTURE_GSI);
    p->host = fake_device(&p->m, "pci-host", props);
    p->ports = fake_device(&p->m, "pci-ports", NULL);
    pci_ports_connect(p->ports, p->host);
}

void pci_fixture_free(struct pci_fixture *p)
{
    device_free(p->ports);
    device_free(p->host);
    fake_machine_free(&p->m);
}

struct device *pci_fixture_add(struct pci_fixture *p, const struct device_class *cls, unsigned addr,
                               const char *props)
{
    struct err e = ERR_INIT;
    struct device *d = fake_device_new(&p->m, cls, props);

    d->place.addr = addr;
    cr_assert_eq(pci_plug(p->host, d, &e), 0, "%s", e.what);
    cr_assert_eq(device_realize(d, &e), 0, "%s", e.what);
    return d;
}

static uint64_t config_gpa(unsigned slot, unsigned reg)
{
    return FIXTURE_ECAM + (slot << 15) + reg;
}

uint32_t fake_config_read(struct pci_fixture *p, unsigned slot, unsigned reg, unsigned size)
{
    return (uint32_t)fake_read(p->m.mem, config_gpa(slot, reg), size);
}

void fake_config_write(struct pci_fixture *p, unsigned slot, unsigned reg, uint32_t value,
                       unsigned size)
{
    fake_write(p->m.mem, config_gpa(slot, reg), value, size);
}
