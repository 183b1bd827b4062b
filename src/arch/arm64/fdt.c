/*
 * See fdt.h.
 */
#include "src/arch/arm64/fdt.h"

#include "src/arch/tree.h"

#include <string.h>

/* phandles: by these numbers nodes name each other */
enum {
    PHANDLE_GIC = 1,
    PHANDLE_ITS,
    PHANDLE_CLOCK,
};

/* interrupt specifiers */
enum {
    SPI = 0,
    PPI = 1,
    EDGE = 1,
    LEVEL = 4,
};

#define CLOCK_HZ 24000000

/* --- processors ------------------------------------------------------------- */

uint32_t virt_affinity(unsigned index)
{
    return (index & 0xf) | (index >> 4 & 0xff) << 8 | (index >> 12 & 0xff) << 16;
}

static void add_cpus(struct tree *t, const struct virt_inventory *has)
{
    tree_begin(t, "cpus");
    TREE_CELLS(t, "#address-cells", 1);
    TREE_CELLS(t, "#size-cells", 0);
    for (unsigned i = 0; i < has->cpus; i++) {
        tree_begin(t, "cpu@%x", virt_affinity(i));
        tree_string(t, "device_type", "cpu");
        tree_string(t, "compatible", "arm,armv8");
        TREE_CELLS(t, "reg", virt_affinity(i));
        tree_string(t, "enable-method", "psci");
        tree_end(t);
    }
    tree_end(t);
    tree_begin(t, "psci");
    TREE_STRINGS(t, "compatible", "arm,psci-1.0\0arm,psci-0.2\0arm,psci");
    tree_string(t, "method", "hvc");
    TREE_CELLS(t, "cpu_suspend", 0xc4000001);
    TREE_CELLS(t, "cpu_off", 0x84000002);
    TREE_CELLS(t, "cpu_on", 0xc4000003);
    TREE_CELLS(t, "migrate", 0xc4000005);
    tree_end(t);
}

/* Devices that each CPU has its own of. */
static void add_private(struct tree *t, const struct virt_inventory *has)
{
    /* A GICv2 wants to know which CPUs a private interrupt is for. */
    const uint32_t how = LEVEL | (has->gic == 2 ? ((1U << has->cpus) - 1) << 8 : 0);

    if (has->pmu) {
        tree_begin(t, "pmu");
        tree_string(t, "compatible", "arm,armv8-pmuv3");
        TREE_CELLS(t, "interrupts", PPI, VIRT_PPI_PMU, how);
        tree_end(t);
    }
    tree_begin(t, "timer");
    TREE_STRINGS(t, "compatible", "arm,armv8-timer\0arm,armv7-timer");
    tree_flag(t, "always-on");
    TREE_CELLS(t, "interrupts", PPI, VIRT_PPI_SECURE_TIMER, how, PPI, VIRT_PPI_PHYSICAL_TIMER, how,
               PPI, VIRT_PPI_VIRTUAL_TIMER, how, PPI, VIRT_PPI_HYP_TIMER, how);
    tree_end(t);
}

/* --- interrupt controller ------------------------------------------------------ */

static void add_its(struct tree *t)
{
    tree_begin(t, "its@%llx", VIRT_ITS_GPA);
    tree_string(t, "compatible", "arm,gic-v3-its");
    tree_flag(t, "msi-controller");
    TREE_CELLS(t, "#msi-cells", 1);
    TREE_CELLS(t, "reg", TREE_WIDE(VIRT_ITS_GPA), TREE_WIDE(VIRT_ITS_SIZE));
    TREE_CELLS(t, "phandle", PHANDLE_ITS);
    tree_end(t);
}

