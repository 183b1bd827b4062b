/*
 * virtio-blk: configuration, every kind of request and what is wrong with it,
 * framing, notification, and a random history against a model of the disk.
 */
#include "src/base/le.h"
#include "tests/unit/fake_driver.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, WRITE_ZEROES = 13 };

#define SIZE    (1 << 20)
#define SECTORS (SIZE / 512)
#define ALL                                                                                        \
    (BLK_F_SIZE_MAX | BLK_F_SEG_MAX | BLK_F_FLUSH | BLK_F_CONFIG_WCE | BLK_F_DISCARD |             \
     BLK_F_WRITE_ZEROES | VIRTIO_F_RING_INDIRECT_DESC)

static struct fake_block disk;
static struct fake_driver t;

static void setup(void)
{
    fake_block_init(&disk, SIZE, false);
    drv_init(&t, &disk, "serial=12345678901234567890");
    drv_start(&t, ALL);
}

static void setup_ro(void)
{
    fake_block_init(&disk, SIZE, true);
    drv_init(&t, &disk, NULL);
    drv_start(&t, BLK_F_RO | BLK_F_FLUSH);
}

static void teardown(void)
{
    drv_free(&t);
    fake_block_free(&disk);
}

TestSuite(blk, .init = setup, .fini = teardown);
TestSuite(blk_ro, .init = setup_ro, .fini = teardown);

static uint32_t config(uint32_t offset, unsigned size)
{
    return (uint32_t)fake_read(t.machine.mem, DRV_BASE + R_CONFIG + offset, size);
}

/* --- configuration ------------------------------------------------------------- */

Test(blk, configuration)
{
    cr_expect_eq(config(0, 4), SECTORS);
    cr_expect_eq(config(4, 4), 0);
    cr_expect_eq(config(8, 4), BLK_SIZE_MAX);
    cr_expect_eq(config(12, 4), 254);
    cr_expect_eq(config(16, 2), SECTORS / (16 * 63));
    cr_expect_eq(config(18, 1), 16);
    cr_expect_eq(config(19, 1), 63);
    cr_expect_eq(config(20, 4), 512);
    cr_expect_eq(config(24, 1), 3); /* 4 KiB */
    cr_expect_eq(config(26, 2), 8);
    cr_expect_eq(config(36, 4), BLK_DISCARD_SECTORS_MAX);
    cr_expect_eq(config(40, 4), BLK_RANGES_MAX);
    cr_expect_eq(config(44, 4), 8);
    cr_expect_eq(config(48, 4), BLK_ZEROES_SECTORS_MAX);
    cr_expect_eq(config(52, 4), BLK_RANGES_MAX);
    cr_expect_eq(config(56, 1), 1);
    for (uint32_t off = 60; off < 256; off += 4) {
        cr_expect_eq(config(off, 4), 0);
    }
}

Test(blk, geometry_of_a_huge_disk_is_cut)
{
    struct fake_block huge;
    struct fake_driver h;
    fake_block_init(&huge, 512, false);
    huge.block.size = 1ULL << 50;
    drv_init(&h, &huge, NULL);
    cr_expect_eq(fake_read(h.machine.mem, DRV_BASE + R_CONFIG + 4, 4), 1 << (50 - 9 - 32));
    cr_expect_eq(fake_read(h.machine.mem, DRV_BASE + R_CONFIG + 16, 2), 65535);
    drv_free(&h);
    fake_block_free(&huge);
}

Test(blk, only_writeback_can_be_written)
{
    uint32_t generation = drv_get(&t, R_GENERATION);
    uint64_t before = drv_errors(&t);
    for (uint32_t off = 0; off < 256; off++) {
        if (off != 32) {
            fake_write(t.machine.mem, DRV_BASE + R_CONFIG + off, 0xff, 1);
        }
    }
    fake_write(t.machine.mem, DRV_BASE + R_CONFIG + 32, 0, 4);
    cr_expect_eq(drv_errors(&t), before + 256);
    cr_expect_eq(config(0, 4), SECTORS);
    cr_expect_eq(config(32, 1), 1);
    cr_expect_eq(drv_get(&t, R_GENERATION), generation);
    fake_write(t.machine.mem, DRV_BASE + R_CONFIG + 32, 0, 1);
    cr_expect_eq(config(32, 1), 0);
    cr_expect_neq(drv_get(&t, R_GENERATION), generation);
    /* Not without CONFIG_WCE. */
    drv_start(&t, BLK_F_FLUSH);
    cr_expect_eq(config(32, 1), 1);
    fake_write(t.machine.mem, DRV_BASE + R_CONFIG + 32, 0, 1);
    cr_expect_eq(config(32, 1), 1);
}

