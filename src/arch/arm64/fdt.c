/*
 * See fdt.h.
 */
#include "src/arch/arm64/fdt.h"

#include "src/arch/arm64/map.h"

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

static void specify(uint32_t *cells, unsigned gsi, bool level)
{
    cells[0] = SPI;
    cells[1] = gsi;
    cells[2] = level ? LEVEL : EDGE;
}

static const struct fdt_intc gic = {
    .phandle = PHANDLE_GIC, .address_cells = 2, .cells = 3, .specify = specify};

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

static void add_uart(struct tree *t, uint64_t gpa, uint32_t spi)
{
    tree_begin(t, "pl011@%llx", (unsigned long long)gpa);
    TREE_STRINGS(t, "compatible", "arm,pl011\0arm,primecell");
    fdt_place(t, gpa, VIRT_UART_SIZE, &gic, spi, true);
    TREE_CELLS(t, "clocks", PHANDLE_CLOCK, PHANDLE_CLOCK);
    TREE_STRINGS(t, "clock-names", "uartclk\0apb_pclk");
    tree_end(t);
}

/* Linux numbers ports by these: ttyAMA0, ttyAMA1. */
static void add_aliases(struct tree *t)
{
    tree_begin(t, "aliases");
    tree_string(t, "serial0", "/pl011@9000000");
    tree_string(t, "serial1", "/pl011@9040000");
    tree_end(t);
}

static void add_built_in(struct tree *t, const struct virt_inventory *has)
{
    fdt_clock(t, "apb-pclk", 24000000, "clk24mhz", PHANDLE_CLOCK);

    add_uart(t, VIRT_UART_GPA, VIRT_SPI_UART);
    if (has->uart2) {
        add_uart(t, VIRT_UART2_GPA, VIRT_SPI_UART2);
        add_aliases(t);
    }

    tree_begin(t, "pl031@%llx", VIRT_RTC_GPA);
    TREE_STRINGS(t, "compatible", "arm,pl031\0arm,primecell");
    fdt_place(t, VIRT_RTC_GPA, VIRT_RTC_SIZE, &gic, VIRT_SPI_RTC, true);
    TREE_CELLS(t, "clocks", PHANDLE_CLOCK);
    tree_string(t, "clock-names", "apb_pclk");
    tree_end(t);
}

static void add_plugged(struct tree *t, const struct virt_inventory *has)
{
    static const struct fdt_slots virtio = {VIRT_VIRTIO_GPA, VIRT_VIRTIO_STRIDE, VIRT_SPI_VIRTIO};
    static const struct fdt_slots platform = {VIRT_PLATFORM_GPA, VIRT_PLATFORM_STRIDE,
                                              VIRT_SPI_PLATFORM};
    fdt_virtio(t, &virtio, has->virtio_count, &gic);
    fdt_platforms(t, &platform, has->platform, has->platform_count, &gic);
    if (has->pci.ecam_size != 0) {
        fdt_pci(t, &has->pci, has->its ? PHANDLE_ITS : 0, &gic);
    }
}

int virt_fdt_make(const struct virt_inventory *has, void **blob, struct err *e)
{
    struct tree t;
    int ret = tree_start(&t, e);

    if (ret < 0) {
        return ret;
    }
    fdt_root(&t, "linux,dummy-virt", &gic);
    fdt_chosen(&t, "/pl011@9000000");
    fdt_memory(&t, VIRT_RAM_GPA, has->ram_size);
    add_cpus(&t, has);
    add_private(&t, has);
    add_gic(&t, has);
    add_built_in(&t, has);
    add_plugged(&t, has);
    tree_end(&t);
    return tree_finish(&t, blob, e);
}
