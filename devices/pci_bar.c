/*
 * PCI base address registers: each shows one region at the address that a guest
 * gave it. Sizing needs no code, since only the bits above a BAR's size can be
 * written. A BAR is in the memory map while the command register lets its kind
 * decode and it lies wholly inside a window of the host bridge; when that changes
 * the region moves, and the FlatView is rendered anew.
 *
 * Source: PCI Local Bus Specification 3.0, section 6.2.5.
 *
 * Locking: the device's lock; the topology's nests inside.
 */
#include "devices/pci_function.h"
#include "src/base/le.h"
#include "src/base/trace.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum {
    BAR_IO = 0x1,
    BAR_MEM64 = 0x4,
    BAR_PREFETCHABLE = 0x8,
    BAR_IO_FLAGS = 0x3,
    BAR_MEM_FLAGS = 0xf,
};

static unsigned bar_register(unsigned n)
{
    return PCI_BAR0 + 4 * n;
}

void pci_bar_add(struct pci_function *f, unsigned n, enum pci_bar_kind kind, bool prefetchable,
                 struct region *region)
{
    const uint64_t size = region->last + 1;
    const bool wide = kind == PCI_BAR_MEM64;
    uint64_t flags = prefetchable ? BAR_PREFETCHABLE : 0;

    assert(n + wide < PCI_BARS && f->bar[n].kind == PCI_BAR_NONE);
    assert((size & (size - 1)) == 0 && size > (kind == PCI_BAR_IO ? BAR_IO_FLAGS : BAR_MEM_FLAGS));
    assert(wide || size <= UINT32_MAX);
    if (kind == PCI_BAR_IO) {
        flags = BAR_IO;
    } else if (wide) {
        flags |= BAR_MEM64;
    }
    pci_declare(f, bar_register(n), wide ? 8 : 4, flags, ~(size - 1));
    f->bar[n] = (struct pci_bar){.kind = kind, .size = size, .region = region};
}

uint64_t pci_bar_address(const struct pci_function *f, unsigned n)
{
    const uint8_t *bar = &f->config[bar_register(n)];

    switch (f->bar[n].kind) {
    case PCI_BAR_IO:
        return get_le32(bar) & ~(uint32_t)BAR_IO_FLAGS;
    case PCI_BAR_MEM32:
        return get_le32(bar) & ~(uint32_t)BAR_MEM_FLAGS;
    case PCI_BAR_MEM64:
        return get_le64(bar) & ~(uint64_t)BAR_MEM_FLAGS;
    case PCI_BAR_NONE:
        break;
    }
    return 0;
}

/* The window that shows BAR n by what the registers say, or NULL. */
static struct region *wanted_window(const struct pci_function *f, unsigned n)
{
    const struct pci_bar *b = &f->bar[n];
    const uint16_t decode = b->kind == PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;

    if ((pci_command(f) & decode) == 0) {
        return NULL;
    }
    return pci_host_window(f->host, b->kind, pci_bar_address(f, n), b->size);
}

/* Take the region out and put it in again: the BAR that is decoded last lies on top. */
static void move(struct pci_function *f, unsigned n, struct region *window, uint64_t address)
{
    struct region *r = f->bar[n].region;

    trace(TRACE_pci_bar, "%s BAR %u %s 0x%" PRIx64, f->dev->id, n,
          window != NULL ? window->name : "off", address);
    if (r->parent != NULL) {
        region_del(r);
    }
    if (window != NULL) {
        region_add(window, address - window->offset, r, 0);
    }
}

void pci_bars_update(struct pci_function *f)
{
    struct topology *topo = f->dev->env->topo;
    bool changed = false;

    for (unsigned n = 0; n < PCI_BARS; n++) {
        const struct region *r = f->bar[n].region;
        if (r == NULL) {
            continue;
        }
        const uint64_t address = pci_bar_address(f, n);
        struct region *window = wanted_window(f, n);
        if (r->parent == window && (window == NULL || window->offset + r->offset == address)) {
            continue;
        }
        if (!changed) {
            changed = true;
            topology_begin(topo);
        }
        move(f, n, window, address);
    }
    const int ret = changed ? topology_commit(topo) : 0;
    if (ret < 0) {
        guest_error(&f->unmapped, "%s: cannot move its BARs: %s", f->dev->id, strerror(-ret));
    }
}
