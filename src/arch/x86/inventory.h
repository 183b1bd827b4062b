/*
 * What the `pc` machine has that a guest cannot find out by itself. The board
 * (board_devices.c) keeps it; acpi*.c and mptable.c tell the guest.
 *
 * Locking: main thread, while no vCPU runs.
 */
#ifndef ARCH_X86_INVENTORY_H
#define ARCH_X86_INVENTORY_H

#include "devices/pci.h"
#include "src/arch/x86/map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A virtio-mmio slot with a device in it. */
struct pc_virtio {
    unsigned slot; /* number of the slot: names the device */
    uint32_t gpa;
    uint32_t gsi;
};

/* A platform device: registers in memory, a level interrupt that several may share. */
struct pc_platform {
    const char *compatible; /* borrowed */
    uint32_t gpa;
    uint32_t size;
    uint32_t gsi;
};

/* A PCI function with an interrupt pin (INTA): the level interrupt it reaches. */
struct pc_intx {
    unsigned slot;
    uint32_t gsi;
};

struct pc_inventory {
    unsigned cpus; /* APIC ids 0 .. cpus - 1 */
    bool com1, com2, rtc, pvpanic;
    bool pm; /* ACPI's fixed hardware; else it is hardware-reduced */
    struct pc_virtio virtio[PC_VIRTIO_SLOTS];
    unsigned virtio_count;
    struct pc_platform platform[PC_PLATFORM_SLOTS];
    unsigned platform_count;
    bool pci;           /* a host bridge with bus 0; the two below are empty without */
    uint64_t pci_mem64; /* gpa of the 64-bit window; 0: there is none */
    struct pc_intx intx[PCI_SLOTS];
    unsigned intx_count;
};

/* The ISA irqs that PCI functions and that platform devices use, bit per irq. Both are level. */
uint32_t pc_intx_irqs(const struct pc_inventory *has);
uint32_t pc_platform_irqs(const struct pc_inventory *has);

#endif
