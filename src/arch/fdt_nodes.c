/*
 * See fdt_nodes.h.
 */
#include "src/arch/fdt_nodes.h"

#include <string.h>

/* --- the machine --------------------------------------------------------------- */

void fdt_root(struct tree *t, const char *compatible, const struct fdt_intc *intc)
{
    tree_begin(t, "%s", "");
    tree_string(t, "compatible", compatible);
    tree_string(t, "model", compatible);
    TREE_CELLS(t, "#address-cells", 2);
    TREE_CELLS(t, "#size-cells", 2);
    TREE_CELLS(t, "interrupt-parent", intc->phandle);
}

void fdt_chosen(struct tree *t, const char *stdout_path)
{
    tree_begin(t, "chosen");
    tree_string(t, "stdout-path", stdout_path);
    tree_end(t);
}

void fdt_memory(struct tree *t, uint64_t gpa, uint64_t size)
{
    tree_begin(t, "memory@%llx", (unsigned long long)gpa);
    tree_string(t, "device_type", "memory");
    TREE_CELLS(t, "reg", TREE_WIDE(gpa), TREE_WIDE(size));
    tree_end(t);
}

void fdt_clock(struct tree *t, const char *name, uint32_t hz, const char *output, uint32_t phandle)
{
    tree_begin(t, "%s", name);
    tree_string(t, "compatible", "fixed-clock");
    TREE_CELLS(t, "#clock-cells", 0);
    TREE_CELLS(t, "clock-frequency", hz);
    tree_string(t, "clock-output-names", output);
    TREE_CELLS(t, "phandle", phandle);
    tree_end(t);
}

/* --- devices ------------------------------------------------------------------- */

void fdt_place(struct tree *t, uint64_t gpa, uint64_t size, const struct fdt_intc *intc,
               unsigned gsi, bool level)
{
    uint32_t specifier[FDT_SPECIFIER_MAX];

    intc->specify(specifier, gsi, level);
    TREE_CELLS(t, "reg", TREE_WIDE(gpa), TREE_WIDE(size));
    tree_cells(t, "interrupts", specifier, intc->cells);
}

/* One that has nothing but that. Its DMA goes through the host's caches: a guest that took it for
 * incoherent would read stale memory. */
static void add_device(struct tree *t, const struct fdt_platform *d, const struct fdt_slots *at,
                       unsigned slot, const struct fdt_intc *intc, bool level)
{
    const uint64_t gpa = at->gpa + slot * at->stride;

    tree_begin(t, "%s@%llx", d->name, (unsigned long long)gpa);
    tree_string(t, "compatible", d->compatible);
    fdt_place(t, gpa, d->size, intc, at->gsi + slot, level);
    tree_flag(t, "dma-coherent");
    tree_end(t);
}

void fdt_virtio(struct tree *t, const struct fdt_slots *at, unsigned count,
                const struct fdt_intc *intc)
{
    const struct fdt_platform transport = {"virtio_mmio", "virtio,mmio", at->stride};

    for (unsigned i = 0; i < count; i++) {
        add_device(t, &transport, at, i, intc, false);
    }
}

void fdt_platforms(struct tree *t, const struct fdt_slots *at, const struct fdt_platform *devices,
                   unsigned count, const struct fdt_intc *intc)
{
    for (unsigned i = 0; i < count; i++) {
        add_device(t, &devices[i], at, i, intc, true);
    }
}

/* --- PCI ------------------------------------------------------------------------- */

enum {
    PINS = 4,
    PCI_IO = 0x01000000, /* spaces, in the first cell of an address */
    PCI_MEM32 = 0x02000000,
    PCI_MEM64 = 0x03000000,
    WINDOWS = 3,
    WINDOW_CELLS = 7,                                  /* of ranges */
    MAP_CELLS_MAX = 3 + 1 + 1 + 2 + FDT_SPECIFIER_MAX, /* of interrupt-map, an entry */
};

/* Slot n, pin p (1 is INTA) to line (n + p - 1) % 4; all slots by two bits of their number. */
static void add_interrupt_map(struct tree *t, unsigned first_gsi, const struct fdt_intc *intc)
{
    uint32_t map[PINS * PINS * MAP_CELLS_MAX], *at = map;

    for (uint32_t slot = 0; slot < PINS; slot++) {
        for (uint32_t pin = 1; pin <= PINS; pin++) {
            const uint32_t head[] = {slot << 11, 0, 0, pin, intc->phandle, 0, 0};
            const size_t head_cells = 5 + intc->address_cells;

            memcpy(at, head, head_cells * sizeof(*at));
            at += head_cells;
            intc->specify(at, first_gsi + (slot + pin - 1) % PINS, true);
            at += intc->cells;
        }
    }
    TREE_CELLS(t, "interrupt-map-mask", 0x1800, 0, 0, 7);
    tree_cells(t, "interrupt-map", map, (size_t)(at - map));
}

static void add_ranges(struct tree *t, const struct pci_windows *w)
{
    const struct {
        uint32_t space;
        uint64_t pci, gpa, size;
    } windows[WINDOWS] = {
        {PCI_IO, w->io, w->io_gpa + w->io, w->io_size},
        {PCI_MEM32, w->mem32, w->mem32, w->mem32_size},
        {PCI_MEM64, w->mem64, w->mem64, w->mem64_size},
    };
    uint32_t ranges[WINDOWS * WINDOW_CELLS];
    size_t count = 0;

    for (unsigned i = 0; i < WINDOWS; i++) {
        const uint32_t range[WINDOW_CELLS] = {windows[i].space, TREE_WIDE(windows[i].pci),
                                              TREE_WIDE(windows[i].gpa),
                                              TREE_WIDE(windows[i].size)};

        if (windows[i].size != 0) {
            memcpy(ranges + count, range, sizeof(range));
            count += WINDOW_CELLS;
        }
    }
    tree_cells(t, "ranges", ranges, count);
}

void fdt_pci(struct tree *t, const struct pci_windows *w, uint32_t msi, const struct fdt_intc *intc)
{
    tree_begin(t, "pcie@%llx", (unsigned long long)w->mem32);
    tree_string(t, "compatible", "pci-host-ecam-generic");
    tree_string(t, "device_type", "pci");
    TREE_CELLS(t, "#address-cells", 3);
    TREE_CELLS(t, "#size-cells", 2);
    TREE_CELLS(t, "#interrupt-cells", 1);
    TREE_CELLS(t, "linux,pci-domain", 0);
    TREE_CELLS(t, "bus-range", 0, 0);
    tree_flag(t, "dma-coherent");
    TREE_CELLS(t, "reg", TREE_WIDE(w->ecam), TREE_WIDE(w->ecam_size));
    add_ranges(t, w);
    add_interrupt_map(t, w->intx_gsi, intc);
    if (msi != 0) {
        TREE_CELLS(t, "msi-map", 0, msi, 0, 0x10000);
    }
    tree_end(t);
}