/* --- transfers -------------------------------------------------------------------- */

Test(blk, reads)
{
    uint32_t used;
    cr_assert_eq(drv_run(&t, IN, 7, 0, 1536, true, &used), BLK_S_OK);
    cr_expect_eq(used, 1537);
    cr_expect_arr_eq(drv_ram(&t, DRV_DATA), disk.data + 7 * 512, 1536);
}

Test(blk, writes)
{
    uint32_t used;
    memset(drv_ram(&t, DRV_DATA), 0x77, 1024);
    cr_assert_eq(drv_run(&t, OUT, SECTORS - 2, 0, 1024, false, &used), BLK_S_OK);
    cr_expect_eq(used, 1);
    cr_expect_arr_eq(disk.data + SIZE - 1024, drv_ram(&t, DRV_DATA), 1024);
}

Test(blk, transfers_stay_inside_the_disk)
{
    static const struct {
        uint64_t sector;
        uint32_t len;
        uint8_t status;
    } cases[] = {
        {0, 512, BLK_S_OK},
        {SECTORS - 1, 512, BLK_S_OK},
        {SECTORS - 1, 1024, BLK_S_IOERR},
        {SECTORS, 512, BLK_S_IOERR},
        {SECTORS, 0, BLK_S_OK}, /* nothing */
        {SECTORS + 1, 0, BLK_S_IOERR},
        {UINT64_MAX, 512, BLK_S_IOERR},
        {UINT64_MAX, 1024, BLK_S_IOERR},
        {UINT64_MAX / 512, 512, BLK_S_IOERR},
        {UINT64_MAX / 512 + 1, 512, BLK_S_IOERR}, /* 0 in bytes modulo 2^64 */
        {1ULL << 55, 512, BLK_S_IOERR},
        {0, 511, BLK_S_IOERR},
        {0, 513, BLK_S_IOERR},
        {0, 1, BLK_S_IOERR},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (uint32_t type = IN; type <= OUT; type++) {
            uint32_t used;
            uint8_t status = drv_run(&t, type, cases[i].sector, 0, cases[i].len, type == IN, &used);
            cr_expect_eq(status, cases[i].status, "case %zu type %u", i, type);
            uint32_t data = status == BLK_S_OK && type == IN ? cases[i].len : 0;
            cr_expect_eq(used, data + 1, "case %zu type %u", i, type);
        }
    }
}

Test(blk, framing_is_free)
{
    /* Header in two parts, the second with the data; the status shares the last buffer. */
    uint32_t id, used;
    memset(drv_ram(&t, DRV_DATA), 0, 4096);
    put_le32(drv_ram(&t, DRV_DATA), OUT);
    put_le64(drv_ram(&t, DRV_DATA + 8), 3);
    memset(drv_ram(&t, DRV_DATA + 16), 0x42, 512);
    drv_desc(&t, DRV_DESC, 0, DRV_DATA, 5, DESC_NEXT, 1);
    drv_desc(&t, DRV_DESC, 1, DRV_DATA + 5, 11 + 500, DESC_NEXT, 2);
    drv_desc(&t, DRV_DESC, 2, DRV_DATA + 516, 12, DESC_NEXT, 3);
    drv_desc(&t, DRV_DESC, 3, DRV_DATA + 0x800, 9, DESC_WRITE, 0);
    memset(drv_ram(&t, DRV_DATA + 0x800), 0xee, 10);
    drv_offer(&t, 0);
    drv_kick(&t);
    drv_sync(&t);
    cr_assert(drv_used(&t, &id, &used));
    cr_expect_eq(*drv_ram(&t, DRV_DATA + 0x808), BLK_S_OK);
    cr_expect_eq(*drv_ram(&t, DRV_DATA + 0x807), 0xee); /* only the last byte is status */
    cr_expect_arr_eq(disk.data + 3 * 512, drv_ram(&t, DRV_DATA + 16), 512);

    /* A read whose status byte is the end of the second of two data buffers. */
    put_le32(drv_ram(&t, DRV_DATA), IN);
    drv_desc(&t, DRV_DESC, 0, DRV_DATA, 16, DESC_NEXT, 1);
    drv_desc(&t, DRV_DESC, 1, DRV_DATA + 0x100, 100, DESC_NEXT | DESC_WRITE, 2);
    drv_desc(&t, DRV_DESC, 2, DRV_DATA + 0x900, 413, DESC_WRITE, 0);
    drv_offer(&t, 0);
    drv_kick(&t);
    drv_sync(&t);
    cr_assert(drv_used(&t, &id, &used));
    cr_expect_eq(used, 513);
    cr_expect_eq(*drv_ram(&t, DRV_DATA + 0x900 + 412), BLK_S_OK);
    cr_expect_arr_eq(drv_ram(&t, DRV_DATA + 0x100), disk.data + 3 * 512, 100);
    cr_expect_arr_eq(drv_ram(&t, DRV_DATA + 0x900), disk.data + 3 * 512 + 100, 412);
}

