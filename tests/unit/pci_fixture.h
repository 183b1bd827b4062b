/*
 * A fake machine with a PCI bus as the `pc` machine has it: host bridge, ports and the windows
 * below. For tests of PCI itself and of devices on it.
 */
#ifndef TESTS_PCI_FIXTURE_H
#define TESTS_PCI_FIXTURE_H

#include "devices/pci.h"
#include "tests/unit/fakes.h"

#define FIXTURE_ECAM       0xe0000000ULL
#define FIXTURE_IO         0x1000U
#define FIXTURE_IO_SIZE    0xf000U
#define FIXTURE_MEM32      0xc0000000ULL
#define FIXTURE_MEM32_SIZE 0x20000000ULL
#define FIXTURE_MEM64      0x800000000ULL
#define FIXTURE_MEM64_SIZE 0x800000000ULL
#define FIXTURE_GSI        12

struct pci_fixture {
    struct fake_machine m;
    struct device *host, *ports;
};

/* With ram_mib MiB of RAM at 0. */
void pci_fixture_init(struct pci_fixture *p, unsigned ram_mib);
/* The devices plugged in must have been freed. */
void pci_fixture_free(struct pci_fixture *p);

/*
 * Make, plug in and realize a device of cls at addr (0: the first free slot). props: as in
 * fakes.h, or NULL. Free with device_free().
 */
struct device *pci_fixture_add(struct pci_fixture *p, const struct device_class *cls, unsigned addr,
                               const char *props);

/* Configuration accesses by ECAM. */
uint32_t fake_config_read(struct pci_fixture *p, unsigned slot, unsigned reg, unsigned size);
void fake_config_write(struct pci_fixture *p, unsigned slot, unsigned reg, uint32_t value,
                       unsigned size);

#endif
