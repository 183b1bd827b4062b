/*
 * ELF executables: headers, segments, and entry of a vmlinux without a PVH
 * note through Linux's 64-bit protocol. Source: System V ABI, chapters 4 and 5;
 * p_paddr is where a segment goes.
 */
#include "src/arch/x86/map.h"
#include "src/base/le.h"
#include "src/boot/loader.h"
#include "src/mem/dma.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

/* Guest memory the loader itself writes to. */
static const struct range own_areas[] = {
    {.first = 0, .last = PC_BOOT_PARAMS_GPA - 1},
    {.first = PC_INFO_GPA, .last = PC_CMDLINE_GPA + 0xffff},
    {.first = PC_EBDA_GPA, .last = PC_KERNEL_GPA - 1},
    {.first = PC_BOOT_PARAMS_GPA, .last = PC_INFO_GPA - 1}, /* not for multiboot */
};
#define OWN_AREAS (sizeof(own_areas) / sizeof(own_areas[0]))

static void parse_segment(const struct elf *elf, const uint8_t *p, struct elf_segment *s)
{
    if (elf->is64) {
        *s = (struct elf_segment){
            .type = get_le32(p + offsetof(Elf64_Phdr, p_type)),
            .offset = get_le64(p + offsetof(Elf64_Phdr, p_offset)),
            .filesz = get_le64(p + offsetof(Elf64_Phdr, p_filesz)),
            .paddr = get_le64(p + offsetof(Elf64_Phdr, p_paddr)),
            .memsz = get_le64(p + offsetof(Elf64_Phdr, p_memsz)),
            .align = get_le64(p + offsetof(Elf64_Phdr, p_align)),
        };
    } else {
        *s = (struct elf_segment){
            .type = get_le32(p + offsetof(Elf32_Phdr, p_type)),
            .offset = get_le32(p + offsetof(Elf32_Phdr, p_offset)),
            .filesz = get_le32(p + offsetof(Elf32_Phdr, p_filesz)),
            .paddr = get_le32(p + offsetof(Elf32_Phdr, p_paddr)),
            .memsz = get_le32(p + offsetof(Elf32_Phdr, p_memsz)),
            .align = get_le32(p + offsetof(Elf32_Phdr, p_align)),
        };
    }
}

/* All of the segment is RAM? Asked before anything is copied. */
static int check_room(struct loader *l, const struct elf_segment *s)
{
    struct iovec iov[LOADER_PIECES];
    if (dma_map(l->req->mem, s->paddr, s->memsz, true, iov, LOADER_PIECES) >= 0) {
        return 0;
    }
    int rc = loader_err(l, ENOMEM,
                        "wants 0x%" PRIx64 " bytes of memory at 0x%" PRIx64 ", which is not RAM; "
                        "--memory has %" PRIu64 " MiB",
                        s->memsz, s->paddr, loader_ram_mib(l));
    if (s->paddr + s->memsz <= PC_LOW_RAM_MAX) {
        err_hint(l->e, "try --memory %" PRIu64 "M or more", ((s->paddr + s->memsz) >> 20) + 64);
    }
    return rc;
}

static int check_load_segment(struct loader *l, const struct elf *elf, size_t n)
{
    const struct elf_segment *s = &elf->segments[n];
    struct range r, other;
    if (s->filesz > s->memsz) {
        return loader_err(l, ENOEXEC, "segment %zu has more bytes in the file than in memory", n);
    }
    if (!range_from_size(s->paddr, s->memsz, &r)) {
        return loader_err(l, ENOEXEC, "segment %zu (0x%" PRIx64 " bytes at 0x%" PRIx64 ") wraps", n,
                          s->memsz, s->paddr);
    }
    for (size_t i = 0; i < OWN_AREAS - elf->multiboot; i++) {
        if (range_overlaps(r, own_areas[i])) {
            int rc = loader_err(l, ENOEXEC,
                                "segment %zu at 0x%" PRIx64 " lies where vmm puts boot tables", n,
                                s->paddr);
            err_hint(l->e, "link it at 1 MiB or above");
            return rc;
        }
    }
    for (size_t i = 0; i < n; i++) {
        const struct elf_segment *o = &elf->segments[i];
        if (o->type == PT_LOAD && range_from_size(o->paddr, o->memsz, &other) &&
            range_overlaps(r, other)) {
            return loader_err(l, ENOEXEC, "segments %zu and %zu overlap", i, n);
        }
    }
    return check_room(l, s);
}

/* Checks one program header; PT_LOAD ones extend elf->end. */
static int check_segment(struct loader *l, struct elf *elf, size_t n)
{
    const struct elf_segment *s = &elf->segments[n];
    if (s->type == PT_INTERP) {
        return loader_err(l, ENOEXEC, "is a program for an operating system, not a kernel");
    }
    if (s->type != PT_LOAD && s->type != PT_NOTE) {
        return 0;
    }
    if (s->offset > l->kernel.size || s->filesz > l->kernel.size - s->offset) {
        return loader_err(l, ENOEXEC,
                          "truncated, segment %zu (0x%" PRIx64 " bytes at offset 0x%" PRIx64
                          ") reaches past the end of the file",
                          n, s->filesz, s->offset);
    }
    if (s->type == PT_NOTE || s->memsz == 0) {
        return 0;
    }
    int rc = check_load_segment(l, elf, n);
    if (rc == 0 && s->paddr + s->memsz > elf->end) {
        elf->end = s->paddr + s->memsz;
    }
    return rc;
}

