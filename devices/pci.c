/*
 * A PCI function as a bus for its device: its life, its reset, and who carries
 * its interrupts. See pci.h and pci_function.h.
 *
 * INTx is the OR of all vectors raised. Its level also shows in the status
 * register, there whether or not the command register masks the pin. While
 * messages (MSI-X, MSI) are enabled, the pin rests.
 *
 * Source: PCI Local Bus Specification 3.0, sections 2.2.6, 6.2; function level
 * reset: PCI-SIG ECN "Advanced Capabilities for Conventional PCI" (2006).
 *
 * Locking: the device's lock, but for plugging.
 */
#include "devices/pci_function.h"
#include "src/base/le.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
    CAP_AF = 0x13,
    AF_LENGTH = 6,
    AF_TP = 0x01,  /* has a transactions pending bit (it reads 0: none outlives its access) */
    AF_FLR = 0x02, /* can be reset alone */
};

struct pci_function *pci_function_of(const struct device *d)
{
    return d->slot;
}

/* --- interrupts -------------------------------------------------------- */

/* What carries interrupts as the guest has set the function up. */
enum carrier { BY_PIN, BY_MSI, BY_MSIX };

static enum carrier carrier(const struct pci_function *f)
{
    if (pci_msix_enabled(f)) {
        return BY_MSIX;
    }
    return pci_msi_enabled(f) ? BY_MSI : BY_PIN;
}

void pci_intx_update(struct pci_function *f)
{
    const bool level = f->raised != 0 && f->config[PCI_INTERRUPT_PIN] != 0 && carrier(f) == BY_PIN;

    f->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTX;
    f->config[PCI_STATUS] |= level ? PCI_STATUS_INTX : 0;
    irq_set(&f->intx, level && (pci_command(f) & PCI_COMMAND_INTX_OFF) == 0);
}

static void raise(struct device *d, unsigned vector)
{
    struct pci_function *f = pci_function_of(d);

    f->raised |= 1u << vector;
    switch (carrier(f)) {
    case BY_MSIX:
        pci_msix_send(f, vector);
        break;
    case BY_MSI:
        pci_msi_send(f);
        break;
    case BY_PIN:
        pci_intx_update(f);
        break;
    }
}

static void lower(struct device *d, unsigned vector)
{
    struct pci_function *f = pci_function_of(d);
    const uint32_t before = f->raised;

    f->raised &= ~(1u << vector);
    if (f->raised != 0 && f->raised != before && carrier(f) == BY_MSI) {
        pci_msi_send(f); /* one message stands for all: those that are left ask again */
    }
    pci_intx_update(f);
}

static bool may_dma(const struct device *d)
{
    return (pci_command(pci_function_of(d)) & PCI_COMMAND_MASTER) != 0;
}

/* --- reset ------------------------------------------------------------- */

static void reset(struct device *d)
{
    struct pci_function *f = pci_function_of(d);

    f->raised = 0;
    pci_config_reset(f);
    pci_bars_update(f);
    pci_msi_update(f);
    pci_msix_reset(f);
    pci_intx_update(f);
}

static void add_advanced_features(struct pci_function *f)
{
    f->af_at = pci_add_capability(f, CAP_AF, AF_LENGTH);
    pci_declare(f, f->af_at + 2u, 2, AF_LENGTH | (AF_TP | AF_FLR) << 8, 0);
}

/* --- life -------------------------------------------------------------- */

static int realize(struct device *d, struct err *e)
{
    struct pci_function *f = pci_function_of(d);
    const struct pci_info *info = d->cls->pci;
    int ret = 0;

    for (unsigned n = 0; n < PCI_BARS && ret == 0; n++) {
        const struct pci_bar_info *bar = &info->bar[n];
        struct region *region;
        if (bar->kind != PCI_BAR_NONE) {
            ret = device_make_block(d, bar->block, &region, e);
        }
        if (bar->kind != PCI_BAR_NONE && ret == 0) {
            pci_bar_add(f, n, bar->kind, bar->prefetchable, region);
        }
    }
    if (ret == 0 && info->msi) {
        ret = pci_msi_init(f, e);
    }
    if (ret == 0 && info->flr) {
        add_advanced_features(f);
    }
    return ret;
}

static void unplug(struct device *d)
{
    struct pci_function *f = pci_function_of(d);

    device_lock(d);
    f->raised = 0;
    f->config[PCI_COMMAND] = 0;
    pci_bars_update(f);
    pci_intx_update(f);
    device_unlock(d);
    pci_msix_fini(f);
    pci_msi_fini(f);
    pci_host_unplug(f);
    free(f);
    d->slot = NULL;
}

