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

/*
 * A function for tests: BAR 0 32-bit memory, BAR 1 I/O, BARs 2 and 3 64-bit prefetchable memory;
 * INTA, MSI, function level reset. The same registers are behind each BAR:
 *
 *     0  PROBE_ID(tag, number of the BAR): who answers
 *     4  a scratch register, 0 after reset
 *     8  written v: raise vector v       12  written v: lower vector v
 *
 * Property tag: 24 bits that tell the devices apart.
 */
extern const struct device_class pci_probe_class;
#define PROBE_ID(tag, bar) ((uint32_t)(tag) << 8 | (bar))
#define PROBE_MEM_SIZE     0x1000U
#define PROBE_IO_SIZE      0x20U
#define PROBE_MEM64_SIZE   0x10000U
#define PROBE_ID_REG       0
#define PROBE_SCRATCH      4
#define PROBE_RAISE        8
#define PROBE_LOWER        12

/* What the specification says of byte reg of the probe's configuration space: its value after
 * reset, and the bits a guest can change. */
void pci_probe_oracle(unsigned reg, uint8_t *value, uint8_t *writable);

/* How often the class's reset ran. */
unsigned pci_probe_resets(const struct device *d);

/* Configuration accesses by ECAM. */
uint32_t fake_config_read(struct pci_fixture *p, unsigned slot, unsigned reg, unsigned size);
void fake_config_write(struct pci_fixture *p, unsigned slot, unsigned reg, uint32_t value,
                       unsigned size);

#endif
