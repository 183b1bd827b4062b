/*
 * Reading ELF files: see elf.h.
 */
#include "src/exec/elf.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
const char elf_own_name[] = "x86-64";
const char elf_own_triple[] = "x86_64-linux-gnu";
#else
#define OWN_MACHINE EM_AARCH64
const char elf_own_name[] = "arm64";
const char elf_own_triple[] = "aarch64-linux-gnu";
#endif

#define SEGMENTS_MAX 256
#define INTERP_MAX   4096
#define DYNAMIC_MAX  (1U << 20)
#define STRINGS_MAX  (16U << 20)

bool elf_info_fits(const struct elf_info *info)
{
    return info->is_elf && info->is64 && !info->big_endian && info->machine == OWN_MACHINE;
}

const char *elf_machine_name(const struct elf_info *info, char text[static 32])
{
    switch (info->machine) {
    case EM_X86_64:
        return info->is64 ? "x86-64" : "x32";
    case EM_AARCH64:
        return info->big_endian ? "big-endian arm64" : "arm64";
    case EM_386:
        return "i386";
    case EM_ARM:
        return "32-bit arm";
    case EM_RISCV:
        return "RISC-V";
    default:
        snprintf(text, 32, "machine %u", info->machine);
        return text;
    }
}

/* --- the file ------------------------------------------------------------- */

struct file {
    int fd;
    const char *path;
    struct err *e;
    Elf64_Phdr segments[SEGMENTS_MAX];
    size_t count;
};

static int broken(const struct file *f, const char *what)
{
    return err_set(f->e, ENOEXEC, "%s is a broken ELF file: %s", f->path, what);
}

/* All of the range, or false. */
static bool read_at(const struct file *f, void *buf, size_t len, uint64_t offset)
{
    return offset <= INT64_MAX - len && pread(f->fd, buf, len, (off_t)offset) == (ssize_t)len;
}

static int read_segments(struct file *f, const Elf64_Ehdr *h)
{
    if (h->e_phnum == 0) {
        return 0;
    }
    if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum > SEGMENTS_MAX) {
        return broken(f, "its program headers have another size, or are too many");
    }
    f->count = h->e_phnum;
    return read_at(f, f->segments, f->count * sizeof(Elf64_Phdr), h->e_phoff)
               ? 0
               : broken(f, "it ends before its program headers do");
}

static const Elf64_Phdr *find_segment(const struct file *f, uint32_t type)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->segments[i].p_type == type) {
            return &f->segments[i];
        }
    }
    return NULL;
}

/* The offset in the file of len bytes at a virtual address. */
static bool find_offset(const struct file *f, uint64_t vaddr, uint64_t len, uint64_t *offset)
{
    for (size_t i = 0; i < f->count; i++) {
        const Elf64_Phdr *p = &f->segments[i];

        if (p->p_type == PT_LOAD && vaddr >= p->p_vaddr && vaddr - p->p_vaddr < p->p_filesz &&
            len <= p->p_filesz - (vaddr - p->p_vaddr)) {
            *offset = p->p_offset + (vaddr - p->p_vaddr);
            return *offset >= p->p_offset;
        }
    }
    return false;
}

/* len bytes of the file and a NUL, on the heap; NULL with f->e set. */
static void *load(const struct file *f, uint64_t offset, uint64_t len, uint64_t max,
                  const char *what)
{
    char *bytes = len <= max ? malloc(len + 1) : NULL;

    if (bytes == NULL || !read_at(f, bytes, len, offset)) {
        free(bytes);
        broken(f, what);
        return NULL;
    }
    bytes[len] = '\0';
    return bytes;
}

/* --- the dynamic section ---------------------------------------------------- */

struct strings {
    uint64_t vaddr, size;
};

static struct strings find_strings(const Elf64_Dyn *dyn, size_t count)
{
    struct strings s = {0, 0};

    for (size_t i = 0; i < count && dyn[i].d_tag != DT_NULL; i++) {
        if (dyn[i].d_tag == DT_STRTAB) {
            s.vaddr = dyn[i].d_un.d_ptr;
        } else if (dyn[i].d_tag == DT_STRSZ) {
            s.size = dyn[i].d_un.d_val;
        }
    }
    return s;
}