Test(blk, indirect_requests)
{
    uint32_t id, used;
    put_le32(drv_ram(&t, DRV_HEAD), IN);
    put_le64(drv_ram(&t, DRV_HEAD + 8), 1);
    drv_desc(&t, DRV_TABLE, 0, DRV_HEAD, 16, DESC_NEXT, 2);
    drv_desc(&t, DRV_TABLE, 2, DRV_DATA, 512, DESC_NEXT | DESC_WRITE, 1);
    drv_desc(&t, DRV_TABLE, 1, DRV_STAT, 1, DESC_WRITE, 0);
    drv_desc(&t, DRV_DESC, 9, DRV_TABLE, 48, DESC_INDIRECT, 0);
    drv_offer(&t, 9);
    drv_kick(&t);
    drv_sync(&t);
    cr_assert(drv_used(&t, &id, &used));
    cr_expect(id == 9 && used == 513);
    cr_expect_eq(drv_status(&t, 0), BLK_S_OK);
    cr_expect_arr_eq(drv_ram(&t, DRV_DATA), disk.data + 512, 512);
}

/* --- limits the driver agreed to ----------------------------------------------------- */

/* A write of n segments of len bytes from one buffer, by an indirect table. */
static uint8_t run_segments(unsigned n, uint32_t len)
{
    uint32_t id, used;
    put_le32(drv_ram(&t, DRV_HEAD), OUT);
    put_le64(drv_ram(&t, DRV_HEAD + 8), 0);
    drv_desc(&t, DRV_TABLE, 0, DRV_HEAD, 16, DESC_NEXT, 1);
    for (unsigned i = 1; i <= n; i++) {
        drv_desc(&t, DRV_TABLE, i, DRV_DATA, len, DESC_NEXT, i + 1);
    }
    drv_desc(&t, DRV_TABLE, n + 1, DRV_STAT, 1, DESC_WRITE, 0);
    drv_desc(&t, DRV_DESC, 0, DRV_TABLE, 16 * (n + 2), DESC_INDIRECT, 0);
    *drv_ram(&t, DRV_STAT) = 0xee;
    drv_offer(&t, 0);
    drv_kick(&t);
    drv_sync(&t);
    cr_assert(drv_used(&t, &id, &used));
    return drv_status(&t, 0);
}

Test(blk, as_many_segments_as_offered)
{
    cr_expect_eq(run_segments(254, 512), BLK_S_OK);
    cr_expect_eq(run_segments(254, 513), BLK_S_IOERR); /* not whole sectors */
    cr_expect_eq(drv_get(&t, R_STATUS) & VIRTIO_NEEDS_RESET, 0);
}

/* The chain may hold a header in the first data segment: then 255 segments fit it. */
Test(blk, more_segments_than_offered)
{
    for (unsigned agreed = 0; agreed < 2; agreed++) {
        uint32_t id, used;
        drv_start(&t, VIRTIO_F_RING_INDIRECT_DESC | (agreed ? BLK_F_SEG_MAX : 0));
        put_le32(drv_ram(&t, DRV_HEAD), OUT);
        put_le64(drv_ram(&t, DRV_HEAD + 8), 0);
        drv_desc(&t, DRV_TABLE, 0, DRV_HEAD, 16 + 512, DESC_NEXT, 1);
        for (unsigned i = 1; i < 255; i++) {
            drv_desc(&t, DRV_TABLE, i, DRV_DATA, 512, DESC_NEXT, i + 1);
        }
        drv_desc(&t, DRV_TABLE, 255, DRV_STAT, 1, DESC_WRITE, 0);
        drv_desc(&t, DRV_DESC, 0, DRV_TABLE, 16 * 256, DESC_INDIRECT, 0);
        drv_offer(&t, 0);
        drv_kick(&t);
        drv_sync(&t);
        cr_assert(drv_used(&t, &id, &used));
        cr_expect_eq(drv_status(&t, 0), agreed ? BLK_S_IOERR : BLK_S_OK);
    }
}

