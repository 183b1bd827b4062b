/*
 * What a PC's firmware does before a kernel starts, done here since there is
 * none: give each BAR an address, let the functions decode them, and note which
 * interrupt each pin reaches. Bus mastering stays off: that is the driver's.
 *
 * Locking: main thread while no vCPU runs; each function's lock is taken for each
 * write, since devices may have threads of their own.
 */
#include "devices/pci_function.h"
#include "src/base/range.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

struct claim {
    struct pci_function *f;
    unsigned bar;
    uint64_t size;
    const struct region *window;
};

/*
 * By window, and large ones first: then sizes, being powers of two, keep each BAR aligned to its
 * own size behind the one before, without gaps.
 */
static int compare_claims(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;

    if (x->window != y->window) {
        return x->window < y->window ? -1 : 1;
    }
    if (x->size != y->size) {
        return x->size > y->size ? -1 : 1;
    }
    if (x->f != y->f) {
        return x->f->slot < y->f->slot ? -1 : 1;
    }
    return x->bar < y->bar ? -1 : 1;
}

static size_t collect_claims(struct pci_host *h, struct claim *claims)
{
    size_t count = 0;

    for (unsigned slot = 1; slot < PCI_SLOTS; slot++) {
        struct pci_function *f = pci_host_function(h, slot);
        for (unsigned n = 0; f != NULL && n < PCI_BARS; n++) {
            const enum pci_bar_kind kind = f->bar[n].kind;
            if (kind != PCI_BAR_NONE) {
                claims[count++] =
                    (struct claim){f, n, f->bar[n].size, pci_host_firmware_window(h, kind)};
            }
        }
    }
    return count;
}

static void write_bar(struct pci_host *h, const struct claim *c, uint64_t address)
{
    const unsigned reg = PCI_BAR0 + 4 * c->bar;

    pci_host_write(h, c->f->slot, 0, reg, (uint32_t)address, 4);
    if (c->f->bar[c->bar].kind == PCI_BAR_MEM64) {
        pci_host_write(h, c->f->slot, 0, reg + 4, (uint32_t)(address >> 32), 4);
    }
}

static int no_room(const struct claim *c, struct err *e)
{
    err_set(e, ENOSPC, "no PCI window has room for BAR %u of %s, %" PRIu64 " bytes", c->bar,
            c->f->dev->id, c->size);
    err_hint(e, "give the guest fewer devices, or smaller ones");
    err_status(e, EXIT_USAGE);
    return -ENOSPC;
}

/* free: the offset in the claim's window where what is free begins. */
static int place_claim(struct pci_host *h, const struct claim *c, uint64_t *free, struct err *e)
{
    const struct region *w = c->window;

    if (w == NULL) {
        return no_room(c, e);
    }
    const uint64_t first = (w->offset + *free + c->size - 1) & ~(c->size - 1);
    const uint64_t offset = first - w->offset; /* where `first` wrapped it is larger than w */
    if (!range_contains_len((struct range){0, w->last}, offset, c->size)) {
        return no_room(c, e);
    }
    write_bar(h, c, first);
    *free = offset + c->size;
    return 0;
}

static void enable(struct pci_host *h, const struct pci_function *f)
{
    if (f->config[PCI_INTERRUPT_PIN] != 0) {
        pci_host_write(h, f->slot, 0, PCI_INTERRUPT_LINE, pci_host_gsi(h, f->slot), 1);
    }
    pci_host_write(h, f->slot, 0, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
}

int pci_assign(struct device *host, struct err *e)
{
    struct pci_host *h = DEVICE_STATE(struct pci_host, host);
    struct claim claims[PCI_SLOTS * PCI_BARS];
    const size_t count = collect_claims(h, claims);
    uint64_t free = 0;

    qsort(claims, count, sizeof(claims[0]), compare_claims);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && claims[i].window != claims[i - 1].window) {
            free = 0;
        }
        int ret = place_claim(h, &claims[i], &free, e);
        if (ret < 0) {
            return ret;
        }
    }
    for (unsigned slot = 1; slot < PCI_SLOTS; slot++) {
        const struct pci_function *f = pci_host_function(h, slot);
        if (f != NULL) {
            enable(h, f);
        }
    }
    return 0;
}
