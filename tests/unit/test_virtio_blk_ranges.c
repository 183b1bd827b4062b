/*
 * virtio-blk: discard and write-zeroes, when writes are on stable storage, and
 * read-only disks.
 */
#include "src/base/le.h"
#include "tests/unit/fake_driver.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static struct fake_block disk;
static struct fake_driver t;

static void setup(void)
{
    fake_block_init(&disk, DISK_SIZE, false);
    drv_init(&t, &disk, "serial=12345678901234567890");
    drv_start(&t, DISK_FEATURES);
}

static void setup_ro(void)
{
    fake_block_init(&disk, DISK_SIZE, true);
    drv_init(&t, &disk, NULL);
    drv_start(&t, BLK_F_RO | BLK_F_FLUSH);
}

static void teardown(void)
{
    drv_free(&t);
    fake_block_free(&disk);
}

TestSuite(blk_ranges, .init = setup, .fini = teardown);
TestSuite(blk_ro, .init = setup_ro, .fini = teardown);

static uint32_t config(uint32_t offset, unsigned size)
{
    return (uint32_t)fake_read(t.machine.mem, DRV_BASE + R_CONFIG + offset, size);
}

/* --- ranges ---------------------------------------------------------------------------- */

static void put_range(unsigned i, uint64_t sector, uint32_t sectors, uint32_t flags)
{
    uint8_t *r = drv_ram(&t, DRV_DATA + 16 * i);
    put_le64(r, sector);
    put_le32(r + 8, sectors);
    put_le32(r + 12, flags);
}

Test(blk_ranges, ranges_are_discarded_and_zeroed)
{
    for (uint32_t type = DISCARD; type <= WRITE_ZEROES; type += 2) {
        memset(disk.data, 0xaa, DISK_SIZE);
        put_range(0, 1, 2, 0);
        put_range(1, DISK_SECTORS - 1, 1, type == WRITE_ZEROES);
        put_range(2, 10, 0, 0); /* nothing */
        uint32_t used;
        cr_expect_eq(drv_run(&t, type, 0, 0, 48, false, &used), BLK_S_OK);
        cr_expect_eq(used, 1);
        for (unsigned i = 0; i < DISK_SIZE; i++) {
            bool zero = (i >= 512 && i < 1536) || i >= DISK_SIZE - 512;
            cr_assert_eq(disk.data[i], zero ? 0 : 0xaa);
        }
    }
}

Test(blk_ranges, one_bad_range_and_none_is_carried_out)
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
        {DISCARD, 2, 0, DISK_SECTORS - 1, BLK_S_IOERR},
        {DISCARD, 1, 0, DISK_SECTORS, BLK_S_IOERR},
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

Test(blk_ranges, ranges_are_limited_in_number_and_length)
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
    disk.block.size = DISK_SIZE;
    disk.error = 0;

    memset(drv_ram(&t, DRV_DATA), 0, 4096);
    cr_expect_eq(drv_run(&t, DISCARD, 0, 0, 16 * BLK_RANGES_MAX, false, NULL), BLK_S_OK);
    cr_expect_eq(drv_run(&t, DISCARD, 0, 0, 16 * (BLK_RANGES_MAX + 1), false, NULL), BLK_S_IOERR);
    cr_expect_eq(drv_run(&t, DISCARD, 0, 0, 15, false, NULL), BLK_S_IOERR);
    cr_expect_eq(drv_run(&t, DISCARD, 0, 0, 0, false, NULL), BLK_S_IOERR);
    cr_expect_eq(drv_run(&t, DISCARD, 0, 0, 16, true, NULL), BLK_S_IOERR); /* not readable */
}

Test(blk_ranges, ranges_must_be_negotiated)
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

Test(blk_ranges, without_a_write_back_cache_writes_are_flushed)
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