Test(blk, a_segment_larger_than_agreed)
{
    /* RAM is 1 MiB, so a segment above size_max needs a larger one: show RAM twice. */
    struct region again;
    region_init_ram(&again, t.machine.topo, "again", 4 << 20, malloc(4 << 20));
    cr_assert_eq(region_add(&t.machine.mem_root, 0x10000000, &again, 0), 0);
    for (unsigned agreed = 0; agreed < 2; agreed++) {
        drv_start(&t, agreed ? BLK_F_SIZE_MAX : 0);
        drv_request(&t, 0, IN, 0, 0, 512, true);
        drv_desc(&t, DRV_DESC, 1, 0x10000000, SIZE, DESC_NEXT | DESC_WRITE, 2);
        drv_kick(&t);
        drv_sync(&t);
        cr_expect_eq(drv_status(&t, 0), BLK_S_OK);
        drv_request(&t, 0, IN, 0, 0, 512, true);
        drv_desc(&t, DRV_DESC, 1, 0x10000000, 0x100200, DESC_NEXT | DESC_WRITE, 2);
        disk.block.size = 2 * SIZE; /* only the segment can be wrong */
        disk.error = -EIO;          /* and nothing is read there */
        unsigned reads = disk.ops[BLOCK_READ];
        drv_kick(&t);
        drv_sync(&t);
        cr_expect_eq(drv_status(&t, 0), BLK_S_IOERR);
        cr_expect_eq(disk.ops[BLOCK_READ] - reads, agreed ? 0 : 1);
        disk.block.size = SIZE;
        disk.error = 0;
    }
    free(again.host);
    region_fini(&again);
}

/* --- other requests ------------------------------------------------------------------- */

Test(blk, get_id)
{
    uint32_t used;
    memset(drv_ram(&t, DRV_DATA), 0xee, 64);
    cr_assert_eq(drv_run(&t, GET_ID, 0, 0, 20, true, &used), BLK_S_OK);
    cr_expect_eq(used, 21);
    cr_expect_arr_eq(drv_ram(&t, DRV_DATA), "12345678901234567890\xee", 21);
    /* More room than an id has, and less. */
    memset(drv_ram(&t, DRV_DATA), 0xee, 64);
    cr_assert_eq(drv_run(&t, GET_ID, 0, 0, 40, true, &used), BLK_S_OK);
    cr_expect_eq(used, 21);
    cr_expect_eq(*drv_ram(&t, DRV_DATA + 20), 0xee);
    memset(drv_ram(&t, DRV_DATA), 0xee, 64);
    cr_assert_eq(drv_run(&t, GET_ID, 0, 0, 3, true, &used), BLK_S_OK);
    cr_expect_eq(used, 4);
    cr_expect_arr_eq(drv_ram(&t, DRV_DATA), "123\xee", 4);
}

Test(blk, flush)
{
    cr_expect_eq(drv_run(&t, FLUSH, 0, 0, 0, false, NULL), BLK_S_OK);
    cr_expect_eq(disk.ops[BLOCK_FLUSH], 1);
    disk.error = -EIO;
    cr_expect_eq(drv_run(&t, FLUSH, 0, 0, 0, false, NULL), BLK_S_IOERR);
}

Test(blk, unknown_types_are_unsupported)
{
    static const uint32_t types[] = {2, 3, 5, 6, 7, 9, 10, 12, 14, 15, 16, 0x80000000, UINT32_MAX};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        uint32_t used;
        cr_expect_eq(drv_run(&t, types[i], 0, 0, 512, true, &used), BLK_S_UNSUPP);
        cr_expect_eq(used, 1);
        cr_expect_eq(drv_run(&t, types[i], 0, 0, 512, false, NULL), BLK_S_UNSUPP);
    }
    for (unsigned op = 0; op < 5; op++) {
        cr_expect_eq(disk.ops[op], 0);
    }
}

