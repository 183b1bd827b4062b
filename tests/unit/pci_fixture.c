/*
 * A PCI bus for unit tests: see pci_fixture.h.
 */
#include "tests/unit/pci_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

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
