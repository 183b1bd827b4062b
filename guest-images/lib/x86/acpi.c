/*
 * Finding ACPI tables, and the CPUs in the MADT.
 * Source: ACPI 6.5, sections 5.2.5 (RSDP), 5.2.8 (XSDT) and 5.2.12 (MADT).
 */
#include "guest.h"
#include "x86.h"

#define RSDP_SCAN_START 0xe0000
#define RSDP_SCAN_END   0x100000
#define HEADER_SIZE     36

#define RSDP_REVISION      15
#define REVISION_WITH_XSDT 2

#define MADT_FIRST_ENTRY 44
#define MADT_LOCAL_APIC  0
#define LOCAL_APIC_ON    0x1

static const uint8_t *find_rsdp(void)
{
    if (boot.rsdp != 0) {
        return (const uint8_t *)boot.rsdp;
    }
    for (uintptr_t p = RSDP_SCAN_START; p < RSDP_SCAN_END; p += 16) {
        if (memcmp((const void *)p, "RSD PTR ", 8) == 0) {
            return (const uint8_t *)p;
        }
    }
    return NULL;
}

const uint8_t *acpi_find(const char signature[4])
{
    const uint8_t *rsdp = find_rsdp();
    if (rsdp == NULL || rsdp[RSDP_REVISION] < REVISION_WITH_XSDT) {
        return NULL;
    }
    const uint8_t *xsdt = (const uint8_t *)get_le64(rsdp + 24);
    const uint8_t *end = xsdt + get_le32(xsdt + 4);
    for (const uint8_t *p = xsdt + HEADER_SIZE; p < end; p += 8) {
        const uint8_t *table = (const uint8_t *)get_le64(p);
        if (memcmp(table, signature, 4) == 0) {
            return table;
        }
    }
    return NULL;
}

const char *boot_tables(void)
{
    return acpi_find("APIC") != NULL ? "ACPI" : "none";
}

unsigned cpu_count(void)
{
    const uint8_t *madt = acpi_find("APIC");
    unsigned count = 0;
    if (madt != NULL) {
        const uint8_t *end = madt + get_le32(madt + 4);
        for (const uint8_t *p = madt + MADT_FIRST_ENTRY; p < end; p += p[1]) {
            count += p[0] == MADT_LOCAL_APIC && (get_le32(p + 4) & LOCAL_APIC_ON) != 0;
        }
    }
    return (unsigned)cmdline_number("cpus", count > 0 ? count : 1);
}