/* A guest could have written no other bits; the rest of it follows from these. */
static int loaded(struct device *d, struct err *e)
{
    struct pci_function *f = pci_function_of(d);

    pci_config_loaded(f);
    pci_msix_loaded(f);
    if (pci_msix_enabled(f) && !pci_msix_has(f, f->raised)) {
        return err_set(e, EINVAL, "it interrupts by a vector that it has not");
    }
    pci_bars_update(f);
    pci_msi_update(f);
    pci_msix_update(f);
    pci_intx_update(f);
    return 0;
}

/*
 * A message that was on its way when the machine was saved is not in what KVM saves. What
 * asks for an interrupt asks again: a guest may see one more than there were, and never one less.
 */
static void resume(struct device *d)
{
    const struct pci_function *f = pci_function_of(d);

    device_lock(d);
    for (unsigned n = 0; n < DEVICE_VECTORS_MAX; n++) {
        if ((f->raised >> n & 1) != 0 && carrier(f) != BY_PIN) {
            raise(d, n);
        }
    }
    device_unlock(d);
}

static const struct field fields[] = {
    FIELD_ARRAY(struct pci_function, config, 1),
    FIELD(struct pci_function, raised, 1),
    FIELD_ARRAY(struct pci_function, msix_table, 1),
    FIELD(struct pci_function, msix_pending, 1),
};

static const struct device_bus pci_bus = {
    .name = "pci",
    .realize = realize,
    .unplug = unplug,
    .reset = reset,
    .raise = raise,
    .lower = lower,
    .may_dma = may_dma,
    .fields = TABLE(fields),
    .loaded = loaded,
    .resume = resume,
    .version = 1,
};

int pci_plug(struct device *host, struct device *d, struct err *e)
{
    struct pci_function *f = calloc(1, sizeof(*f));
    int ret;

    if (f == NULL) {
        return err_set(e, ENOMEM, "cannot plug in %s, out of memory", d->id);
    }
    f->dev = d;
    pci_config_init(f, d->cls->pci);
    ret = pci_host_plug(DEVICE_STATE(struct pci_host, host), f, d->place.addr, e);
    if (ret < 0) {
        free(f);
        return ret;
    }
    d->bus = &pci_bus;
    d->slot = f;
    d->place.addr = f->slot;
    return 0;
}

/* --- what others ask ----------------------------------------------------- */

bool pci_plugged(const struct device *d)
{
    return d->bus == &pci_bus;
}

unsigned pci_slot(const struct device *d)
{
    return pci_function_of(d)->slot;
}

int pci_intx_gsi(const struct device *d)
{
    const struct pci_function *f = pci_function_of(d);
    return f->config[PCI_INTERRUPT_PIN] != 0 ? (int)pci_host_gsi(f->host, f->slot) : -1;
}

const struct device *pci_host_of(const struct device *d)
{
    return pci_plugged(d) ? pci_host_device(pci_function_of(d)->host) : NULL;
}

static void print_bar(const struct pci_function *f, unsigned n, int indent, FILE *out)
{
    const struct pci_bar *b = &f->bar[n];
    const uint64_t address = pci_bar_address(f, n);

    fprintf(out, "%*sbar %u: %s at 0x%" PRIx64 " [0x%" PRIx64 "]%s\n", indent, "", n,
            b->kind == PCI_BAR_IO ? "i/o" : "mem", address, address + (b->size - 1),
            b->region->parent == NULL ? " (not decoded)" : "");
}

void pci_print(const struct device *d, int indent, FILE *out)
{
    const struct pci_function *f = pci_function_of(d);
    const uint8_t *c = f->config;

    fprintf(out, "%*sclass Class %04x, addr 00:%02x.0, pci id %04x:%04x (sub %04x:%04x)\n", indent,
            "", get_le16(c + PCI_CLASS + 2), f->slot, get_le16(c + PCI_VENDOR),
            get_le16(c + PCI_VENDOR + 2), get_le16(c + PCI_SUBSYSTEM),
            get_le16(c + PCI_SUBSYSTEM + 2));
    for (unsigned n = 0; n < PCI_BARS; n++) {
        if (f->bar[n].kind != PCI_BAR_NONE) {
            print_bar(f, n, indent, out);
        }
    }
    if (pci_intx_gsi(d) >= 0) {
        fprintf(out, "%*sirq %d, pin A\n", indent, "", pci_intx_gsi(d));
    }
}
