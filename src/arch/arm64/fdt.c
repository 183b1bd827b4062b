/*
 * See fdt.h. The tree is written from top to bottom by libfdt's sequential
 * functions; the first failure is kept and ends in an error at the end.
 */
#include "src/arch/arm64/fdt.h"

#include <errno.h>
#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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

/* --- writing -------------------------------------------------------------- */

struct tree {
    void *buf;
    int err; /* libfdt's, of the first call that failed */
};

static void check(struct tree *t, int err)
{
    t->err = t->err == 0 ? err : t->err;
}

__attribute__((format(printf, 2, 3))) static void begin(struct tree *t, const char *fmt, ...)
{
    char name[64];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(name, sizeof(name), fmt, ap);
    va_end(ap);
    check(t, fdt_begin_node(t->buf, name));
}

static void end(struct tree *t)
{
    check(t, fdt_end_node(t->buf));
}

static void bytes(struct tree *t, const char *name, const void *value, size_t len)
{
    check(t, fdt_property(t->buf, name, value, (int)len));
}

static void flag(struct tree *t, const char *name)
{
    bytes(t, name, "", 0);
}

static void string(struct tree *t, const char *name, const char *value)
{
    bytes(t, name, value, strlen(value) + 1);
}

/* A list: literals with a \0 between each two. */
#define STRINGS(t, name, list) bytes((t), (name), (list), sizeof(list))

static void put_cells(struct tree *t, const char *name, const uint32_t *cells, size_t count)
{
    void *at = NULL;

    check(t, fdt_property_placeholder(t->buf, name, (int)(count * sizeof(*cells)), &at));
    for (size_t i = 0; i < count && t->err == 0; i++) {
        fdt32_st((char *)at + i * sizeof(*cells), cells[i]);
    }
}

