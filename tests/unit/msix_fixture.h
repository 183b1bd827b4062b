/*
 * A PCI function with MSI-X and nothing else, its table mapped and bus mastering on.
 */
#ifndef TESTS_MSIX_FIXTURE_H
#define TESTS_MSIX_FIXTURE_H

#include "tests/unit/pci_fixture.h"

#include "devices/pci_function.h"

#define VECTORS   5
#define TABLE_BAR 1
#define BAR_GPA   (FIXTURE_MEM32 + 0x10000)

enum {
    CAP = 0x40,
    CONTROL = CAP + 2,
    ENABLE = 0x8000,
    MASK_ALL = 0x4000,

    SLOT = 1,
    GSI = FIXTURE_GSI + SLOT,

    BAR_SIZE = 0x1000,
    TABLE_SIZE = 16 * VECTORS,
    PENDING = 0x800,
};

extern const struct device_class msix_class;
extern struct pci_fixture pci;
extern struct device *dev;
extern struct fake_msi *msis; /* dev's */

/* Init and fini of a Criterion suite. */
void msix_setup(void);
void msix_teardown(void);

/* Make dev again, after device_free(). */
void make_device(void);
/* A machine reset, and what firmware does after it. */
void reset_device(void);

void set_command(uint16_t command);
void set_control(uint16_t control);
uint64_t bar_read(uint64_t offset, unsigned size);
void bar_write(uint64_t offset, uint64_t value, unsigned size);
void set_entry(unsigned vector, uint64_t address, uint32_t data, uint32_t control);
void mask(unsigned vector, bool on);
void raise_vector(unsigned vector);
void lower_vector(unsigned vector);
uint64_t errors(void); /* mistakes of the guest, so far */

#endif
