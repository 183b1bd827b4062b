/*
 * The `virt` machine's map: where things are in guest-physical memory, and
 * interrupt numbers. Follows QEMU's virt machine (hw/arm/virt.c) where that has a
 * place for it.
 *
 * A GSI is the number of a shared peripheral interrupt (SPI): INTID less 32.
 */
#ifndef ARCH_ARM64_MAP_H
#define ARCH_ARM64_MAP_H

/* --- interrupt controllers --- */
#define VIRT_GICD_GPA       0x08000000ULL /* distributor */
#define VIRT_GICD_SIZE      0x10000ULL
#define VIRT_GICC_GPA       0x08010000ULL /* GICv2: CPU interface */
#define VIRT_GICC_SIZE      0x10000ULL    /* of which KVM decodes two pages of 4 KiB */
#define VIRT_ITS_GPA        0x08080000ULL /* GICv3: interrupt translation service */
#define VIRT_ITS_SIZE       0x20000ULL
#define VIRT_ITS_TRANSLATER (VIRT_ITS_GPA + 0x10040) /* where devices write messages */
#define VIRT_GICR_GPA       0x080a0000ULL            /* GICv3: redistributors, one a CPU */
#define VIRT_GICR_STRIDE    0x20000ULL
#define VIRT_GICR_SIZE      0xf60000ULL
#define VIRT_GICV3_CPUS_MAX 123
#define VIRT_GICV2_CPUS_MAX 8

/* --- devices --- */
#define VIRT_UART_GPA        0x09000000ULL
#define VIRT_UART_SIZE       0x1000ULL
#define VIRT_RTC_GPA         0x09010000ULL
#define VIRT_RTC_SIZE        0x1000ULL
#define VIRT_UART2_GPA       0x09040000ULL /* only with --exec */
#define VIRT_VIRTIO_GPA      0x0a000000ULL
#define VIRT_VIRTIO_STRIDE   0x200ULL
#define VIRT_VIRTIO_SLOTS    32
#define VIRT_PLATFORM_GPA    0x0c000000ULL
#define VIRT_PLATFORM_STRIDE 0x100000ULL

/* --- PCI --- */
#define VIRT_PCI_MEM32_GPA   0x10000000ULL /* windows for BARs; the 64-bit one is above RAM */
#define VIRT_PCI_MEM32_SIZE  0x2eff0000ULL
#define VIRT_PCI_MEM64_SIZE  0x800000000ULL
#define VIRT_PCI_MEM64_ALIGN 0x800000000ULL
#define VIRT_PCI_IO_GPA      0x3eff0000ULL /* ports from 0 on, in memory */
#define VIRT_PCI_IO_SIZE     0x10000ULL
#define VIRT_ECAM_GPA        0x3f000000ULL
#define VIRT_ECAM_SIZE       0x100000ULL /* one bus: Linux probes all it is told of */

/* --- RAM --- */
#define VIRT_RAM_GPA  0x40000000ULL
#define VIRT_GPA_BITS 40 /* of an address, on a KVM that has no choice of them */

/* --- interrupts --- */
#define VIRT_SPI_UART     1
#define VIRT_SPI_RTC      2
#define VIRT_SPI_UART2    8   /* only with --exec */
#define VIRT_SPI_INTX     3   /* INTA of PCI slot n: 3 + n % 4, level */
#define VIRT_SPI_VIRTIO   16  /* slot n: 16 + n, edge */
#define VIRT_SPI_PLATFORM 112 /* slot n: 112 + n, level */
#define VIRT_SPIS         128 /* 0 to 127; a multiple of 32 */

/* Private interrupts of each CPU (PPI): INTID less 16. */
#define VIRT_PPI_PMU            7
#define VIRT_PPI_HYP_TIMER      10
#define VIRT_PPI_VIRTUAL_TIMER  11
#define VIRT_PPI_SECURE_TIMER   13
#define VIRT_PPI_PHYSICAL_TIMER 14

#endif
