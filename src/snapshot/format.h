/*
 * The snapshot file. Everything in it is little-endian.
 *
 *     header     64 bytes
 *     sections   small ones at multiples of 8; guest RAM at multiples of 64 KiB, so that
 *                a host of any page size can map it
 *     table      48 bytes for each section; the file ends with it
 *
 *     header: 0 magic   8 version u32   12 architecture u32   16 size of the file u64
 *             24 offset of the table u64   32 sections u32   36 zero u32
 *             40 XXH64 of the table u64   48 zero u64   56 XXH64 of the bytes before u64
 *     entry:  0 type u32   4 version u32   8 index u32   12 zero u32   16 offset u64
 *             24 length u64   32 address u64 (of RAM)   40 XXH64 of the contents u64
 *
 * The header is written last, so a file without one was never finished.
 *
 * docs/snapshots.md says what is in the sections.
 */
#ifndef SNAPSHOT_FORMAT_H
#define SNAPSHOT_FORMAT_H

#include <stdint.h>

#define SNAPSHOT_MAGIC   "\x89VMMSNP\n" /* 8 bytes; no text, and changed by what converts text */
#define SNAPSHOT_VERSION 2              /* 1, which had no pm and testdev, was never released */

#define SNAPSHOT_HEADER_SIZE  64
#define SNAPSHOT_ENTRY_SIZE   48
#define SNAPSHOT_ALIGN        8
#define SNAPSHOT_RAM_ALIGN    65536
#define SNAPSHOT_SECTIONS_MAX 65536
#define SNAPSHOT_STATE_MAX    (16U << 20) /* bytes of a section that is not RAM */

enum {
    HEADER_VERSION = 8,
    HEADER_ARCH = 12,
    HEADER_FILE_SIZE = 16,
    HEADER_TABLE = 24,
    HEADER_SECTIONS = 32,
    HEADER_TABLE_SUM = 40,
    HEADER_SUM = 56,
};

enum {
    ENTRY_TYPE = 0,
    ENTRY_VERSION = 4,
    ENTRY_INDEX = 8,
    ENTRY_OFFSET = 16,
    ENTRY_LENGTH = 24,
    ENTRY_ADDRESS = 32,
    ENTRY_SUM = 40,
};

enum snapshot_arch {
    SNAPSHOT_X86_64 = 1,
    SNAPSHOT_ARM64 = 2,
};

#ifdef __aarch64__
#define SNAPSHOT_ARCH SNAPSHOT_ARM64
#else
#define SNAPSHOT_ARCH SNAPSHOT_X86_64
#endif

/* Types of sections, and the version of each that this vmm writes and the newest it reads. */
enum snapshot_type {
    SECTION_MACHINE = 1, /* what it is made of: describe.h */
    SECTION_CPU = 2,     /* what the guest was told of its processors */
    SECTION_VM = 3,      /* interrupt controllers, clocks */
    SECTION_VCPU = 4,    /* index: which */
    SECTION_DEVICE = 5,  /* index: in the order of creation */
    SECTION_RAM = 6,     /* address: offset in guest RAM; what no section holds is zero */
    SECTION_TYPES,
};
#define SNAPSHOT_SECTION_VERSION 1

#endif
