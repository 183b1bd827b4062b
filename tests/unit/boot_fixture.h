/*
 * For tests of the loaders: a machine with RAM, kernel and initrd files in
 * memory, and small valid kernels of each format to break.
 */
#ifndef TESTS_BOOT_FIXTURE_H
#define TESTS_BOOT_FIXTURE_H

#include "src/arch/x86/memmap.h"
#include "src/base/le.h"
#include "src/boot/boot.h"
#include "tests/unit/fakes.h"

#include <stddef.h>
#include <stdint.h>

/* A file without a name in any folder; it goes with the process. */
struct memory_file {
    int fd;
    char path[32];
};

void memory_file_init(struct memory_file *f, const void *bytes, size_t len);
/* Replace the contents. */
void memory_file_set(struct memory_file *f, const void *bytes, size_t len);
void memory_file_close(struct memory_file *f);

#define BOOT_INITRDS_MAX 4

struct boot_fixture {
    struct fake_machine m;
    struct memmap map;
    struct memory_file kernel;
    struct memory_file initrd[BOOT_INITRDS_MAX];
    const char *initrds[BOOT_INITRDS_MAX];
    struct boot_request req; /* tests change it as they like */
    struct boot_entry entry;
    struct err e;
};

void boot_fixture_init(struct boot_fixture *f, unsigned ram_mib);
void boot_fixture_free(struct boot_fixture *f);
void boot_fixture_initrd(struct boot_fixture *f, const void *bytes, size_t len);
/* boot_load() of these bytes as the kernel; the error is in f->e. */
int boot_fixture_load(struct boot_fixture *f, const void *kernel, size_t len);

/* The load fails with this text in what (or in hint). */
void boot_expect_error(struct boot_fixture *f, const void *kernel, size_t len, const char *text);

/* --- kernels ----------------------------------------------------------- */

#define TEST_KERNEL_MAX 0x4000

/* A file under construction: zeros and what was put there. */
struct test_kernel {
    uint8_t bytes[TEST_KERNEL_MAX];
    size_t len;
};

/*
 * bzImage, protocol 2.15: pref_address 2 MiB, alignment 1 MiB, relocatable,
 * init_size 64 KiB, command line of at most 255 bytes; 0x800 bytes of code at
 * file offset 0x400, each 0xc5.
 */
#define BZ_CODE_OFFSET 0x400
#define BZ_CODE_SIZE   0x800
void make_bzimage(struct test_kernel *k);

/*
 * ELF64 for x86-64 with one segment: 0x100 bytes of 0xe1 at file offset 0x1000,
 * 0x300 in memory, at 1 MiB, which is also the entry. Program header 1 is
 * PT_NULL until make_elf_pvh() turns it into a note with entry 1 MiB + 0x10.
 */
#define ELF_PHDR(n)     (0x40 + (n)*56)
#define ELF_CODE_OFFSET 0x1000
#define ELF_CODE_SIZE   0x100
#define ELF_NOTE_OFFSET 0x200
void make_elf(struct test_kernel *k);
void make_elf_pvh(struct test_kernel *k);

/* The same segment as ELF32 for i386, with a multiboot header in front of the code. */
#define MB_HEADER_OFFSET 0x800
void make_multiboot_elf(struct test_kernel *k);

/* A flat multiboot file: all of it loaded at 1 MiB, header at 0x40, bss behind it. */
#define MB_FLAT_HEADER 0x40
#define MB_FLAT_SIZE   0x500
#define MB_FLAT_BSS    0x200
void make_multiboot_flat(struct test_kernel *k);
/* Make the checksum of the header at offset right again. */
void fix_multiboot(struct test_kernel *k, size_t offset);

#endif
