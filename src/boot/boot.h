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
    BOOT_FLAT,      /* real-mode image at 0000:7c00 */
};

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
    const char *kernel;
    const char *const *initrds;
    size_t initrd_count;
    const char *cmdline; /* for Linux: complete; never NULL */
    const char *append;  /* for others: only what the user gave; never NULL */
    struct aspace *mem;
    const struct mem_area *map; /* sorted; the e820 the guest gets */
    size_t map_count;
    uint64_t low_ram_end; /* first gpa after the RAM below 4 GiB */
    uint64_t rsdp;        /* 0: no ACPI */
    bool ram_is_zero;     /* RAM is fresh: what must be zero already is */
};

enum boot_mode {
    BOOT_REAL16, /* cs:ip = 0:ip, A20 on */
    BOOT_PROT32, /* paging off, flat segments */
    BOOT_LONG64, /* paging on, cr3 set, flat segments */
};

/* Start state of the boot CPU; registers not named are 0. */
struct boot_entry {
    enum boot_format format;
    enum boot_mode mode;
    uint64_t ip;
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

#endif
