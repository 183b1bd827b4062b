/*
 * Multiboot 1 kernels: 32-bit ELF files, or flat files whose header says where
 * they go. Source: Multiboot Specification 0.6.96.
 *
 * At PC_INFO_GPA: the information structure, memory map, module list, strings.
 * Modules lie behind the kernel, from 1 MiB on, each on its own pages.
 */
#include "src/arch/x86/map.h"
#include "src/base/le.h"
#include "src/base/log.h"
#include "src/boot/loader.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_MAGIC   0x1badb002U
#define HEADER_SIZE    12 /* magic, flags, checksum */
#define HEADER_ADDRESS 32 /* with the address fields */
#define BOOT_MAGIC     0x2badb002U

/* Header flags. A loader that does not know one of bits 0 to 15 must refuse. */
#define WANT_VIDEO  0x00000004U
#define KNOWN_FLAGS 0x00000007U /* page-aligned modules, memory information, video */
#define MANDATORY   0x0000ffffU

/* Information structure and its flags. */
#define INFO_SIZE    88
#define INFO_MEMORY  0x001U
#define INFO_CMDLINE 0x004U
#define INFO_MODULES 0x008U
#define INFO_MEMMAP  0x040U
#define INFO_LOADER  0x200U

#define MODULE_SIZE  16
#define MEMMAP_ENTRY 24 /* size field and 20 bytes */
#define PAGE_SIZE    4096ULL

/* The tables at PC_INFO_GPA, filled front to back. */
struct tables {
    size_t used;
    uint8_t bytes[PC_CMDLINE_GPA - PC_INFO_GPA];
};

struct module {
    uint64_t gpa, size;
};

long multiboot_find_header(const uint8_t *head, size_t len)
{
    for (size_t i = 0; i + HEADER_SIZE <= len; i += 4) {
        const uint8_t *h = head + i;
        if (get_le32(h) == HEADER_MAGIC && HEADER_MAGIC + get_le32(h + 4) + get_le32(h + 8) == 0) {
            return (long)i;
        }
    }
    return -1;
}

/* Claim len bytes of the tables, 4-aligned; their gpa, or 0 if they are full. */
static uint32_t tables_add(struct tables *t, const void *bytes, size_t len)
{
    const size_t at = (t->used + 3) & ~(size_t)3;
    if (at > sizeof(t->bytes) || len > sizeof(t->bytes) - at) {
        return 0;
    }
    memcpy(t->bytes + at, bytes, len);
    t->used = at + len;
    return (uint32_t)(PC_INFO_GPA + at);
}

static int tables_full(struct loader *l)
{
    return err_set(l->e, E2BIG, "%zu initrds are too many for multiboot", l->req->initrd_count);
}

/* --- the kernel -------------------------------------------------------- */

/*
 * A file that is no ELF (or wants it so): the header's address fields say where
 * its bytes go. end: first gpa behind it, bss included.
 */
static int load_by_address(struct loader *l, size_t header, uint64_t *entry, uint64_t *end)
{
    const uint8_t *h = l->head + header;
    if (header + HEADER_ADDRESS > l->head_len) {
        return loader_err(l, ENOEXEC, "truncated inside its multiboot header");
    }
    const uint64_t header_gpa = get_le32(h + 12);
    const uint64_t load = get_le32(h + 16);
    const uint64_t load_end = get_le32(h + 20);
    const uint64_t bss_end = get_le32(h + 24);
    *entry = get_le32(h + 28);
    if (header_gpa < load || header_gpa - load > header || (load_end != 0 && load_end <= load)) {
        return loader_err(l, ENOEXEC, "the addresses in its multiboot header make no sense");
    }
    const uint64_t offset = header - (header_gpa - load);
    const uint64_t size = load_end != 0 ? load_end - load : l->kernel.size - offset;
    *end = load + size;
    if (bss_end > *end) {
        *end = bss_end;
    }
    if (load < PC_KERNEL_GPA || *entry < load || *entry >= *end) {
        return loader_err(l, ENOEXEC,
                          "its multiboot header loads it at 0x%" PRIx64 ", entry 0x%" PRIx64
                          "; vmm wants 1 MiB or above and the entry inside",
                          load, *entry);
    }
    int rc = loader_zero(l, load + size, *end - (load + size));
    return rc < 0 ? rc : image_load(&l->kernel, offset, l->req->mem, load, size, l->e);
}

