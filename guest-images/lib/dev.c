/*
 * See dev.h.
 */
#include "dev.h"

static void use_function(struct dev *d, const struct pci *p)
{
    pci_command(p, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
    d->on_pci = true;
    d->pci = *p;
    d->base = pci_bar(p, 0);
    d->gsi = pci_gsi(p);
}

static bool find_platform_device(struct dev *d, const struct dev_id *id, unsigned n)
{
    struct platform_slot slot;
    for (unsigned i = 0; (slot = platform_slot(i)).gpa != 0; i++) {
        if (mmio_read32(slot.gpa) == id->first_register && n-- == 0) {
            d->on_pci = false;
            d->base = slot.gpa;
            d->gsi = slot.gsi;
            return true;
        }
    }
    return false;
}

bool dev_find(struct dev *d, const struct dev_id *id, unsigned n)
{
    struct pci p;
    unsigned functions = 0;
    while (functions <= n && pci_find(&p, id->vendor, id->device, functions)) {
        functions++;
    }
    if (functions <= n) {
        return find_platform_device(d, id, n - functions);
    }
    use_function(d, &p);
    return true;
}

bool dev_has_messages(const struct dev *d)
{
    return d->on_pci && irq_has_messages();
}

void dev_use_line(const struct dev *d, irq_handler *handler, void *arg)
{
    if (d->on_pci && pci_capability(&d->pci, PCI_CAP_MSI) != 0) {
        pci_msi_off(&d->pci);
    }
    irq_attach_line(d->gsi, handler, arg);
}

void dev_use_msi(const struct dev *d, irq_handler *handler, void *arg)
{
    pci_msi_on(&d->pci, irq_attach_message(pci_requester(&d->pci), handler, arg));
}
