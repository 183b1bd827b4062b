/*
 * The `pc` machine's map: where things are in guest-physical memory, I/O ports
 * and interrupt numbers. Follows QEMU's microvm where that has a place for it
 * (hw/i386/microvm.c), a PC otherwise.
 */
#ifndef ARCH_X86_MAP_H
#define ARCH_X86_MAP_H

/* --- guest-physical memory: low RAM, used by the loader before Linux owns it --- */
#define PC_GDT_GPA         0x00000500ULL /* boot GDT, 5 entries */
#define PC_FLAT_LOAD_GPA   0x00007c00ULL /* real-mode images */
#define PC_BOOT_PARAMS_GPA 0x00008000ULL /* boot_params, or PVH start_info; 4 KiB */
#define PC_PAGE_TABLES_GPA 0x00009000ULL /* PML4, PDPT, 4 page directories: 6 pages */
#define PC_INFO_GPA        0x00010000ULL /* PVH tables, multiboot information, up to PC_CMDLINE_GPA */
#define PC_CMDLINE_GPA     0x00020000ULL /* kernel command line, up to 64 KiB */
#define PC_EBDA_GPA        0x0009fc00ULL /* end of conventional memory */
#define PC_EBDA_END        0x000a0000ULL
#define PC_ACPI_GPA        0x000e0000ULL /* RSDP and tables, up to 1 MiB */
#define PC_ACPI_END        0x00100000ULL
#define PC_MPTABLE_GPA     0x000f0000ULL /* MP table where there is no ACPI, up to 1 MiB */
#define PC_BIOS_GPA        0x000fffd0ULL /* interrupt handlers of --machine pc,testdev=on */
#define PC_RESET_GPA       0x000ffff0ULL /* F000:FFF0, where firmware would be entered */
#define PC_KERNEL_GPA      0x00100000ULL

/* --- guest-physical memory: devices --- */
#define PC_LOW_RAM_MAX        0xc0000000ULL /* RAM below 4 GiB ends here at most */
#define PC_HIGH_RAM_GPA       0x100000000ULL
#define PC_PCI_MEM32_GPA      0xc0000000ULL /* windows for BARs; the 64-bit one is above RAM */
#define PC_PCI_MEM32_SIZE     0x20000000ULL
#define PC_PCI_MEM64_SIZE     0x800000000ULL
#define PC_PCI_MEM64_ALIGN    0x800000000ULL
#define PC_ECAM_GPA           0xe0000000ULL
#define PC_ECAM_SIZE          0x100000ULL /* one bus: Linux probes all it is told of */
#define PC_PLATFORM_GPA       0xfe000000ULL
#define PC_PLATFORM_STRIDE    0x100000ULL
#define PC_PLATFORM_SLOTS     8
#define PC_GED_GPA            0xfea00000ULL /* event selector, 4 bytes */
#define PC_ACPI_REGS_GPA      0xfea00200ULL /* sleep control, sleep status, reset: 3 bytes */
#define PC_ACPI_SLEEP_CONTROL 0             /* offsets in it */
#define PC_ACPI_SLEEP_STATUS  1
#define PC_ACPI_RESET         2
#define PC_ACPI_RESET_VALUE   0x42
#define PC_VIRTIO_GPA         0xfeb00000ULL
#define PC_VIRTIO_STRIDE      0x200ULL
#define PC_VIRTIO_SLOTS       24
#define PC_IOAPIC_GPA         0xfec00000ULL
#define PC_LAPIC_GPA          0xfee00000ULL
#define PC_MSI_GPA            0xfee00000ULL /* where devices write messages */
#define PC_MSI_END            0xfef00000ULL
#define PC_TSS_GPA            0xfffbd000ULL /* three pages KVM needs on some Intel hosts */
#define PC_IDENTITY_GPA       0xfffbc000ULL /* one page before it */

/* --- I/O ports --- */
#define PC_PORT_I8042_CMD 0x64
#define PC_PORT_RTC       0x70
#define PC_PORT_COM2      0x2f8 /* only with --exec */
#define PC_PORT_COM1      0x3f8
#define PC_PORT_PVPANIC   0x505
#define PC_PORT_PM1_EVENT 0x600 /* 4 ports; these three are of devices/acpi_fixed.c */
#define PC_PORT_PM1_CTL   0x604 /* 2 */
#define PC_PORT_PM_TIMER  0x608 /* 4 */
#define PC_PORT_PCI       0xcf8 /* configuration mechanism #1: 8 ports */
#define PC_PCI_IO_BASE    0x1000
#define PC_PCI_IO_SIZE    0xf000

/* --- interrupts (GSI) --- */
#define PC_GSI_COM2 3 /* only with --exec */
#define PC_GSI_COM1 4
#define PC_GSI_SCI  7
#define PC_GSI_RTC  8
#define PC_GSI_GED  9
#define PC_GSI_PLATFORM                                                                            \
    {                                                                                              \
        10, 11, 5, 6                                                                               \
    }                         /* slot n: number n % 4 of these, level */
#define PC_GSI_INTX        12 /* INTA of PCI slot n: 12 + n % 4, level */
#define PC_GSI_VIRTIO      16 /* slot n: 16 + n % 8, edge */
#define PC_GSI_VIRTIO_PINS 8

#endif