static int parse_header(struct loader *l, struct elf *elf, uint64_t *phoff)
{
    const uint8_t *h = l->head;
    elf->is64 = h[EI_CLASS] == ELFCLASS64;
    const size_t header_size = elf->is64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
    const size_t entry_size = elf->is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    if (l->head_len < header_size) {
        return loader_err(l, ENOEXEC, "truncated inside its ELF header");
    }
    const unsigned type = get_le16(h + offsetof(Elf64_Ehdr, e_type));
    if (type != ET_EXEC && type != ET_DYN) {
        return loader_err(l, ENOEXEC, "is an ELF %s, not an executable",
                          type == ET_REL    ? "object file or kernel module"
                          : type == ET_CORE ? "core dump"
                                            : "file of unknown type");
    }
    if (elf->is64) {
        elf->entry = get_le64(h + offsetof(Elf64_Ehdr, e_entry));
        *phoff = get_le64(h + offsetof(Elf64_Ehdr, e_phoff));
    } else {
        elf->entry = get_le32(h + offsetof(Elf32_Ehdr, e_entry));
        *phoff = get_le32(h + offsetof(Elf32_Ehdr, e_phoff));
    }
    const uint8_t *sizes =
        h + (elf->is64 ? offsetof(Elf64_Ehdr, e_phentsize) : offsetof(Elf32_Ehdr, e_phentsize));
    elf->count = get_le16(sizes + 2);
    if (elf->count == 0 || elf->count > ELF_MAX_SEGMENTS || get_le16(sizes) != entry_size) {
        return loader_err(l, ENOEXEC,
                          "has %zu program headers of %u bytes, vmm takes 1 to %d of %zu",
                          elf->count, get_le16(sizes), ELF_MAX_SEGMENTS, entry_size);
    }
    return 0;
}

int elf_parse(struct loader *l, struct elf *elf)
{
    uint8_t table[ELF_MAX_SEGMENTS * sizeof(Elf64_Phdr)];
    uint64_t phoff = 0;
    int rc = parse_header(l, elf, &phoff);
    if (rc < 0) {
        return rc;
    }
    const size_t entry_size = elf->is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    rc = image_read(&l->kernel, phoff, table, elf->count * entry_size, l->e);
    for (size_t i = 0; rc == 0 && i < elf->count; i++) {
        parse_segment(elf, table + i * entry_size, &elf->segments[i]);
        rc = check_segment(l, elf, i);
    }
    if (rc == 0 && elf->end == 0) {
        rc = loader_err(l, ENOEXEC, "has no segment to load");
    }
    return rc;
}

int elf_load_segments(struct loader *l, const struct elf *elf)
{
    for (size_t i = 0; i < elf->count; i++) {
        const struct elf_segment *s = &elf->segments[i];
        if (s->type != PT_LOAD || s->memsz == 0) {
            continue;
        }
        int rc = image_load(&l->kernel, s->offset, l->req->mem, s->paddr, s->filesz, l->e);
        if (rc == 0) {
            rc = loader_zero(l, s->paddr + s->filesz, s->memsz - s->filesz);
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int elf_check_entry(struct loader *l, const struct elf *elf, uint64_t gpa)
{
    for (size_t i = 0; i < elf->count; i++) {
        const struct elf_segment *s = &elf->segments[i];
        struct range r;
        if (s->type == PT_LOAD && range_from_size(s->paddr, s->memsz, &r) &&
            range_contains(r, gpa)) {
            return 0;
        }
    }
    return loader_err(l, ENOEXEC, "its entry point 0x%" PRIx64 " is in none of its segments", gpa);
}

/* The 64-bit protocol wants a setup header, which only a bzImage brings along. */
static void fill_setup_header(uint8_t *params)
{
    put_le16(params + 0x1fe, 0xaa55);
    memcpy(params + 0x202, "HdrS", 4);
    put_le16(params + 0x206, 0x020f); /* boot protocol 2.15 */
    params[0x210] = 0xff;             /* type_of_loader: none of the listed */
    params[0x211] = 1;                /* loadflags: LOADED_HIGH */
}

static int enter_linux64(struct loader *l, const struct elf *elf)
{
    uint64_t initrd = 0, initrd_size = 0;
    const struct initrd_rule rule = {.floor = elf->end, .max = UINT32_MAX};
    int rc = elf_check_entry(l, elf, elf->entry);
    if (rc == 0) {
        rc = loader_cmdline(l, l->req->cmdline, UINT64_MAX);
    }
    if (rc == 0) {
        rc = initrd_load(l, &rule, &initrd, &initrd_size);
    }
    if (rc < 0) {
        return rc;
    }
    uint8_t params[BOOT_PARAMS_SIZE] = {0};
    fill_setup_header(params);
    l->entry->format = BOOT_ELF_LINUX;
    return boot_params_finish(l, params, initrd, initrd_size, elf->entry);
}

int load_elf(struct loader *l)
{
    struct elf elf = {0};
    uint32_t pvh_entry = 0;
    int rc = elf_parse(l, &elf);
    if (rc < 0) {
        return rc;
    }
    const int pvh = pvh_find_entry(l, &elf, &pvh_entry);
    if (pvh < 0) {
        return pvh;
    }
    if (pvh == 0 && !elf.is64) {
        rc = loader_err(l, ENOEXEC,
                        "is a 32-bit ELF with neither a PVH note nor a multiboot header");
        err_hint(l->e, "pass a 64-bit vmlinux or a bzImage");
        return rc;
    }
    rc = elf_load_segments(l, &elf);
    if (rc < 0) {
        return rc;
    }
    return pvh ? pvh_finish(l, &elf, pvh_entry) : enter_linux64(l, &elf);
}
