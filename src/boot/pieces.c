/*
 * What several entry protocols of x86 want in guest memory: command line, GDT, page
 * tables. Sources: Intel SDM volume 3 (segment descriptors 3.4.5, 4-level
 * paging 4.5), Linux Documentation/arch/x86/boot.rst for the selectors.
 */
#include "src/arch/x86/map.h"
#include "src/base/le.h"
#include "src/boot/loader.h"
#include "src/mem/dma.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define CMDLINE_SIZE 0x10000 /* bytes at PC_CMDLINE_GPA, NUL included */

int loader_cmdline(struct loader *l, const char *cmdline, uint64_t max)
{
    size_t len = strlen(cmdline);
    if (max > CMDLINE_SIZE - 1) {
        max = CMDLINE_SIZE - 1;
    }
    if (len > max) {
        return err_set(l->e, E2BIG, "the kernel command line has %zu bytes, %s takes %" PRIu64, len,
                       l->kernel.path, max);
    }
    return loader_write(l, "command line", PC_CMDLINE_GPA, cmdline, len + 1);
}

int loader_gdt(struct loader *l, enum boot_mode mode)
{
    /* Selectors 0x10 code, 0x18 data: base 0, limit 4 GiB; 0x20 TSS: base 0, limit 0x67, busy. */
    const uint64_t code = mode == BOOT_LONG64 ? 0x00af9b000000ffff : 0x00cf9b000000ffff;
    const uint64_t entries[] = {0, 0, code, 0x00cf93000000ffff, 0x00008b0000000067};
    uint8_t gdt[sizeof(entries)];
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        put_le64(gdt + i * 8, entries[i]);
    }
    l->entry->mode = mode;
    l->entry->gdt = PC_GDT_GPA;
    l->entry->gdt_limit = sizeof(gdt) - 1;
    return loader_write(l, "GDT", PC_GDT_GPA, gdt, sizeof(gdt));
}

int loader_page_tables(struct loader *l)
{
    enum { PAGE = 4096, PRESENT_WRITABLE = 0x3, LARGE = 0x80, DIRECTORIES = 4, ENTRIES = 512 };
    const uint64_t pdpt = PC_PAGE_TABLES_GPA + PAGE;
    const uint64_t first_pd = PC_PAGE_TABLES_GPA + 2 * PAGE;
    uint8_t *tables = dma_ptr(l->req->mem, PC_PAGE_TABLES_GPA, (2 + DIRECTORIES) * PAGE, true);
    if (tables == NULL) {
        return loader_err(l, ENOMEM, "no guest memory at 0x%llx for the page tables",
                          PC_PAGE_TABLES_GPA);
    }
    memset(tables, 0, 2 * PAGE);
    put_le64(tables, pdpt | PRESENT_WRITABLE);
    for (uint64_t i = 0; i < DIRECTORIES; i++) {
        put_le64(tables + PAGE + i * 8, (first_pd + i * PAGE) | PRESENT_WRITABLE);
    }
    for (uint64_t i = 0; i < DIRECTORIES * ENTRIES; i++) {
        put_le64(tables + 2 * PAGE + i * 8, i << 21 | LARGE | PRESENT_WRITABLE);
    }
    l->entry->cr3 = PC_PAGE_TABLES_GPA;
    return 0;
}