Test(blk, a_short_header_is_an_error)
{
    uint32_t id, used;
    drv_request(&t, 0, IN, 0, 0, 0, true);
    drv_desc(&t, DRV_DESC, 0, DRV_HEAD, 15, DESC_NEXT, 2);
    drv_kick(&t);
    drv_sync(&t);
    cr_assert(drv_used(&t, &id, &used));
    cr_expect_eq(drv_status(&t, 0), BLK_S_IOERR);
    cr_expect_eq(used, 1);
}

Test(blk, no_room_for_a_status_breaks_the_ring)
{
    uint32_t id, used;
    drv_desc(&t, DRV_DESC, 0, DRV_HEAD, 16, 0, 0);
    drv_offer(&t, 0);
    drv_kick(&t);
    drv_sync(&t);
    cr_expect_not(drv_used(&t, &id, &used));
    cr_expect_neq(drv_get(&t, R_STATUS) & VIRTIO_NEEDS_RESET, 0);
}

Test(blk, host_errors_are_io_errors)
{
    disk.error = -ENOSPC;
    uint32_t used;
    cr_expect_eq(drv_run(&t, IN, 0, 0, 512, true, &used), BLK_S_IOERR);
    cr_expect_eq(used, 1);
    cr_expect_eq(drv_run(&t, OUT, 0, 0, 512, false, NULL), BLK_S_IOERR);
    cr_expect_eq(guest_error_count(&t.blk->io_errors), 2);
    disk.error = 0;
    cr_expect_eq(drv_run(&t, OUT, 0, 0, 512, false, NULL), BLK_S_OK);
}

/* --- ranges ---------------------------------------------------------------------------- */

static void put_range(unsigned i, uint64_t sector, uint32_t sectors, uint32_t flags)
{
    uint8_t *r = drv_ram(&t, DRV_DATA + 16 * i);
    put_le64(r, sector);
    put_le32(r + 8, sectors);
    put_le32(r + 12, flags);
}

Test(blk, ranges_are_discarded_and_zeroed)
{
    for (uint32_t type = DISCARD; type <= WRITE_ZEROES; type += 2) {
        memset(disk.data, 0xaa, SIZE);
        put_range(0, 1, 2, 0);
        put_range(1, SECTORS - 1, 1, type == WRITE_ZEROES);
        put_range(2, 10, 0, 0); /* nothing */
        uint32_t used;
        cr_expect_eq(drv_run(&t, type, 0, 0, 48, false, &used), BLK_S_OK);
        cr_expect_eq(used, 1);
        for (unsigned i = 0; i < SIZE; i++) {
            bool zero = (i >= 512 && i < 1536) || i >= SIZE - 512;
            cr_assert_eq(disk.data[i], zero ? 0 : 0xaa);
        }
    }
}

Test(blk, one_bad_range_and_none_is_carried_out)
{
    static const struct {
        uint32_t type, sectors, flags;
        uint64_t sector;
        uint8_t status;
    } cases[] = {
        {DISCARD, 1, 1, 0, BLK_S_UNSUPP}, /* unmap is for zeroes only */
        {DISCARD, 1, 2, 0, BLK_S_UNSUPP},
        {WRITE_ZEROES, 1, 2, 0, BLK_S_UNSUPP},
        {WRITE_ZEROES, 1, 0x80000001, 0, BLK_S_UNSUPP},
        {DISCARD, 2, 0, SECTORS - 1, BLK_S_IOERR},
        {DISCARD, 1, 0, SECTORS, BLK_S_IOERR},
        {DISCARD, UINT32_MAX, 0, 0, BLK_S_IOERR},
        {WRITE_ZEROES, 1, 0, UINT64_MAX, BLK_S_IOERR},
        {WRITE_ZEROES, 2, 1, UINT64_MAX, BLK_S_IOERR},
        {WRITE_ZEROES, 1, 0, 1ULL << 55, BLK_S_IOERR},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put_range(0, 5, 1, 0);
        put_range(1, cases[i].sector, cases[i].sectors, cases[i].flags);
        cr_expect_eq(drv_run(&t, cases[i].type, 0, 0, 32, false, NULL), cases[i].status, "case %zu",
                     i);
    }
    cr_expect_eq(disk.ops[BLOCK_DISCARD] + disk.ops[BLOCK_WRITE_ZEROES], 0);
}

