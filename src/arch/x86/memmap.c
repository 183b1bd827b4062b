/*
 * The memory map of the `pc` machine. What is not listed is free for devices.
 *
 *   0          9fc00   a0000  e0000    100000       low_size   4 GiB
 *   |   RAM    | EBDA  |  -   | tables |    RAM     |   -      |  RAM ...
 *
 * RAM lies under the whole of the first MiB; the guest is told of the parts it
 * may use. Source of the format: ACPI specification, section 15 (e820).
 */
#include "src/arch/x86/memmap.h"

#include "src/arch/x86/map.h"

#include <errno.h>
#include <inttypes.h>

#define PAGE_SIZE     4096ULL
#define GPA_LIMIT     (1ULL << 52) /* what x86-64 page tables can express */
#define FIRMWARE_SIZE (PC_HIGH_RAM_GPA - PC_IDENTITY_GPA)

static void add(struct memmap *m, uint64_t gpa, uint64_t size, enum mem_type type)
{
    m->areas[m->count++] = (struct mem_area){.gpa = gpa, .size = size, .type = type};
}

static int check_size(uint64_t size, struct err *e)
{
    if (size < MEMMAP_MIN_SIZE) {
        return err_set(e, EINVAL, "%" PRIu64 " bytes of memory are too few, 1M is the least", size);
    }
    if (size % PAGE_SIZE != 0) {
        return err_set(e, EINVAL, "memory must be a multiple of 4 KiB, %" PRIu64 " bytes are not",
                       size);
    }
    if (size > GPA_LIMIT - PC_HIGH_RAM_GPA) {
        return err_set(e, EINVAL, "%" PRIu64 " bytes of memory are more than x86-64 can address",
                       size);
    }
    return 0;
}

int memmap_init(struct memmap *m, uint64_t size, bool pci, struct err *e)
{
    int rc = check_size(size, e);
    if (rc < 0) {
        return rc;
    }
    *m = (struct memmap){.low_size = size < PC_LOW_RAM_MAX ? size : PC_LOW_RAM_MAX};
    m->high_size = size - m->low_size;

    add(m, 0, PC_EBDA_GPA, MEM_RAM);
    add(m, PC_EBDA_GPA, PC_EBDA_END - PC_EBDA_GPA, MEM_RESERVED);
    add(m, PC_ACPI_GPA, PC_ACPI_END - PC_ACPI_GPA, MEM_RESERVED);
    if (m->low_size > PC_KERNEL_GPA) {
        add(m, PC_KERNEL_GPA, m->low_size - PC_KERNEL_GPA, MEM_RAM);
    }
    if (pci) {
        add(m, PC_ECAM_GPA, PC_ECAM_SIZE, MEM_RESERVED);
    }
    add(m, PC_IDENTITY_GPA, FIRMWARE_SIZE, MEM_RESERVED);
    if (m->high_size > 0) {
        add(m, PC_HIGH_RAM_GPA, m->high_size, MEM_RAM);
    }
    return 0;
}

uint64_t memmap_pci_mem64(const struct memmap *m, unsigned gpa_bits)
{
    const uint64_t ram_end = PC_HIGH_RAM_GPA + m->high_size;
    const uint64_t base = (ram_end + PC_PCI_MEM64_ALIGN - 1) & ~(PC_PCI_MEM64_ALIGN - 1);

    return base + PC_PCI_MEM64_SIZE <= 1ULL << gpa_bits ? base : 0;
}
