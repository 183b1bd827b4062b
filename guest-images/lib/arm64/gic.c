/*
 * The Generic Interrupt Controller, version 3 by system registers or version 2 by
 * memory, for one CPU. Sources: Arm IHI 0069 (GICv3), IHI 0048 (GICv2).
 */
#include "internal.h"
#include "virt.h"

/* Distributor. */
#define GICD_CTLR      0x0000
#define GICD_TYPER     0x0004
#define GICD_IGROUPR   0x0080 /* from here on a bit, a byte or two bits an interrupt */
#define GICD_ISENABLER 0x0100
#define GICD_ICENABLER 0x0180
#define GICD_IPRIORITY 0x0400
#define GICD_ITARGETS  0x0800
#define GICD_ICFGR     0x0c00
#define GICD_IROUTER   0x6000

#define CTLR_V2_ENABLE 0x01
#define CTLR_V3_ENABLE 0x12 /* group 1, affinity routing */
#define TYPER_LINES    0x1f /* interrupts / 32 - 1 */
#define CFGR_EDGE      2U
#define PRIORITY       0xa0

/* Redistributor: its second page is like the distributor, for the private interrupts. */
#define GICR_WAKER     0x0014
#define GICR_SGI       0x10000
#define WAKER_SLEEP    0x2
#define WAKER_SLEEPING 0x4

/* CPU interface of GICv2. */
#define GICC_CTLR 0x00
#define GICC_PMR  0x04
#define GICC_IAR  0x0c
#define GICC_EOIR 0x10

#define ALL_PRIORITIES 0xff
#define INTID_MASK     0xffffff

static uintptr_t gicd, gicr, gicc; /* gicr on version 3, gicc on version 2 */

/* Where the registers of an interrupt's kind are. */
static uintptr_t registers_of(unsigned intid)
{
    return gicr != 0 && intid < INTID_GSI ? gicr + GICR_SGI : gicd;
}

static void cpu_interface_v3(void)
{
    __asm__ volatile("msr S3_0_C12_C12_5, %0\n\tisb" ::"r"(1UL));         /* ICC_SRE_EL1 */
    __asm__ volatile("msr S3_0_C4_C6_0, %0" ::"r"(0UL + ALL_PRIORITIES)); /* ICC_PMR_EL1 */
    __asm__ volatile("msr S3_0_C12_C12_7, %0\n\tisb" ::"r"(1UL));         /* ICC_IGRPEN1_EL1 */
}

static void init_v3(fdt_node *node)
{
    gicd = fdt_reg(node, 0);
    gicr = fdt_reg(node, 1);
    mmio_write32(gicr + GICR_WAKER, mmio_read32(gicr + GICR_WAKER) & ~(uint32_t)WAKER_SLEEP);
    while ((mmio_read32(gicr + GICR_WAKER) & WAKER_SLEEPING) != 0) {
        cpu_relax();
    }
    mmio_write32(gicd + GICD_CTLR, CTLR_V3_ENABLE);
    mmio_write32(gicr + GICR_SGI + GICD_IGROUPR, UINT32_MAX);
    for (unsigned n = 1; n <= (mmio_read32(gicd + GICD_TYPER) & TYPER_LINES); n++) {
        mmio_write32(gicd + GICD_IGROUPR + 4UL * n, UINT32_MAX);
    }
    cpu_interface_v3();
}

static void init_v2(fdt_node *node)
{
    gicd = fdt_reg(node, 0);
    gicc = fdt_reg(node, 1);
    mmio_write32(gicd + GICD_CTLR, CTLR_V2_ENABLE);
    mmio_write32(gicc + GICC_PMR, ALL_PRIORITIES);
    mmio_write32(gicc + GICC_CTLR, CTLR_V2_ENABLE);
}

void gic_init(void)
{
    if (gicd != 0) {
        return;
    }
    fdt_node *v3 = fdt_compatible("arm,gic-v3", 0);
    fdt_node *v2 = fdt_compatible("arm,cortex-a15-gic", 0);
    CHECK(v3 != NULL || v2 != NULL);
    if (v3 != NULL) {
        init_v3(v3);
    } else {
        init_v2(v2);
    }
}

uintptr_t gic_redistributor(void)
{
    return gicr;
}

static void to_this_cpu(unsigned intid)
{
    if (gicr != 0) {
        uint64_t mpidr;
        __asm__("mrs %0, mpidr_el1" : "=r"(mpidr));
        mmio_write64(gicd + GICD_IROUTER + 8UL * intid, mpidr & 0xff00ffffffUL);
    } else {
        mmio_write8(gicd + GICD_ITARGETS + intid, 1);
    }
}

void gic_enable(unsigned intid, bool level)
{
    const uintptr_t base = registers_of(intid);
    const uintptr_t config = base + GICD_ICFGR + intid / 16 * 4;
    const uint32_t edge = CFGR_EDGE << intid % 16 * 2;
    if (intid >= INTID_GSI) {
        mmio_write32(config, (mmio_read32(config) & ~edge) | (level ? 0 : edge));
        to_this_cpu(intid);
    }
    mmio_write8(base + GICD_IPRIORITY + intid, PRIORITY);
    mmio_write32(base + GICD_ISENABLER + intid / 32 * 4, 1U << intid % 32);
}

void gic_disable(unsigned intid)
{
    mmio_write32(registers_of(intid) + GICD_ICENABLER + intid / 32 * 4, 1U << intid % 32);
}

unsigned gic_acknowledge(void)
{
    uint64_t intid;
    if (gicr == 0) {
        return mmio_read32(gicc + GICC_IAR);
    }
    __asm__ volatile("mrs %0, S3_0_C12_C12_0\n\tdsb sy" : "=r"(intid)::"memory"); /* ICC_IAR1_EL1 */
    return (unsigned)intid & INTID_MASK;
}

void gic_end(unsigned intid)
{
    if (gicr == 0) {
        mmio_write32(gicc + GICC_EOIR, intid);
    } else {
        __asm__ volatile("dsb sy\n\tmsr S3_0_C12_C12_1, %0\n\tisb" ::"r"((uint64_t)intid)
                         : "memory"); /* ICC_EOIR1_EL1 */
    }
}