Test(blk, ranges_are_limited_in_number_and_length)
{
    disk.block.size = 1ULL << 40; /* nothing of it is touched */
    disk.error = -EIO;
    put_range(0, 0, BLK_ZEROES_SECTORS_MAX, 0);
    drv_run(&t, WRITE_ZEROES, 0, 0, 16, false, NULL);
    cr_expect_eq(disk.ops[BLOCK_WRITE_ZEROES], 1);
    put_range(0, 0, BLK_ZEROES_SECTORS_MAX + 1, 0);
    cr_expect_eq(drv_run(&t, WRITE_ZEROES, 0, 0, 16, false, NULL), BLK_S_IOERR);
    cr_expect_eq(disk.ops[BLOCK_WRITE_ZEROES], 1);
    put_range(0, 0, BLK_DISCARD_SECTORS_MAX, 0);
    drv_run(&t, DISCARD, 0, 0, 16, false, NULL);
    cr_expect_eq(disk.ops[BLOCK_DISCARD], 1);
    put_range(0, 0, BLK_DISCARD_SECTORS_MAX + 1, 0);
    drv_run(&t, DISCARD, 0, 0, 16, false, NULL);
    cr_expect_eq(disk.ops[BLOCK_DISCARD], 1);
    disk.block.size = SIZE;
    disk.error = 0;

    memset(drv_ram(&t, DRV_DATA), 0, 4096);
    cr_expect_eq(drv_run(&t, DISCARD, 0, 0, 16 * BLK_RANGES_MAX, false, NULL), BLK_S_OK);
    cr_expect_eq(drv_run(&t, DISCARD, 0, 0, 16 * (BLK_RANGES_MAX + 1), false, NULL), BLK_S_IOERR);
    cr_expect_eq(drv_run(&t, DISCARD, 0, 0, 15, false, NULL), BLK_S_IOERR);
    cr_expect_eq(drv_run(&t, DISCARD, 0, 0, 0, false, NULL), BLK_S_IOERR);
    cr_expect_eq(drv_run(&t, DISCARD, 0, 0, 16, true, NULL), BLK_S_IOERR); /* not readable */
}

Test(blk, ranges_must_be_negotiated)
{
    drv_start(&t, 0);
    put_range(0, 0, 1, 0);
    cr_expect_eq(drv_run(&t, DISCARD, 0, 0, 16, false, NULL), BLK_S_UNSUPP);
    cr_expect_eq(drv_run(&t, WRITE_ZEROES, 0, 0, 16, false, NULL), BLK_S_UNSUPP);
}

/* --- stable storage ----------------------------------------------------------------------- */

static unsigned flushes_of_a_write(void)
{
    unsigned before = disk.ops[BLOCK_FLUSH];
    cr_assert_eq(drv_run(&t, OUT, 0, 0, 512, false, NULL), BLK_S_OK);
    return disk.ops[BLOCK_FLUSH] - before;
}

Test(blk, without_a_write_back_cache_writes_are_flushed)
{
    cr_expect_eq(flushes_of_a_write(), 0);
    fake_write(t.machine.mem, DRV_BASE + R_CONFIG + 32, 0, 1);
    cr_expect_eq(flushes_of_a_write(), 1);
    put_range(0, 0, 1, 0);
    cr_expect_eq(drv_run(&t, WRITE_ZEROES, 0, 0, 16, false, NULL), BLK_S_OK);
    cr_expect_eq(disk.ops[BLOCK_FLUSH], 2);
    cr_expect_eq(drv_run(&t, IN, 0, 0, 512, true, NULL), BLK_S_OK);
    cr_expect_eq(disk.ops[BLOCK_FLUSH], 2);
    fake_write(t.machine.mem, DRV_BASE + R_CONFIG + 32, 1, 1);
    cr_expect_eq(flushes_of_a_write(), 0);
    /* A driver that negotiated nothing cannot flush. */
    drv_start(&t, 0);
    cr_expect_eq(config(32, 1), 0);
    cr_expect_eq(flushes_of_a_write(), 1);
    drv_start(&t, BLK_F_FLUSH);
    cr_expect_eq(flushes_of_a_write(), 0);
    drv_start(&t, BLK_F_CONFIG_WCE); /* without FLUSH it starts at 0 */
    cr_expect_eq(flushes_of_a_write(), 1);
}

/* --- read-only ------------------------------------------------------------------------------ */

