/*
 * Where the `virt` machine has PCI, virtio and platform devices. No firmware has
 * given addresses to PCI functions: that is done here, when PCI is first used.
 * Source: Devicetree binding pci-host-ecam-generic, IEEE Std 1275 (ranges).
 */
#include "dev.h"
#include "internal.h"
#include "virt.h"
#include "virtio.h"

/* An entry of ranges: address on the bus (three cells, the first says its kind), here, size. */
#define RANGE_SIZE  28
#define RANGE_KIND  0x03000000U
#define RANGE_MEM32 0x02000000U

#define MIB 0x100000UL /* the window may end with less, where no BAR of a test would fit */

#define BAR_IO    0x1
#define BAR_KIND  0x6
#define BAR_64BIT 0x4

static fdt_node *host_bridge(void)
{
    return fdt_compatible("pci-host-ecam-generic", 0);
}

struct pci_window pci_window(void)
{
    size_t length = 0;
    fdt_node *bridge = host_bridge();
    const uint8_t *range = bridge != NULL ? fdt_property(bridge, "ranges", &length) : NULL;
    for (; length >= RANGE_SIZE; range += RANGE_SIZE, length -= RANGE_SIZE) {
        if ((fdt_cell(range) & RANGE_KIND) == RANGE_MEM32) {
            return (struct pci_window){fdt_cells(range + 12), fdt_cells(range + 20) & -MIB};
        }
    }
    return (struct pci_window){0};
}

/* Places for the function's memory BARs from *next on, each at a multiple of its size. */
static void place_bars(const struct pci *p, uintptr_t *next)
{
    for (unsigned n = 0; n < PCI_BARS; n++) {
        const uint32_t bar = pci_read32(p, PCI_BAR0 + 4 * n);
        const uint32_t size = (bar & BAR_IO) == 0 ? pci_bar_size(p, n) : 0;
        if (size != 0 && (bar & PCI_BAR_ADDRESS) == 0) {
            *next = (*next + size - 1) & -(uintptr_t)size;
            pci_bar_move(p, n, *next);
            *next += size;
        }
        n += (bar & BAR_IO) == 0 && (bar & BAR_KIND) == BAR_64BIT; /* the upper half stays 0 */
    }
}

struct pci_window machine_window(void)
{
    return (struct pci_window){MACHINE_GPA, MACHINE_SIZE};
}

static void place_all(void)
{
    uintptr_t next = pci_window().base;
    for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
        const struct pci p = pci_at(slot, 0);
        if (pci_read16(&p, PCI_VENDOR) != PCI_ABSENT) {
            place_bars(&p, &next);
            pci_command(&p, PCI_COMMAND_MEMORY, 0);
            pci_write8(&p, PCI_INTERRUPT_LINE, (uint8_t)(GSI_INTX + slot % 4));
        }
    }
}

/* A machine without PCI has nothing there. */
uintptr_t pci_ecam(void)
{
    static uintptr_t base;
    if (base == 0) {
        fdt_node *bridge = host_bridge();
        base = bridge != NULL ? fdt_reg(bridge, 0) : ECAM_GPA;
        place_all();
    }
    return base;
}

struct platform_slot platform_slot(unsigned n)
{
    static const char *const names[] = {"vmm,edu", "vmm,dma-engine"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        fdt_node *node;
        for (unsigned k = 0; (node = fdt_compatible(names[i], k)) != NULL; k++) {
            if (n-- == 0) {
                return (struct platform_slot){fdt_reg(node, 0), fdt_gsi(node)};
            }
        }
    }
    return (struct platform_slot){0};
}

struct virtio_slot virtio_slot(unsigned n)
{
    if (n >= VIRTIO_SLOTS) {
        return (struct virtio_slot){0};
    }
    return (struct virtio_slot){VIRTIO_GPA + n * VIRTIO_STRIDE, GSI_VIRTIO + n};
}
