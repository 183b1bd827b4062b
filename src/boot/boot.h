/*
 * Loading a kernel: from files on the host to bytes in guest RAM and a start
 * state of the boot CPU. The format is detected from the file's first bytes.
 *
 * Locking: none; set-up runs on one thread before any vCPU.
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include "src/base/err.h"
#include "src/mem/aspace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum boot_format {
    BOOT_BZIMAGE,   /* Linux/x86 boot protocol, 64-bit entry */
    BOOT_ELF_PVH,   /* ELF with XEN_ELFNOTE_PHYS32_ENTRY */
    BOOT_ELF_LINUX, /* ELF vmlinux without the note: 64-bit entry */
    BOOT_MULTIBOOT, /* multiboot 1 */
    BOOT_FLAT,      /* x86: real-mode image at 0000:7c00; arm64: raw, 512 KiB into RAM */
    BOOT_IMAGE,     /* Linux Image, of arm64 */
};

/* The formats of an architecture. */
struct boot_arch;
extern const struct boot_arch boot_x86;   /* src/boot/detect_x86.c */
extern const struct boot_arch boot_arm64; /* src/boot/linux_arm64.c */

/* What kind of memory a guest-physical range is (numbers as in e820). */
enum mem_type {
    MEM_RAM = 1,
    MEM_RESERVED = 2,
};

struct mem_area {
    uint64_t gpa;
    uint64_t size;
    enum mem_type type;
};

/* What the board knows before loading. All borrowed for the call. */
struct boot_request {
    const struct boot_arch *arch;
    const char *kernel;
    const char *const *initrds;
    size_t initrd_count;
    const char *last_initrd; /* one more, after these; NULL: none */
    const char *cmdline;     /* for Linux: complete; never NULL */
    const char *append;      /* for others: only what the user gave; never NULL */
    struct aspace *mem;
    const struct mem_area *map; /* x86: sorted; the e820 the guest gets */
    size_t map_count;
    uint64_t ram_base;    /* first gpa of RAM */
    uint64_t low_ram_end; /* first gpa after the RAM that begins there */
    uint64_t rsdp;        /* 0: no ACPI */
    bool ram_is_zero;     /* RAM is fresh: what must be zero already is */
};

enum boot_mode {
    BOOT_REAL16, /* cs:ip, A20 on */
    BOOT_PROT32, /* paging off, flat segments */
    BOOT_LONG64, /* paging on, cr3 set, flat segments */
    BOOT_EL1,    /* arm64: EL1, MMU off */
};

/* Start state of the boot CPU; registers not named are 0. */
struct boot_entry {
    enum boot_format format;
    uint64_t ip;
    /* arm64: x0, where the device tree goes, 2 MiB aligned; the board writes it, once it knows
     * where the initrd is. */
    uint64_t fdt;
    uint64_t fdt_max;  /* bytes there are for it */
    uint64_t fdt_copy; /* it goes here too; 0: only there */
    uint64_t initrd, initrd_size;
    /* x86 */
    enum boot_mode mode;
    uint16_t cs; /* BOOT_REAL16 */
    uint64_t sp;
    uint64_t ax, bx, si;
    uint64_t cr3; /* BOOT_LONG64 */
    uint64_t
        gdt; /* gpa of the GDT whose selectors are 0x10 code, 0x18 data, 0x20 TSS; 0 in real mode */
    uint16_t gdt_limit;
};

/*
 * Detect, check and load kernel and initrds; build what the entry protocol
 * wants (boot_params, start_info, multiboot info, GDT, page tables). Errors
 * name the file, what is wrong with it and, where it helps, what to do.
 */
int boot_load(const struct boot_request *req, struct boot_entry *entry, struct err *e);

/*
 * x86: the start state for code that somebody has put at gpa, and what its mode wants in memory
 * (GDT, page tables). The stack is below the code. -EINVAL: a mode of another architecture, or a
 * gpa that the mode does not reach.
 */
int boot_enter(struct aspace *mem, enum boot_mode mode, uint64_t gpa, struct boot_entry *entry,
               struct err *e);

#endif
