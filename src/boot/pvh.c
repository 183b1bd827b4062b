/*
 * PVH: an ELF kernel with a Xen note is entered in 32-bit protected mode with
 * EBX pointing to a start_info. Sources: Xen docs/misc/pvh.pandoc and
 * include/public/arch-x86/hvm/start_info.h.
 *
 * At PC_BOOT_PARAMS_GPA: start_info and the module list; at PC_INFO_GPA: the
 * memory map.
 */
#include "src/arch/x86/map.h"
#include "src/base/le.h"
#include "src/boot/loader.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define NOTE_HEADER       12    /* namesz, descsz, type */
#define NOTES_MAX         16384 /* bytes of a note segment that are looked at */
#define NOTE_PHYS32_ENTRY 18

#define START_INFO_MAGIC 0x336ec578
#define START_INFO_SIZE  56
#define MODULE_SIZE      32
#define MEMMAP_ENTRY     24
#define MEMMAP_MAX       128

/* n rounded up to align, which is 4 or 8. */
static uint64_t round_up(uint64_t n, uint64_t align)
{
    return (n + align - 1) & ~(align - 1);
}

/* Walks the notes in buf; 1 and *entry if the one we look for is there. */
static int scan_notes(const uint8_t *buf, uint64_t len, uint64_t align, uint32_t *entry)
{
    uint64_t pos = 0;
    while (pos < len && len - pos >= NOTE_HEADER) {
        const uint8_t *note = buf + pos;
        const uint32_t namesz = get_le32(note);
        const uint32_t descsz = get_le32(note + 4);
        const uint64_t desc = round_up(NOTE_HEADER + (uint64_t)namesz, align);
        if (desc + descsz > len - pos) {
            return 0;
        }
        if (get_le32(note + 8) == NOTE_PHYS32_ENTRY && namesz == 4 &&
            memcmp(note + NOTE_HEADER, "Xen", 4) == 0 && (descsz == 4 || descsz == 8)) {
            *entry = get_le32(note + desc);
            return 1;
        }
        pos += round_up(desc + descsz, align);
    }
    return 0;
}

int pvh_find_entry(struct loader *l, const struct elf *elf, uint32_t *entry)
{
    uint8_t buf[NOTES_MAX];
    for (size_t i = 0; i < elf->count; i++) {
        const struct elf_segment *s = &elf->segments[i];
        if (s->type != PT_NOTE) {
            continue;
        }
        size_t len = s->filesz < NOTES_MAX ? (size_t)s->filesz : NOTES_MAX;
        int rc = image_read(&l->kernel, s->offset, buf, len, l->e);
        if (rc < 0) {
            return rc;
        }
        if (scan_notes(buf, len, s->align == 8 ? 8 : 4, entry)) {
            return 1;
        }
    }
    return 0;
}

static int write_memmap(struct loader *l, size_t *count)
{
    uint8_t map[MEMMAP_MAX * MEMMAP_ENTRY] = {0};
    *count = l->req->map_count < MEMMAP_MAX ? l->req->map_count : MEMMAP_MAX;
    for (size_t i = 0; i < *count; i++) {
        put_le64(map + i * MEMMAP_ENTRY, l->req->map[i].gpa);
        put_le64(map + i * MEMMAP_ENTRY + 8, l->req->map[i].size);
        put_le32(map + i * MEMMAP_ENTRY + 16, l->req->map[i].type);
    }
    return loader_write(l, "memory map", PC_INFO_GPA, map, *count * MEMMAP_ENTRY);
}

static int write_start_info(struct loader *l, uint64_t initrd, uint64_t initrd_size,
                            size_t map_count)
{
    uint8_t info[START_INFO_SIZE + MODULE_SIZE] = {0};
    put_le32(info, START_INFO_MAGIC);
    put_le32(info + 4, 1); /* version */
    put_le64(info + 24, PC_CMDLINE_GPA);
    put_le64(info + 32, l->req->rsdp);
    put_le64(info + 40, PC_INFO_GPA);
    put_le32(info + 48, (uint32_t)map_count);
    if (initrd_size > 0) {
        put_le32(info + 12, 1); /* modules */
        put_le64(info + 16, PC_BOOT_PARAMS_GPA + START_INFO_SIZE);
        put_le64(info + START_INFO_SIZE, initrd);
        put_le64(info + START_INFO_SIZE + 8, initrd_size);
    }
    return loader_write(l, "start_info", PC_BOOT_PARAMS_GPA, info, sizeof(info));
}

int pvh_finish(struct loader *l, const struct elf *elf, uint32_t entry)
{
    uint64_t initrd = 0, initrd_size = 0;
    size_t map_count = 0;
    const struct initrd_rule rule = {.floor = elf->end, .max = UINT32_MAX};
    int rc = elf_check_entry(l, elf, entry);
    if (rc == 0) {
        rc = loader_cmdline(l, l->req->cmdline, UINT64_MAX);
    }
    if (rc == 0) {
        rc = initrd_load(l, &rule, &initrd, &initrd_size);
    }
    if (rc == 0) {
        rc = write_memmap(l, &map_count);
    }
    if (rc == 0) {
        rc = write_start_info(l, initrd, initrd_size, map_count);
    }
    if (rc == 0) {
        rc = loader_gdt(l, BOOT_PROT32);
    }
    l->entry->format = BOOT_ELF_PVH;
    l->entry->ip = entry;
    l->entry->bx = PC_BOOT_PARAMS_GPA;
    return rc;
}
