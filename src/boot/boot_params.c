/*
 * Linux's zero page and the state of its 64-bit entry. Sources: Linux
 * Documentation/arch/x86/boot.rst and zero-page.rst.
 */
#include "src/arch/x86/map.h"
#include "src/base/le.h"
#include "src/boot/loader.h"

/* Offsets in boot_params; 0x1f1 and up are the setup header. */
enum {
    BP_ACPI_RSDP = 0x070,
    BP_EXT_INITRD_GPA = 0x0c0,
    BP_EXT_INITRD_SIZE = 0x0c4,
    BP_E820_COUNT = 0x1e8,
    BP_INITRD_GPA = 0x218,
    BP_INITRD_SIZE = 0x21c,
    BP_CMDLINE = 0x228,
    BP_SETUP_DATA = 0x250,
    BP_E820 = 0x2d0,
};

#define E820_ENTRY_SIZE 20
#define E820_MAX        128

static void fill_e820(const struct loader *l, uint8_t *params)
{
    size_t count = l->req->map_count < E820_MAX ? l->req->map_count : E820_MAX;
    for (size_t i = 0; i < count; i++) {
        uint8_t *entry = params + BP_E820 + i * E820_ENTRY_SIZE;
        put_le64(entry, l->req->map[i].gpa);
        put_le64(entry + 8, l->req->map[i].size);
        put_le32(entry + 16, l->req->map[i].type);
    }
    params[BP_E820_COUNT] = (uint8_t)count;
}

int boot_params_finish(struct loader *l, uint8_t *params, uint64_t initrd, uint64_t initrd_size,
                       uint64_t ip)
{
    fill_e820(l, params);
    put_le64(params + BP_ACPI_RSDP, l->req->rsdp);
    put_le32(params + BP_INITRD_GPA, (uint32_t)initrd);
    put_le32(params + BP_INITRD_SIZE, (uint32_t)initrd_size);
    put_le32(params + BP_EXT_INITRD_GPA, (uint32_t)(initrd >> 32));
    put_le32(params + BP_EXT_INITRD_SIZE, (uint32_t)(initrd_size >> 32));
    put_le32(params + BP_CMDLINE, PC_CMDLINE_GPA);

    put_le64(params + BP_SETUP_DATA, 0); /* whatever the file says */

    int rc = loader_write(l, "boot_params", PC_BOOT_PARAMS_GPA, params, BOOT_PARAMS_SIZE);
    if (rc == 0) {
        rc = loader_page_tables(l);
    }
    if (rc == 0) {
        rc = loader_gdt(l, BOOT_LONG64);
    }
    l->entry->ip = ip;
    l->entry->si = PC_BOOT_PARAMS_GPA;
    return rc;
}