static int load_as_elf(struct loader *l, uint64_t *entry, uint64_t *end)
{
    struct elf elf = {.multiboot = true};
    int rc = elf_parse(l, &elf);
    if (rc == 0) {
        rc = elf_check_entry(l, &elf, elf.entry);
    }
    if (rc == 0) {
        rc = elf_load_segments(l, &elf);
    }
    *entry = elf.entry;
    *end = elf.end;
    return rc;
}

static int load_kernel(struct loader *l, uint64_t *entry, uint64_t *end)
{
    const long header = multiboot_find_header(l->head, l->head_len);
    const uint32_t flags = get_le32(l->head + header + 4);
    if (flags & MANDATORY & ~KNOWN_FLAGS) {
        return loader_err(l, ENOEXEC, "wants multiboot features vmm does not have (flags 0x%x)",
                          flags);
    }
    if (flags & WANT_VIDEO) {
        log_warn("kernel %s: wants a video mode; there is no display", l->kernel.path);
    }
    if (flags & MULTIBOOT_HAS_ADDRESS) {
        return load_by_address(l, (size_t)header, entry, end);
    }
    if (memcmp(l->head, ELFMAG, SELFMAG) != 0) {
        return loader_err(l, ENOEXEC,
                          "has a multiboot header without addresses and is no ELF file");
    }
    return load_as_elf(l, entry, end);
}

/* --- modules ----------------------------------------------------------- */

static int load_module(struct loader *l, const char *path, uint64_t gpa, uint64_t *size)
{
    struct image img;
    int rc = image_open(&img, "initrd", path, l->e);
    if (rc < 0) {
        return rc;
    }
    *size = img.size;
    if (gpa > l->req->low_ram_end || img.size > l->req->low_ram_end - gpa) {
        rc = image_err(&img, l->e, ENOMEM,
                       "%" PRIu64 " bytes do not fit behind the kernel, at 0x%" PRIx64
                       "; --memory has %" PRIu64 " MiB",
                       img.size, gpa, loader_ram_mib(l));
    } else {
        rc = image_load(&img, 0, l->req->mem, gpa, img.size, l->e);
    }
    image_close(&img);
    return rc;
}

/* One module for each initrd, from gpa on, on pages of its own; entries: MODULE_SIZE bytes for
 * each. */
