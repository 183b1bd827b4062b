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

/* --- the bus --------------------------------------------------------------- */

void pci_fixture_init(struct pci_fixture *p, unsigned ram_mib)
{
    char props[256];

    fake_machine_init(&p->m, ram_mib);
    snprintf(props, sizeof(props),
             "ecam=0x%llx,io=0x%x,io_size=0x%x,mem32=0x%llx,mem32_size=0x%llx,mem64=0x%llx,"
             "mem64_size=0x%llx,gsi=%u",
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
