/*
 * What the loaders of src/boot share; nothing outside includes this.
 *
 * A loader is a function load_<format>(): it checks its file, copies it into
 * guest RAM, writes what the entry protocol wants beside it and fills the
 * boot_entry. All files are hostile: offsets and lengths are checked against
 * the file where they are read (image_*), addresses against RAM where they are
 * written (loader_write, image_load).
 */
#ifndef BOOT_LOADER_H
#define BOOT_LOADER_H

#include "src/base/range.h"
#include "src/boot/boot.h"

/* RAM is one or two ranges; more pieces than this means something is mapped over it. */
#define LOADER_PIECES 8

/* --- files (image.c) --------------------------------------------------- */

struct image {
    const char *role; /* "kernel", "initrd": begins every message */
    const char *path;
    int fd;
    uint64_t size; /* bytes, when it was opened */
};

/* Open a regular, non-empty file. -errno with the reason. */
int image_open(struct image *img, const char *role, const char *path, struct err *e);
void image_close(struct image *img);

/* Record "<role> <path>: <text>"; returns -code. */
int image_err(const struct image *img, struct err *e, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Exactly len bytes at off; less is -EIO. */
int image_read(const struct image *img, uint64_t off, void *buf, size_t len, struct err *e);

/* Copy len bytes at off straight into guest RAM at gpa, which must hold them all. len 0: nothing.
 */
int image_load(const struct image *img, uint64_t off, struct aspace *mem, uint64_t gpa,
               uint64_t len, struct err *e);

/* --- one load ---------------------------------------------------------- */

/* Multiboot puts its header in the first 8 KiB; every other magic number is nearer. */
#define LOADER_HEAD_SIZE 8192

struct loader {
    const struct boot_request *req;
    struct boot_entry *entry;
    struct err *e;
    struct image kernel;
    size_t head_len;
    uint8_t head[LOADER_HEAD_SIZE]; /* the file's first bytes; zeros past head_len */
};

struct boot_arch {
    const char *name;    /* "x86-64" */
    const char *kernels; /* what it takes, for hints: "a bzImage, ..." */
    /* Which loader takes the file; -ENOEXEC with what the file is instead. */
    int (*detect)(struct loader *l, int (**load)(struct loader *l));
    const struct image_rules *image; /* where Linux's kernels are Images; else NULL */
};

int load_bzimage(struct loader *l);
int load_elf(struct loader *l);
int load_multiboot(struct loader *l);
int load_flat(struct loader *l);

/* --- detection (detect.c) ---------------------------------------------- */

/* Are the bytes at offset in the head? False where the file ends before. */
bool detect_bytes(const struct loader *l, size_t offset, const char *bytes, size_t len);

/* -ENOEXEC if the file is one that some other program takes, or text; 0: nobody knows it. */
int detect_other(struct loader *l);

/* -ENOEXEC for an ELF file that is none of the architecture: what it is for. */
int detect_foreign_elf(struct loader *l, bool big_endian, unsigned machine);

/* Hint that the file is for another architecture than this one. */
void detect_hint_arch(struct loader *l);

/* Offset of a valid multiboot 1 header in head (at least its first 12 bytes), or -1. */
#define MULTIBOOT_HAS_ADDRESS 0x00010000U /* flag, at offset 4 in the header */
long multiboot_find_header(const uint8_t *head, size_t len);

/* --- shared pieces (boot.c) -------------------------------------------- */

/* Record "kernel <path>: <text>"; returns -code. */
#define loader_err(l, code, ...) image_err(&(l)->kernel, (l)->e, (code), __VA_ARGS__)

/* Bytes the loader made itself; what names them in an error. */
int loader_write(struct loader *l, const char *what, uint64_t gpa, const void *buf, size_t len);

/* Make [gpa, gpa+len) zero, unless all of RAM is. */
int loader_zero(struct loader *l, uint64_t gpa, uint64_t len);

/* RAM in MiB, for messages. */
uint64_t loader_ram_mib(const struct loader *l);

/* --- pieces for x86 (pieces.c) ----------------------------------------- */

/* Put the command line at PC_CMDLINE_GPA; max: bytes the kernel takes, without the NUL. */
int loader_cmdline(struct loader *l, const char *cmdline, uint64_t max);

/* GDT at PC_GDT_GPA for the entry's mode; sets mode and gdt fields. */
int loader_gdt(struct loader *l, enum boot_mode mode);

/* Identity map of the first 4 GiB at PC_PAGE_TABLES_GPA; sets cr3. */
int loader_page_tables(struct loader *l);

/* --- initrds (initrd.c) ------------------------------------------------ */

struct initrd_rule {
    uint64_t floor;   /* first usable gpa (behind the kernel) */
    uint64_t max;     /* last usable gpa below 4 GiB */
    bool above_4g_ok; /* may lie above 4 GiB if there is no room below */
};

/* Load all initrds as one, each at a multiple of 4 bytes. None: size 0. */
int initrd_load(struct loader *l, const struct initrd_rule *rule, uint64_t *gpa, uint64_t *size);

/* --- Images (linux_image.c) ---------------------------------------------- */

/* What architectures with the same header differ in. */
struct image_rules {
    const char *magic;   /* the four bytes at offset 56 */
    uint64_t old_offset; /* text_offset of an Image that does not say its size */
    uint64_t
        flat_offset;    /* where a flat image goes, from the start of RAM; its tree is before it */
    uint64_t fdt_limit; /* from there on some kernels do not see a tree */
    unsigned cmdline_max;            /* bytes, without the NUL */
    int (*reject)(struct loader *l); /* -ENOEXEC: the head is of something else */
};

/* Is the head an Image of this architecture? */
bool linux_image_detect(const struct loader *l);

/* An Image or a flat image, either may be packed; initrds and the place of the tree. */
int load_linux_image(struct loader *l);

/* --- gzip (gunzip.c) ---------------------------------------------------- */

/* Unpacks the kernel file from its beginning on. */
struct gunzip;

/* Is the head that of a packed file? */
bool gunzip_can(const struct loader *l);

struct gunzip *gunzip_start(struct loader *l); /* NULL: out of memory; l->e says so */
/* The next len bytes, or fewer where the data ends; *got: how many. */
int gunzip(struct gunzip *gz, uint8_t *out, uint64_t len, uint64_t *got);
void gunzip_end(struct gunzip *gz);

/* --- Linux's zero page (boot_params.c) --------------------------------- */

#define BOOT_PARAMS_SIZE 4096

/*
 * Fill memory map, ACPI, initrd and command line into params,
 * whose setup header the caller has filled, and write it to guest memory; then
 * set the entry state of the 64-bit protocol.
 */
int boot_params_finish(struct loader *l, uint8_t *params, uint64_t initrd, uint64_t initrd_size,
                       uint64_t ip);

/* --- ELF (elf.c) -------------------------------------------------------- */

#define ELF_MAX_SEGMENTS 128

struct elf_segment {
    uint32_t type;
    uint64_t offset, filesz; /* inside the file: checked */
    uint64_t paddr, memsz;   /* do not wrap; filesz <= memsz: checked for PT_LOAD */
    uint64_t align;
};

struct elf {
    bool
        multiboot; /* set by the caller: what lies from PC_BOOT_PARAMS_GPA to PC_INFO_GPA is free */
    bool is64;
    uint64_t entry;
    uint64_t end; /* first gpa after the loaded segments */
    size_t count;
    struct elf_segment segments[ELF_MAX_SEGMENTS];
};

/* Read and check the headers of l->kernel into elf, all zero before but for multiboot. */
int elf_parse(struct loader *l, struct elf *elf);

/* Copy the PT_LOAD segments to their physical addresses, clear what the file does not fill. */
int elf_load_segments(struct loader *l, const struct elf *elf);

/* 0 if gpa lies in a loaded segment, else -ENOEXEC. */
int elf_check_entry(struct loader *l, const struct elf *elf, uint64_t gpa);

/* 1 and *entry if there is a Xen PHYS32_ENTRY note, 0 if not, -errno. (pvh.c) */
int pvh_find_entry(struct loader *l, const struct elf *elf, uint32_t *entry);

/* Enter a loaded ELF through PVH. (pvh.c) */
int pvh_finish(struct loader *l, const struct elf *elf, uint32_t entry);

#endif