#define CELLS(t, name, ...)                                                                        \
    put_cells((t), (name), (const uint32_t[]){__VA_ARGS__},                                        \
              sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* Two cells: an address, or a size. */
#define WIDE(n) (uint32_t)((uint64_t)(n) >> 32), (uint32_t)(n)

static void phandle(struct tree *t, uint32_t number)
{
    CELLS(t, "phandle", number);
}

/* --- processors ------------------------------------------------------------- */

uint32_t virt_affinity(unsigned index)
{
    return (index & 0xf) | (index >> 4 & 0xff) << 8 | (index >> 12 & 0xff) << 16;
}

static void add_cpus(struct tree *t, const struct virt_inventory *has)
{
    begin(t, "cpus");
    CELLS(t, "#address-cells", 1);
    CELLS(t, "#size-cells", 0);
    for (unsigned i = 0; i < has->cpus; i++) {
        begin(t, "cpu@%x", has->affinity[i]);
        string(t, "device_type", "cpu");
        string(t, "compatible", "arm,armv8");
        CELLS(t, "reg", has->affinity[i]);
        string(t, "enable-method", "psci");
        end(t);
    }
    end(t);
    begin(t, "psci");
    STRINGS(t, "compatible", "arm,psci-1.0\0arm,psci-0.2\0arm,psci");
    string(t, "method", "hvc");
    CELLS(t, "cpu_suspend", 0xc4000001);
    CELLS(t, "cpu_off", 0x84000002);
    CELLS(t, "cpu_on", 0xc4000003);
    CELLS(t, "migrate", 0xc4000005);
    end(t);
}

static void add_timer(struct tree *t, const struct virt_inventory *has)
{
    /* A GICv2 wants to know which CPUs a private interrupt is for. */
    const uint32_t how = LEVEL | (has->gic == 2 ? ((1U << has->cpus) - 1) << 8 : 0);

    begin(t, "timer");
    STRINGS(t, "compatible", "arm,armv8-timer\0arm,armv7-timer");
    flag(t, "always-on");
    CELLS(t, "interrupts", PPI, VIRT_PPI_SECURE_TIMER, how, PPI, VIRT_PPI_PHYSICAL_TIMER, how, PPI,
          VIRT_PPI_VIRTUAL_TIMER, how, PPI, VIRT_PPI_HYP_TIMER, how);
    end(t);
}

/* --- interrupt controller ------------------------------------------------------ */

static void add_its(struct tree *t)
{
    begin(t, "its@%llx", VIRT_ITS_GPA);
    string(t, "compatible", "arm,gic-v3-its");
    flag(t, "msi-controller");
    CELLS(t, "#msi-cells", 1);
    CELLS(t, "reg", WIDE(VIRT_ITS_GPA), WIDE(VIRT_ITS_SIZE));
    phandle(t, PHANDLE_ITS);
    end(t);
}

static void add_gic(struct tree *t, const struct virt_inventory *has)
{
    begin(t, "intc@%llx", VIRT_GICD_GPA);
    flag(t, "interrupt-controller");
    CELLS(t, "#interrupt-cells", 3);
    CELLS(t, "#address-cells", 2);
    CELLS(t, "#size-cells", 2);
    flag(t, "ranges");
    phandle(t, PHANDLE_GIC);
    if (has->gic == 2) {
        string(t, "compatible", "arm,cortex-a15-gic");
        CELLS(t, "reg", WIDE(VIRT_GICD_GPA), WIDE(VIRT_GICD_SIZE), WIDE(VIRT_GICC_GPA),
              WIDE(VIRT_GICC_SIZE));
    } else {
        string(t, "compatible", "arm,gic-v3");
        CELLS(t, "#redistributor-regions", 1);
        CELLS(t, "reg", WIDE(VIRT_GICD_GPA), WIDE(VIRT_GICD_SIZE), WIDE(VIRT_GICR_GPA),
              WIDE(VIRT_GICR_SIZE));
    }
    if (has->its) {
        add_its(t);
    }
    end(t);
}

/* --- devices ---------------------------------------------------------------------- */

static void place(struct tree *t, uint64_t gpa, uint64_t size, uint32_t spi, uint32_t how)
{
    CELLS(t, "reg", WIDE(gpa), WIDE(size));
    CELLS(t, "interrupts", SPI, spi, how);
}

static void add_built_in(struct tree *t)
{
    begin(t, "apb-pclk");
    string(t, "compatible", "fixed-clock");
    CELLS(t, "#clock-cells", 0);
    CELLS(t, "clock-frequency", CLOCK_HZ);
    string(t, "clock-output-names", "clk24mhz");
    phandle(t, PHANDLE_CLOCK);
    end(t);

    begin(t, "pl011@%llx", VIRT_UART_GPA);
    STRINGS(t, "compatible", "arm,pl011\0arm,primecell");
    place(t, VIRT_UART_GPA, VIRT_UART_SIZE, VIRT_SPI_UART, LEVEL);
    CELLS(t, "clocks", PHANDLE_CLOCK, PHANDLE_CLOCK);
    STRINGS(t, "clock-names", "uartclk\0apb_pclk");
    end(t);

    begin(t, "pl031@%llx", VIRT_RTC_GPA);
    STRINGS(t, "compatible", "arm,pl031\0arm,primecell");
    place(t, VIRT_RTC_GPA, VIRT_RTC_SIZE, VIRT_SPI_RTC, LEVEL);
    CELLS(t, "clocks", PHANDLE_CLOCK);
    string(t, "clock-names", "apb_pclk");
    end(t);
}

/* Their DMA goes through the host's caches: a guest that took it for incoherent would read stale
 * memory. */
static void add_plugged(struct tree *t, const struct virt_inventory *has)
{
    for (unsigned i = 0; i < has->virtio_count; i++) {
        const uint64_t gpa = VIRT_VIRTIO_GPA + i * VIRT_VIRTIO_STRIDE;

        begin(t, "virtio_mmio@%llx", (unsigned long long)gpa);
        string(t, "compatible", "virtio,mmio");
        place(t, gpa, VIRT_VIRTIO_STRIDE, VIRT_SPI_VIRTIO + i, EDGE);
        flag(t, "dma-coherent");
        end(t);
    }
    for (unsigned i = 0; i < has->platform_count; i++) {
        const struct virt_platform *p = &has->platform[i];
        const uint64_t gpa = VIRT_PLATFORM_GPA + i * VIRT_PLATFORM_STRIDE;

        begin(t, "%s@%llx", p->name, (unsigned long long)gpa);
        string(t, "compatible", p->compatible);
        place(t, gpa, p->size, VIRT_SPI_PLATFORM + i, LEVEL);
        flag(t, "dma-coherent");
        end(t);
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
    CELLS(t, "interrupt-map-mask", 0x1800, 0, 0, 7);
    put_cells(t, "interrupt-map", map, sizeof(map) / sizeof(map[0]));
}

static void add_pci(struct tree *t, const struct virt_inventory *has)
{
    const uint32_t ranges[] = {
        PCI_IO,
        WIDE(0),
        WIDE(VIRT_PCI_IO_GPA),
        WIDE(VIRT_PCI_IO_SIZE),
        PCI_MEM32,
        WIDE(VIRT_PCI_MEM32_GPA),
        WIDE(VIRT_PCI_MEM32_GPA),
        WIDE(VIRT_PCI_MEM32_SIZE),
        PCI_MEM64,
        WIDE(has->pci_mem64),
        WIDE(has->pci_mem64),
        WIDE(VIRT_PCI_MEM64_SIZE),
    };
    const size_t cells = sizeof(ranges) / sizeof(ranges[0]);

    begin(t, "pcie@%llx", VIRT_PCI_MEM32_GPA);
    string(t, "compatible", "pci-host-ecam-generic");
    string(t, "device_type", "pci");
    CELLS(t, "#address-cells", 3);
    CELLS(t, "#size-cells", 2);
    CELLS(t, "#interrupt-cells", 1);
    CELLS(t, "linux,pci-domain", 0);
    CELLS(t, "bus-range", 0, 0);
    flag(t, "dma-coherent");
    CELLS(t, "reg", WIDE(VIRT_ECAM_GPA), WIDE(VIRT_ECAM_SIZE));
    put_cells(t, "ranges", ranges, has->pci_mem64 != 0 ? cells : cells / 3 * 2);
    add_interrupt_map(t);
    if (has->its) {
        CELLS(t, "msi-map", 0, PHANDLE_ITS, 0, 0x10000);
    }
    end(t);
}

/* --- the tree ----------------------------------------------------------------------- */

static void add_chosen(struct tree *t, const struct virt_inventory *has)
{
    begin(t, "chosen");
    string(t, "bootargs", has->bootargs);
    string(t, "stdout-path", "/pl011@9000000");
    if (has->initrd_size != 0) {
        CELLS(t, "linux,initrd-start", WIDE(has->initrd));
        CELLS(t, "linux,initrd-end", WIDE(has->initrd + has->initrd_size));
    }
    CELLS(t, "kaslr-seed", WIDE(has->kaslr_seed));
    bytes(t, "rng-seed", has->rng_seed, sizeof(has->rng_seed));
    end(t);
}

static void add_all(struct tree *t, const struct virt_inventory *has)
{
    begin(t, "%s", "");
    STRINGS(t, "compatible", "linux,dummy-virt");
    string(t, "model", "linux,dummy-virt");
    CELLS(t, "#address-cells", 2);
    CELLS(t, "#size-cells", 2);
    CELLS(t, "interrupt-parent", PHANDLE_GIC);
    add_chosen(t, has);
    begin(t, "memory@%llx", VIRT_RAM_GPA);
    string(t, "device_type", "memory");
    CELLS(t, "reg", WIDE(VIRT_RAM_GPA), WIDE(has->ram_size));
    end(t);
    add_cpus(t, has);
    add_timer(t, has);
    add_gic(t, has);
    add_built_in(t);
    add_plugged(t, has);
    if (has->pci) {
        add_pci(t, has);
    }
    end(t);
}

int virt_fdt_make(const struct virt_inventory *has, void **blob, size_t *size, struct err *e)
{
    const size_t room = 0x10000 + has->cpus * 0x100UL + strlen(has->bootargs);
    struct tree t = {.buf = calloc(1, room)};

    if (t.buf == NULL) {
        return err_set(e, ENOMEM, "out of memory for the device tree");
    }
    check(&t, fdt_create(t.buf, (int)room));
    check(&t, fdt_finish_reservemap(t.buf));
    add_all(&t, has);
    check(&t, fdt_finish(t.buf));
    if (t.err != 0) {
        free(t.buf);
        return err_set(e, EINVAL, "cannot make the device tree: %s", fdt_strerror(t.err));
    }
    *blob = t.buf;
    *size = fdt_totalsize(t.buf);
    return 0;
}