Test(blk_ro, writes_are_refused)
{
    drv_set(&t, R_DEVICE_FEATURES_SEL, 0);
    uint32_t features = drv_get(&t, R_DEVICE_FEATURES);
    cr_expect_neq(features & BLK_F_RO, 0);
    cr_expect_eq(features & (BLK_F_DISCARD | BLK_F_WRITE_ZEROES), 0);
    cr_expect_eq(drv_run(&t, OUT, 0, 0, 512, false, NULL), BLK_S_IOERR);
    cr_expect_eq(drv_run(&t, OUT, 0, 0, 0, false, NULL), BLK_S_IOERR);
    put_range(0, 0, 1, 0);
    cr_expect_eq(drv_run(&t, DISCARD, 0, 0, 16, false, NULL), BLK_S_UNSUPP);
    cr_expect_eq(drv_run(&t, WRITE_ZEROES, 0, 0, 16, false, NULL), BLK_S_UNSUPP);
    cr_expect_eq(disk.ops[BLOCK_WRITE], 0);
    cr_expect_eq(drv_run(&t, IN, 0, 0, 512, true, NULL), BLK_S_OK);
    cr_expect_eq(drv_run(&t, FLUSH, 0, 0, 0, false, NULL), BLK_S_OK);
    cr_expect_eq(drv_run(&t, GET_ID, 0, 0, 20, true, NULL), BLK_S_OK);
    cr_expect_eq(*drv_ram(&t, DRV_DATA), 0); /* no serial */
}

/* --- many at once --------------------------------------------------------------------------- */

static unsigned collect(void)
{
    uint32_t id, len;
    unsigned n = 0;
    while (drv_used(&t, &id, &len)) {
        n++;
    }
    return n;
}

Test(blk, one_interrupt_for_requests_that_end_together)
{
    for (unsigned i = 0; i < 20; i++) {
        drv_request(&t, 3 * i, IN, i, 512 * i, 512, true);
    }
    drv_kick(&t);
    drv_sync(&t);
    cr_expect_eq(collect(), 20);
    cr_expect_eq(t.machine.irqs.pulses[DRV_GSI], 1);
}

Test(blk, a_full_ring_is_worked_off_in_several_turns)
{
    for (unsigned i = 0; i < 85; i++) {
        drv_request(&t, 3 * i, IN, i, 512 * i, 512, true);
    }
    drv_kick(&t);
    for (unsigned i = 0; i < 4; i++) {
        drv_sync(&t);
    }
    cr_expect_eq(collect(), 85);
    cr_expect_eq(t.machine.irqs.pulses[DRV_GSI], 3);
    cr_expect_arr_eq(drv_ram(&t, DRV_DATA), disk.data, 85 * 512);
    cr_expect_eq(*drv_ram(&t, DRV_USED), 0); /* kicks are wanted again */
}

Test(blk, requests_wait_in_the_ring_while_too_many_are_in_flight)
{
    disk.hold = true;
    for (unsigned i = 0; i < 85; i++) {
        drv_request(&t, 3 * i, IN, i, 512 * i, 512, true);
    }
    drv_kick(&t);
    for (unsigned i = 0; i < 4; i++) {
        drv_sync(&t);
    }
    cr_expect_eq(disk.held_count, BLK_IN_FLIGHT);
    cr_expect_eq(collect(), 0);
    cr_expect_eq(*drv_ram(&t, DRV_USED), 1); /* no kick could help */
    drv_release(&t, &disk);                  /* each that ends makes room for one that waits */
    cr_expect_eq(collect(), BLK_IN_FLIGHT);
    cr_expect_eq(disk.held_count, 85 - BLK_IN_FLIGHT);
    drv_release(&t, &disk);
    cr_expect_eq(collect(), 85 - BLK_IN_FLIGHT);
    cr_expect_eq(*drv_ram(&t, DRV_USED), 0);
    cr_expect_arr_eq(drv_ram(&t, DRV_DATA), disk.data, 85 * 512);
}

Test(blk, interrupts_can_be_suppressed)
{
    put_le16(drv_ram(&t, DRV_AVAIL), 1);
    cr_expect_eq(drv_run(&t, IN, 0, 0, 512, true, NULL), BLK_S_OK);
    cr_expect_eq(t.machine.irqs.pulses[DRV_GSI], 0);
    cr_expect_eq(drv_get(&t, R_INTERRUPT_STATUS), 0);

    drv_start(&t, VIRTIO_F_RING_EVENT_IDX);
    uint8_t *used_event = drv_ram(&t, DRV_AVAIL + 4 + 2 * BLK_QUEUE_MAX);
    put_le16(used_event, 2);
    for (unsigned i = 0; i < 5; i++) {
        cr_expect_eq(drv_run(&t, IN, 0, 0, 512, true, NULL), BLK_S_OK);
        cr_expect_eq(t.machine.irqs.pulses[DRV_GSI], i < 2 ? 0 : 1);
    }
    /* The device asks for a kick at the next entry. */
    cr_expect_eq(get_le16(drv_ram(&t, DRV_USED + 4 + 8 * BLK_QUEUE_MAX)), 5);
}

