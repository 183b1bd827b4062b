/*
 * virtio-blk: configuration, properties, transfers and their framing and limits,
 * small requests. Ranges and stable storage are in test_virtio_blk_ranges.c,
 * many requests in test_virtio_blk_many.c.
 */
#include "src/base/le.h"
#include "tests/unit/fake_driver.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct fake_block disk;
static struct fake_driver t;

static void setup(void)
{
    fake_block_init(&disk, DISK_SIZE, false);
    drv_init(&t, &disk, "serial=12345678901234567890");
    drv_start(&t, DISK_FEATURES);
}

static void teardown(void)
{
    drv_free(&t);
    fake_block_free(&disk);
}

TestSuite(blk, .init = setup, .fini = teardown);

static uint32_t config(uint32_t offset, unsigned size)
{
    return (uint32_t)fake_read(t.machine.mem, DRV_BASE + R_CONFIG + offset, size);
}

/* --- configuration ------------------------------------------------------------- */

Test(blk, configuration)
{
    cr_expect_eq(config(0, 4), DISK_SECTORS);
    cr_expect_eq(config(4, 4), 0);
    cr_expect_eq(config(8, 4), BLK_SIZE_MAX);
    cr_expect_eq(config(12, 4), 254);
    cr_expect_eq(config(16, 2), DISK_SECTORS / (16 * 63));
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
    cr_expect_eq(config(0, 4), DISK_SECTORS);
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
    cr_assert_eq(drv_run(&t, OUT, DISK_SECTORS - 2, 0, 1024, false, &used), BLK_S_OK);
    cr_expect_eq(used, 1);
    cr_expect_arr_eq(disk.data + DISK_SIZE - 1024, drv_ram(&t, DRV_DATA), 1024);
}

Test(blk, transfers_stay_inside_the_disk)
{
    static const struct {
        uint64_t sector;
        uint32_t len;
        uint8_t status;
    } cases[] = {
        {0, 512, BLK_S_OK},
        {DISK_SECTORS - 1, 512, BLK_S_OK},
        {DISK_SECTORS - 1, 1024, BLK_S_IOERR},
        {DISK_SECTORS, 512, BLK_S_IOERR},
        {DISK_SECTORS, 0, BLK_S_OK}, /* nothing */
        {DISK_SECTORS + 1, 0, BLK_S_IOERR},
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
        drv_desc(&t, DRV_DESC, 1, 0x10000000, DISK_SIZE, DESC_NEXT | DESC_WRITE, 2);
        drv_kick(&t);
        drv_sync(&t);
        cr_expect_eq(drv_status(&t, 0), BLK_S_OK);
        drv_request(&t, 0, IN, 0, 0, 512, true);
        drv_desc(&t, DRV_DESC, 1, 0x10000000, 0x100200, DESC_NEXT | DESC_WRITE, 2);
        disk.block.size = 2 * DISK_SIZE; /* only the segment can be wrong */
        disk.error = -EIO;               /* and nothing is read there */
        unsigned reads = disk.ops[BLOCK_READ];
        drv_kick(&t);
        drv_sync(&t);
        cr_expect_eq(drv_status(&t, 0), BLK_S_IOERR);
        cr_expect_eq(disk.ops[BLOCK_READ] - reads, agreed ? 0 : 1);
        disk.block.size = DISK_SIZE;
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
