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
extern struct pci_fixture msix_pci;
extern struct device *msix_dev;
extern struct fake_msi *msis; /* msix_dev's */

/* Init and fini of a Criterion suite. */
void msix_setup(void);
void msix_teardown(void);

/* Make msix_dev again, after device_free(). */
void msix_make(void);
/* A machine reset, and what firmware does after it. */
void msix_reset(void);

void msix_set_command(uint16_t command);
void msix_set_control(uint16_t control);
uint64_t msix_read(uint64_t offset, unsigned size);
void msix_write(uint64_t offset, uint64_t value, unsigned size);
void msix_set_entry(unsigned vector, uint64_t address, uint32_t data, uint32_t control);
void msix_mask(unsigned vector, bool on);
void msix_raise(unsigned vector);
void msix_lower(unsigned vector);
uint64_t msix_errors(void); /* mistakes of the guest, so far */

#endif