/* --- a random history against a model -----------------------------------------------------------
 */

static uint64_t seed;

static uint32_t rnd(uint32_t below)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(seed >> 33) % below;
}

#define MODEL_SECTORS 256

static void random_write(uint8_t *model, uint32_t sector, uint32_t sectors)
{
    uint8_t *data = drv_ram(&t, DRV_DATA);
    for (uint32_t i = 0; i < sectors * 512; i++) {
        data[i] = (uint8_t)rnd(256);
    }
    memcpy(model + sector * 512, data, sectors * 512);
    cr_assert_eq(drv_run(&t, OUT, sector, 0, sectors * 512, false, NULL), BLK_S_OK);
}

static void random_step(uint8_t *model)
{
    uint32_t sector = rnd(MODEL_SECTORS);
    uint32_t sectors = 1 + rnd(MODEL_SECTORS - sector < 16 ? MODEL_SECTORS - sector : 16);
    switch (rnd(5)) {
    case 0:
        random_write(model, sector, sectors);
        break;
    case 1:
        put_range(0, sector, sectors, rnd(2));
        memset(model + sector * 512, 0, sectors * 512);
        cr_assert_eq(drv_run(&t, WRITE_ZEROES, 0, 0, 16, false, NULL), BLK_S_OK);
        break;
    case 2: /* on a file of ours: a hole */
        put_range(0, sector, sectors, 0);
        memset(model + sector * 512, 0, sectors * 512);
        cr_assert_eq(drv_run(&t, DISCARD, 0, 0, 16, false, NULL), BLK_S_OK);
        break;
    default:
        cr_assert_eq(drv_run(&t, IN, sector, 0, sectors * 512, true, NULL), BLK_S_OK);
        cr_assert_arr_eq(drv_ram(&t, DRV_DATA), model + sector * 512, sectors * 512);
        break;
    }
}

/* On a real file: the whole path down to it. */
Test(blk_file, a_random_history_agrees_with_a_model)
{
    char name[] = "/tmp/vmm-blk-XXXXXX";
    char props[64];
    static uint8_t model[MODEL_SECTORS * 512];
    static uint8_t file[sizeof(model) + 1];
    int fd = mkstemp(name);
    cr_assert(fd >= 0 && ftruncate(fd, sizeof(model)) == 0);
    snprintf(props, sizeof(props), "file=%s", name);
    drv_init(&t, NULL, props);
    drv_start(&t, ALL);
    seed = 42;
    for (unsigned i = 0; i < 3000; i++) {
        random_step(model);
    }
    cr_expect_eq(drv_run(&t, FLUSH, 0, 0, 0, false, NULL), BLK_S_OK);
    cr_expect_eq(pread(fd, file, sizeof(file), 0), (ssize_t)sizeof(model));
    cr_expect_arr_eq(file, model, sizeof(model));
    drv_free(&t);
    close(fd);
    unlink(name);
}

/* --- properties
 * ------------------------------------------------------------------------------------ */

static void must_refuse(struct fake_machine *m, const char *prop, const char *value,
                        const char *what)
{
    struct err e = ERR_INIT;
    struct device *d = device_new(&virtio_blk_class, "x", &m->env, &e);
    cr_assert_eq(device_set(d, "addr", "0x1000", &e), 0);
    cr_assert_eq(device_set(d, "file", "/nonexistent", &e), 0);
    cr_assert_eq(device_set(d, prop, value, &e), 0);
    cr_expect_lt(device_realize(d, &e), 0);
    cr_expect_not_null(strstr(e.what, what), "'%s' lacks '%s'", e.what, what);
    device_free(d);
}

Test(blk_props, wrong_ones_are_named)
{
    struct fake_machine m;
    fake_machine_init(&m, 0);
    must_refuse(&m, "file", "", "no file");
    must_refuse(&m, "file", "/nonexistent", "No such file");
    must_refuse(&m, "format", "qcow2", "format 'qcow2' is not supported");
    must_refuse(&m, "serial", "123456789012345678901", "longer than 20 bytes");
    fake_machine_free(&m);
}
