/*
 * A device that may be a PCI function or a platform device: where its registers
 * are, and its interrupt by line or by message. What follows is the same for
 * both, so a guest's driver need not know.
 */
#ifndef GUEST_DEV_H
#define GUEST_DEV_H

#include "pci.h"

/* How to know a device: by its ids on PCI, by its first register as a platform device. */
struct dev_id {
    uint16_t vendor, device;
    uint32_t first_register;
};

struct dev {
    uintptr_t base; /* gpa of its registers */
    unsigned gsi;   /* of its interrupt line */
    bool on_pci;
    struct pci pci;
};

/*
 * The n-th device (0 and up) with this id, PCI functions before platform devices; false if there
 * are not so many. A PCI function decodes memory and masters the bus from then on.
 */
bool dev_find(struct dev *d, const struct dev_id *id, unsigned n);

static inline uint32_t dev_read(const struct dev *d, uintptr_t reg)
{
    return mmio_read32(d->base + reg);
}

static inline void dev_write(const struct dev *d, uintptr_t reg, uint32_t value)
{
    mmio_write32(d->base + reg, value);
}

/* Whether messages are there for it, on PCI and from there on. */
bool dev_has_messages(const struct dev *d);

/* Interrupt by line, or by an MSI: handler(arg) is called. */
void dev_use_line(const struct dev *d, irq_handler *handler, void *arg);
void dev_use_msi(const struct dev *d, irq_handler *handler, void *arg);

/* --- the machine's part (lib/ARCH) ----------------------------------------- */

struct platform_slot {
    uintptr_t gpa;
    unsigned gsi;
};

/* Where platform device n would be; gpa 0: there are not so many places. */
struct platform_slot platform_slot(unsigned n);

#endif