static int fill_modules(struct loader *l, uint64_t gpa, struct tables *t, uint8_t *entries)
{
    for (size_t i = 0; i < l->req->initrd_count; i++) {
        const char *path = l->req->initrds[i];
        uint64_t size = 0;
        gpa = (gpa + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
        int rc = load_module(l, path, gpa, &size);
        if (rc < 0) {
            return rc;
        }
        const uint32_t string = tables_add(t, path, strlen(path) + 1);
        if (string == 0) {
            return tables_full(l);
        }
        put_le32(entries + i * MODULE_SIZE, (uint32_t)gpa);
        put_le32(entries + i * MODULE_SIZE + 4, (uint32_t)(gpa + size));
        put_le32(entries + i * MODULE_SIZE + 8, string);
        gpa += size;
    }
    return 0;
}

static int load_modules(struct loader *l, uint64_t gpa, struct tables *t, uint32_t *list)
{
    const size_t count = l->req->initrd_count;
    uint8_t *entries = calloc(count, MODULE_SIZE);
    if (entries == NULL) {
        return err_set(l->e, ENOMEM, "out of memory for %zu modules", count);
    }
    int rc = fill_modules(l, gpa, t, entries);
    if (rc == 0) {
        *list = tables_add(t, entries, count * MODULE_SIZE);
        rc = *list == 0 ? tables_full(l) : 0;
    }
    free(entries);
    return rc;
}

/* --- information ------------------------------------------------------- */

/* File name, space, arguments: as GRUB and QEMU give it. */
static int write_cmdline(struct loader *l)
{
    char *text = NULL;
    if (asprintf(&text, "%s %s", l->kernel.path, l->req->append) < 0) {
        return err_set(l->e, ENOMEM, "out of memory for the command line");
    }
    int rc = loader_cmdline(l, text, UINT64_MAX);
    free(text);
    return rc;
}

static void add_memmap(const struct loader *l, struct tables *t, uint8_t *info)
{
    size_t count = 0;
    for (size_t i = 0; i < l->req->map_count; i++) {
        const struct mem_area *a = &l->req->map[i];
        uint8_t entry[MEMMAP_ENTRY];
        put_le32(entry, MEMMAP_ENTRY - 4); /* does not count itself */
        put_le64(entry + 4, a->gpa);
        put_le64(entry + 12, a->size);
        put_le32(entry + 20, a->type);
        const uint32_t gpa = tables_add(t, entry, sizeof(entry));
        if (gpa == 0) {
            break;
        }
        if (count++ == 0) {
            put_le32(info + 48, gpa);
        }
    }
    put_le32(info + 44, (uint32_t)(count * MEMMAP_ENTRY));
}

/* info: where the tables begin, with room for the information structure. */
static int fill_info(struct loader *l, uint64_t kernel_end, struct tables *t, uint8_t *info)
{
    static const char name[] = "vmm";
    uint32_t flags = INFO_MEMORY | INFO_CMDLINE | INFO_MEMMAP | INFO_LOADER;
    add_memmap(l, t, info);
    put_le32(info + 64, tables_add(t, name, sizeof(name)));
    if (l->req->initrd_count > 0) {
        const uint64_t gpa = kernel_end > PC_KERNEL_GPA ? kernel_end : PC_KERNEL_GPA;
        uint32_t list = 0;
        int rc = load_modules(l, gpa, t, &list);
        if (rc < 0) {
            return rc;
        }
        flags |= INFO_MODULES;
        put_le32(info + 20, (uint32_t)l->req->initrd_count);
        put_le32(info + 24, list);
    }
    put_le32(info, flags);
    put_le32(info + 4, PC_EBDA_GPA >> 10);
    put_le32(info + 8, (uint32_t)((l->req->low_ram_end - PC_KERNEL_GPA) >> 10));
    put_le32(info + 16, PC_CMDLINE_GPA);
    return 0;
}

static int write_info(struct loader *l, uint64_t kernel_end, struct tables *t)
{
    static const uint8_t room[INFO_SIZE];
    tables_add(t, room, sizeof(room));
    int rc = fill_info(l, kernel_end, t, t->bytes);
    return rc < 0 ? rc : loader_write(l, "multiboot tables", PC_INFO_GPA, t->bytes, t->used);
}

int load_multiboot(struct loader *l)
{
    uint64_t entry = 0, end = 0;
    int rc = load_kernel(l, &entry, &end);
    if (rc == 0) {
        rc = write_cmdline(l);
    }
    if (rc < 0) {
        return rc;
    }
    struct tables *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return err_set(l->e, ENOMEM, "out of memory for the multiboot tables");
    }
    rc = write_info(l, end, t);
    free(t);
    if (rc == 0) {
        rc = loader_gdt(l, BOOT_PROT32);
    }
    l->entry->format = BOOT_MULTIBOOT;
    l->entry->ip = entry;
    l->entry->ax = BOOT_MAGIC;
    l->entry->bx = PC_INFO_GPA;
    return rc;
}
