/*
 * Where the `pc` machine has PCI, virtio and platform devices.
 * Source: PCI Firmware Specification 3.0, section 4.1.2 (MCFG).
 */
#include "dev.h"
#include "virtio.h"
#include "x86.h"

#define MCFG_FIRST_BASE 44

#define PCI_WINDOW_GPA  0xc0000000UL
#define PCI_WINDOW_SIZE 0x20000000UL

#define PLATFORM_SLOTS  8
#define PLATFORM_STRIDE 0x100000UL

#define VIRTIO_SLOTS  24
#define VIRTIO_STRIDE 0x200UL
#define VIRTIO_GSIS   8

/* From the platform devices to 4 GiB. */
#define MACHINE_SIZE 0x2000000UL

/* Kernels without ACPI find it where the machine has it. */
uintptr_t pci_ecam(void)
{
    static uintptr_t base;
    if (base == 0) {
        const uint8_t *mcfg = acpi_find("MCFG");
        base = mcfg != NULL ? get_le64(mcfg + MCFG_FIRST_BASE) : ECAM_GPA;
    }
    return base;
}

struct pci_window pci_window(void)
{
    return (struct pci_window){PCI_WINDOW_GPA, PCI_WINDOW_SIZE};
}

struct pci_window machine_window(void)
{
    return (struct pci_window){PLATFORM_GPA, MACHINE_SIZE};
}

struct platform_slot platform_slot(unsigned n)
{
    static const unsigned gsi[] = {10, 11, 5, 6};
    if (n >= PLATFORM_SLOTS) {
        return (struct platform_slot){0};
    }
    return (struct platform_slot){PLATFORM_GPA + n * PLATFORM_STRIDE, gsi[n % ARRAY_SIZE(gsi)]};
}

struct virtio_slot virtio_slot(unsigned n)
{
    if (n >= VIRTIO_SLOTS) {
        return (struct virtio_slot){0};
    }
    return (struct virtio_slot){VIRTIO_GPA + n * VIRTIO_STRIDE, GSI_VIRTIO + n % VIRTIO_GSIS};
}