/* Where the value of an entry that is a string goes; NULL: it is none that matters. */
static const char **place_of(struct elf_info *info, int64_t tag)
{
    switch (tag) {
    case DT_NEEDED:
        return &info->needed[info->needed_count++];
    case DT_RPATH:
        return &info->rpath;
    case DT_RUNPATH:
        return &info->runpath;
    case DT_SONAME:
        return &info->soname;
    default:
        return NULL;
    }
}

static int take_entries(const struct file *f, struct elf_info *info, const Elf64_Dyn *dyn,
                        size_t count)
{
    const struct strings s = find_strings(dyn, count);
    uint64_t offset;

    if (!find_offset(f, s.vaddr, s.size, &offset)) {
        return s.size == 0 ? 0 : broken(f, "its string table is in no segment");
    }
    info->strings = load(f, offset, s.size, STRINGS_MAX, "its string table is too long");
    if (info->strings == NULL) {
        return -ENOEXEC;
    }
    for (size_t i = 0; i < count && dyn[i].d_tag != DT_NULL; i++) {
        if (dyn[i].d_tag == DT_NEEDED && info->needed_count == ELF_NEEDED_MAX) {
            return err_set(f->e, ENOEXEC, "%s needs more than %d libraries", f->path,
                           ELF_NEEDED_MAX);
        }
        const char **place = place_of(info, dyn[i].d_tag);

        if (place != NULL && dyn[i].d_un.d_val >= s.size) {
            return broken(f, "a name is outside its string table");
        }
        if (place != NULL) {
            *place = info->strings + dyn[i].d_un.d_val;
        }
    }
    return 0;
}

static int read_dynamic(const struct file *f, struct elf_info *info)
{
    const Elf64_Phdr *p = find_segment(f, PT_DYNAMIC);
    Elf64_Dyn *dyn;
    int ret;

    if (p == NULL) {
        return 0;
    }
    dyn = load(f, p->p_offset, p->p_filesz, DYNAMIC_MAX, "its dynamic section is cut off");
    if (dyn == NULL) {
        return -ENOEXEC;
    }
    ret = take_entries(f, info, dyn, p->p_filesz / sizeof(*dyn));
    free(dyn);
    return ret;
}

static int read_interp(const struct file *f, struct elf_info *info)
{
    const Elf64_Phdr *p = find_segment(f, PT_INTERP);

    if (p == NULL) {
        return 0;
    }
    info->interp =
        load(f, p->p_offset, p->p_filesz, INTERP_MAX, "its interpreter's name is cut off");
    if (info->interp == NULL) {
        return -ENOEXEC;
    }
    return info->interp[0] == '/' ? 0 : broken(f, "its interpreter's name is no absolute path");
}

/* --- the whole --------------------------------------------------------------- */

/* What is at the same place in all ELF headers. */
static bool read_head(struct elf_info *info, int fd, Elf64_Ehdr *h)
{
    enum { COMMON = offsetof(Elf64_Ehdr, e_version) };
    const ssize_t n = pread(fd, h, sizeof(*h), 0);

    if (n < COMMON || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0) {
        return false;
    }
    info->is_elf = true;
    info->is64 = h->e_ident[EI_CLASS] == ELFCLASS64;
    info->big_endian = h->e_ident[EI_DATA] == ELFDATA2MSB;
    info->machine =
        info->big_endian ? (uint16_t)(h->e_machine << 8 | h->e_machine >> 8) : h->e_machine;
    info->type = h->e_type;
    return true;
}

int elf_info_read(struct elf_info *info, int fd, const char *path, struct err *e)
{
    struct file *f;
    Elf64_Ehdr h = {0};
    int ret;

    *info = (struct elf_info){0};
    if (!read_head(info, fd, &h) || !elf_info_fits(info)) {
        return 0;
    }
    f = calloc(1, sizeof(*f));
    if (f == NULL) {
        return err_set(e, ENOMEM, "out of memory");
    }
    *f = (struct file){.fd = fd, .path = path, .e = e};
    ret = read_segments(f, &h);
    if (ret == 0) {
        ret = read_interp(f, info);
    }
    if (ret == 0) {
        ret = read_dynamic(f, info);
    }
    free(f);
    return ret;
}

void elf_info_free(struct elf_info *info)
{
    free(info->interp);
    free(info->strings);
    *info = (struct elf_info){0};
}
