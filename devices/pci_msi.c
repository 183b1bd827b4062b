/*
 * MSI: an interrupt as a write of 16 bits to an address of the interrupt
 * controller. One message, 64-bit address, no mask bits.
 *
 * Source: PCI Local Bus Specification 3.0, 6.8.1.
 * Locking: the device's lock.
 */
#include "devices/pci_function.h"
#include "src/base/le.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
    MSI_ID = 0x05,
    MSI_CONTROL = 0x2, /* from the start of the capability */
    MSI_ADDRESS = 0x4,
    MSI_DATA = 0xc,
    MSI_LENGTH = 0xe,

    MSI_CONTROL_ENABLE = 0x01,
    MSI_CONTROL_64BIT = 0x80,
};

/* --- messages --------------------------------------------------------- */

int pci_message_get(struct pci_function *f, struct pci_message *m, struct err *e)
{
    const uint32_t requester = pci_slot(f->dev) << 3; /* bus 0, function 0 */
    *m = (struct pci_message){0};
    return f->dev->env->msi_get(f->dev->env->opaque, requester, &m->source, e);
}

void pci_message_put(struct pci_function *f, struct pci_message *m)
{
    f->dev->env->msi_put(f->dev->env->opaque, &m->source);
}

void pci_message_set(struct pci_function *f, struct pci_message *m, uint64_t address, uint32_t data)
{
    const int ret = f->dev->env->msi_set(f->dev->env->opaque, &m->source, address, data);
    m->address = address;
    m->live = ret == 0;
    if (ret < 0 && ret != -EINVAL) {
        guest_error(&f->dev->guest_errors, "%s: this host cannot deliver its messages: %s",
                    f->dev->id, strerror(-ret));
    }
}

void pci_message_send(struct pci_function *f, const struct pci_message *m)
{
    struct device *d = f->dev;
    if ((pci_command(f) & PCI_COMMAND_MASTER) == 0) {
        guest_error(&d->guest_errors, "%s: an interrupt message was dropped: bus mastering is off",
                    d->id);
    } else if (!m->live) {
        guest_error(&d->guest_errors,
                    "%s: an interrupt message was dropped: nothing listens at 0x%" PRIx64, d->id,
                    m->address);
    } else {
        irq_edge_pulse(&m->source.edge);
    }
}

/* --- the capability --------------------------------------------------- */

int pci_msi_init(struct pci_function *f, struct err *e)
{
    const int ret = pci_message_get(f, &f->msi, e);
    if (ret < 0) {
        return ret;
    }
    f->msi_at = pci_add_capability(f, MSI_ID, MSI_LENGTH);
    pci_declare(f, f->msi_at + MSI_CONTROL, 2, MSI_CONTROL_64BIT, MSI_CONTROL_ENABLE);
    pci_declare(f, f->msi_at + MSI_ADDRESS, 8, 0, ~UINT64_C(3));
    pci_declare(f, f->msi_at + MSI_DATA, 2, 0, UINT16_MAX);
    return 0;
}

void pci_msi_fini(struct pci_function *f)
{
    if (f->msi_at != 0) {
        pci_message_put(f, &f->msi);
        f->msi_at = 0;
    }
}

bool pci_msi_enabled(const struct pci_function *f)
{
    return f->msi_at != 0 && (f->config[f->msi_at + MSI_CONTROL] & MSI_CONTROL_ENABLE) != 0;
}

void pci_msi_send(struct pci_function *f)
{
    pci_message_send(f, &f->msi);
}

void pci_msi_update(struct pci_function *f)
{
    if (pci_msi_enabled(f)) {
        const uint8_t *msi = &f->config[f->msi_at];
        pci_message_set(f, &f->msi, get_le64(msi + MSI_ADDRESS), get_le16(msi + MSI_DATA));
    }
}