static void add_gic(struct tree *t, const struct virt_inventory *has)
{
    tree_begin(t, "intc@%llx", VIRT_GICD_GPA);
    tree_flag(t, "interrupt-controller");
    TREE_CELLS(t, "#interrupt-cells", 3);
    TREE_CELLS(t, "#address-cells", 2);
    TREE_CELLS(t, "#size-cells", 2);
    tree_flag(t, "ranges");
    TREE_CELLS(t, "phandle", PHANDLE_GIC);
    if (has->gic == 2) {
        tree_string(t, "compatible", "arm,cortex-a15-gic");
        TREE_CELLS(t, "reg", TREE_WIDE(VIRT_GICD_GPA), TREE_WIDE(VIRT_GICD_SIZE),
                   TREE_WIDE(VIRT_GICC_GPA), TREE_WIDE(VIRT_GICC_SIZE));
    } else {
        tree_string(t, "compatible", "arm,gic-v3");
        TREE_CELLS(t, "#redistributor-regions", 1);
        TREE_CELLS(t, "reg", TREE_WIDE(VIRT_GICD_GPA), TREE_WIDE(VIRT_GICD_SIZE),
                   TREE_WIDE(VIRT_GICR_GPA), TREE_WIDE(VIRT_GICR_SIZE));
    }
    if (has->its) {
        add_its(t);
    }
    tree_end(t);
}

/* --- devices ---------------------------------------------------------------------- */

static void place(struct tree *t, uint64_t gpa, uint64_t size, uint32_t spi, uint32_t how)
{
    TREE_CELLS(t, "reg", TREE_WIDE(gpa), TREE_WIDE(size));
    TREE_CELLS(t, "interrupts", SPI, spi, how);
}

static void add_built_in(struct tree *t)
{
    tree_begin(t, "apb-pclk");
    tree_string(t, "compatible", "fixed-clock");
    TREE_CELLS(t, "#clock-cells", 0);
    TREE_CELLS(t, "clock-frequency", CLOCK_HZ);
    tree_string(t, "clock-output-names", "clk24mhz");
    TREE_CELLS(t, "phandle", PHANDLE_CLOCK);
    tree_end(t);

    tree_begin(t, "pl011@%llx", VIRT_UART_GPA);
    TREE_STRINGS(t, "compatible", "arm,pl011\0arm,primecell");
    place(t, VIRT_UART_GPA, VIRT_UART_SIZE, VIRT_SPI_UART, LEVEL);
    TREE_CELLS(t, "clocks", PHANDLE_CLOCK, PHANDLE_CLOCK);
    TREE_STRINGS(t, "clock-names", "uartclk\0apb_pclk");
    tree_end(t);

    tree_begin(t, "pl031@%llx", VIRT_RTC_GPA);
    TREE_STRINGS(t, "compatible", "arm,pl031\0arm,primecell");
    place(t, VIRT_RTC_GPA, VIRT_RTC_SIZE, VIRT_SPI_RTC, LEVEL);
    TREE_CELLS(t, "clocks", PHANDLE_CLOCK);
    tree_string(t, "clock-names", "apb_pclk");
    tree_end(t);
}

/* Their DMA goes through the host's caches: a guest that took it for incoherent would read stale
 * memory. */
static void add_plugged(struct tree *t, const struct virt_inventory *has)
{
    for (unsigned i = 0; i < has->virtio_count; i++) {
        const uint64_t gpa = VIRT_VIRTIO_GPA + i * VIRT_VIRTIO_STRIDE;

        tree_begin(t, "virtio_mmio@%llx", (unsigned long long)gpa);
        tree_string(t, "compatible", "virtio,mmio");
        place(t, gpa, VIRT_VIRTIO_STRIDE, VIRT_SPI_VIRTIO + i, EDGE);
        tree_flag(t, "dma-coherent");
        tree_end(t);
    }
    for (unsigned i = 0; i < has->platform_count; i++) {
        const struct virt_platform *p = &has->platform[i];
        const uint64_t gpa = VIRT_PLATFORM_GPA + i * VIRT_PLATFORM_STRIDE;

        tree_begin(t, "%s@%llx", p->name, (unsigned long long)gpa);
        tree_string(t, "compatible", p->compatible);
        place(t, gpa, p->size, VIRT_SPI_PLATFORM + i, LEVEL);
        tree_flag(t, "dma-coherent");
        tree_end(t);
    }
}

/* --- PCI -------------------------------------------------------------------------- */

enum {
    PINS = 4,
    PCI_IO = 0x01000000, /* spaces, in the first cell of an address */
    PCI_MEM32 = 0x02000000,
    PCI_MEM64 = 0x03000000,
    ENTRY_CELLS = 10, /* of interrupt-map */
};

/* Slot n, pin p (1 is INTA) to line (n + p - 1) % 4; all slots by two bits of their number. */
static void add_interrupt_map(struct tree *t)
{
    uint32_t map[PINS * PINS * ENTRY_CELLS], *at = map;

    for (uint32_t slot = 0; slot < PINS; slot++) {
        for (uint32_t pin = 1; pin <= PINS; pin++, at += ENTRY_CELLS) {
            const uint32_t entry[ENTRY_CELLS] = {
                slot << 11,  0,
                0,           pin, /* the function's address and pin */
                PHANDLE_GIC, 0,
                0, /* the GIC, by its two address cells */
                SPI,         VIRT_SPI_INTX + (slot + pin - 1) % PINS,
                LEVEL,
            };
            memcpy(at, entry, sizeof(entry));
        }
    }
    TREE_CELLS(t, "interrupt-map-mask", 0x1800, 0, 0, 7);
    tree_cells(t, "interrupt-map", map, sizeof(map) / sizeof(map[0]));
}

static void add_pci(struct tree *t, const struct virt_inventory *has)
{
    const uint32_t ranges[] = {
        PCI_IO,
        TREE_WIDE(0),
        TREE_WIDE(VIRT_PCI_IO_GPA),
        TREE_WIDE(VIRT_PCI_IO_SIZE),
        PCI_MEM32,
        TREE_WIDE(VIRT_PCI_MEM32_GPA),
        TREE_WIDE(VIRT_PCI_MEM32_GPA),
        TREE_WIDE(VIRT_PCI_MEM32_SIZE),
        PCI_MEM64,
        TREE_WIDE(has->pci_mem64),
        TREE_WIDE(has->pci_mem64),
        TREE_WIDE(VIRT_PCI_MEM64_SIZE),
    };
    const size_t cells = sizeof(ranges) / sizeof(ranges[0]);

    tree_begin(t, "pcie@%llx", VIRT_PCI_MEM32_GPA);
    tree_string(t, "compatible", "pci-host-ecam-generic");
    tree_string(t, "device_type", "pci");
    TREE_CELLS(t, "#address-cells", 3);
    TREE_CELLS(t, "#size-cells", 2);
    TREE_CELLS(t, "#interrupt-cells", 1);
    TREE_CELLS(t, "linux,pci-domain", 0);
    TREE_CELLS(t, "bus-range", 0, 0);
    tree_flag(t, "dma-coherent");
    TREE_CELLS(t, "reg", TREE_WIDE(VIRT_ECAM_GPA), TREE_WIDE(VIRT_ECAM_SIZE));
    tree_cells(t, "ranges", ranges, has->pci_mem64 != 0 ? cells : cells / 3 * 2);
    add_interrupt_map(t);
    if (has->its) {
        TREE_CELLS(t, "msi-map", 0, PHANDLE_ITS, 0, 0x10000);
    }
    tree_end(t);
}

/* --- the tree ----------------------------------------------------------------------- */

static void add_all(struct tree *t, const struct virt_inventory *has)
{
    tree_begin(t, "%s", "");
    TREE_STRINGS(t, "compatible", "linux,dummy-virt");
    tree_string(t, "model", "linux,dummy-virt");
    TREE_CELLS(t, "#address-cells", 2);
    TREE_CELLS(t, "#size-cells", 2);
    TREE_CELLS(t, "interrupt-parent", PHANDLE_GIC);
    tree_begin(t, "chosen");
    tree_string(t, "stdout-path", "/pl011@9000000");
    tree_end(t);
    tree_begin(t, "memory@%llx", VIRT_RAM_GPA);
    tree_string(t, "device_type", "memory");
    TREE_CELLS(t, "reg", TREE_WIDE(VIRT_RAM_GPA), TREE_WIDE(has->ram_size));
    tree_end(t);
    add_cpus(t, has);
    add_private(t, has);
    add_gic(t, has);
    add_built_in(t);
    add_plugged(t, has);
    if (has->pci) {
        add_pci(t, has);
    }
    tree_end(t);
}

int virt_fdt_make(const struct virt_inventory *has, void **blob, struct err *e)
{
    struct tree t;
    int ret = tree_start(&t, e);

    if (ret < 0) {
        return ret;
    }
    add_all(&t, has);
    return tree_finish(&t, blob, e);
}
