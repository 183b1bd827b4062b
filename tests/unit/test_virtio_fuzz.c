/*
 * A hostile driver: random descriptors, rings and requests against a virtio-blk
 * on its own thread. The device must stay alive, come to rest, keep to the
 * buffers it was given and to its disk, and work again after a reset.
 *
 * RAM is divided: rings and tables, buffers, and a guard that no descriptor
 * names. The device may write anywhere but into the guard (and behind RAM,
 * where AddressSanitizer watches).
 */
#include "src/base/le.h"
#include "tests/unit/fake_driver.h"

#include <criterion/criterion.h>
#include <string.h>

#define ITERATIONS 10000
#define DISK       (64 * 512)
#define BUFFERS    DRV_DATA
#define GUARD      (DRV_DATA + 0x8000)
#define RINGS      DRV_DESC
#define RINGS_END  DRV_DATA
#define RAM        (1 << 20)

static struct fake_block disk;
static struct fake_driver t;
static uint64_t seed = 7;

static uint32_t rnd(uint32_t below)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(seed >> 33) % below;
}

/* A buffer that is in no guard: in the buffers, in the rings, or not in RAM at all. */
static void random_buffer(uint64_t *addr, uint32_t *len)
{
    static const uint32_t sizes[] = {1, 15, 16, 17, 511, 512, 513, 1024, 4096};
    *len = sizes[rnd(9)];
    switch (rnd(24)) {
    case 0:
        *addr = RINGS + rnd(RINGS_END - RINGS - *len);
        break;
    case 1:
        *addr = RAM - rnd(*len); /* over the end */
        break;
    case 2:
        *addr = UINT64_MAX - rnd(4096);
        break;
    case 3:
        *addr = 1ULL << (20 + rnd(44));
        *len = rnd(2) ? UINT32_MAX : 1u << rnd(32);
        break;
    case 4:
        *addr = BUFFERS;
        *len = rnd(2) ? 0 : UINT32_MAX - rnd(3); /* not in RAM as a whole */
        break;
    default:
        *addr = BUFFERS + rnd(GUARD - BUFFERS - *len);
        break;
    }
}

static void random_table(uint64_t table, unsigned entries)
{
    for (unsigned i = 0; i < entries; i++) {
        uint64_t addr;
        uint32_t len;
        unsigned flags = rnd(3) ? DESC_NEXT : 0;
        random_buffer(&addr, &len);
        flags |= rnd(2) ? DESC_WRITE : 0;
        if (rnd(16) == 0) {
            flags = DESC_INDIRECT | (rnd(8) == 0 ? DESC_NEXT : 0);
            addr = DRV_TABLE + 16 * rnd(4);
            len = 16 * rnd(12) + (rnd(16) == 0);
        }
        drv_desc(&t, table, i, addr, len, flags, rnd(32) ? rnd(entries) : rnd(65536));
    }
}

/* A request of proper form at slot, its header random; parts of it may be spoilt afterwards. */
static void random_request(unsigned slot)
{
    static const uint32_t types[] = {0, 1, 4, 8, 11, 13, 0, 1};
    uint32_t type = rnd(16) ? types[rnd(8)] : rnd(UINT32_MAX);
    uint64_t sector = rnd(16) ? rnd(70) : (uint64_t)rnd(UINT32_MAX) << rnd(33);
    uint32_t len = type < 4 ? 512 * rnd(5) : 16 * rnd(20);
    uint32_t at = rnd(0x4000);
    for (uint32_t i = 0; type > 8 && i < len; i += 16) {
        uint8_t *range = drv_ram(&t, DRV_DATA + at + i);
        put_le64(range, rnd(8) ? rnd(64) : UINT64_MAX - rnd(64));
        put_le32(range + 8, rnd(8) ? rnd(8) : rnd(UINT32_MAX));
        put_le32(range + 12, rnd(8) ? rnd(2) : rnd(UINT32_MAX));
    }
    drv_request(&t, slot, type, sector, at, len, type == 0 || type == 8);
}

static void fill_guard(void)
{
    memset(drv_ram(&t, 0), 0xa5, RINGS);
    memset(drv_ram(&t, GUARD), 0xa5, RAM - GUARD);
}

static void check_guard(void)
{
    for (uint64_t i = 0; i < RINGS; i++) {
        cr_assert_eq(*drv_ram(&t, i), 0xa5, "byte 0x%llx", (unsigned long long)i);
    }
    for (uint64_t i = GUARD; i < RAM; i++) {
        cr_assert_eq(*drv_ram(&t, i), 0xa5, "byte 0x%llx", (unsigned long long)i);
    }
}

static void start(void)
{
    static const uint64_t choices[] = {VIRTIO_F_RING_INDIRECT_DESC, VIRTIO_F_RING_EVENT_IDX,
                                       BLK_F_DISCARD | BLK_F_WRITE_ZEROES, BLK_F_FLUSH,
                                       BLK_F_SIZE_MAX | BLK_F_SEG_MAX};
    uint64_t features = VIRTIO_F_VERSION_1;
    for (unsigned i = 0; i < 5; i++) {
        features |= rnd(3) ? choices[i] : 0;
    }
    drv_negotiate(&t, features);
    drv_setup_queue(&t, (uint16_t)(1u << rnd(9)));
    drv_set(&t, R_STATUS, drv_get(&t, R_STATUS) | VIRTIO_DRIVER_OK);
    cr_assert_eq(drv_get(&t, R_QUEUE_READY), 1);
}

static void hostile_step(void)
{
    unsigned entries = t.num;
    switch (rnd(4)) {
    case 0:
        random_table(DRV_DESC, entries < 64 ? entries : 64);
        random_table(DRV_TABLE, 16);
        for (unsigned i = rnd(4); i > 0; i--) {
            drv_offer(&t, rnd(32) ? rnd(entries) : rnd(65536));
        }
        break;
    case 1:
        if (rnd(32) == 0) {
            t.avail_idx = (uint16_t)(t.avail_idx + rnd(65536)); /* a jump */
            drv_offer(&t, 0);
        }
        break;
    default:
        for (unsigned slot = 0; slot + 3 <= entries && slot < 12; slot += 3) {
            random_request(slot);
            if (rnd(8) == 0) {
                random_table(DRV_DESC + 16 * (slot + rnd(3)), 1);
            }
        }
        break;
    }
}

Test(virtio_fuzz, a_hostile_driver)
{
    unsigned broken = 0;
    unsigned requests = 0;
    fake_block_init(&disk, DISK, false);
    drv_init(&t, &disk, NULL);
    fill_guard();
    start();
    for (unsigned i = 0; i < ITERATIONS; i++) {
        disk.error = rnd(8) ? 0 : -5;
        hostile_step();
        drv_kick(&t);
        drv_sync(&t);
        requests += *drv_ram(&t, DRV_USED + 2) != 0;
        if ((drv_get(&t, R_STATUS) & VIRTIO_NEEDS_RESET) != 0 || rnd(64) == 0) {
            broken++;
            start();
        }
        if (i % 256 == 0) {
            check_guard();
        }
    }
    check_guard();
    cr_assert_gt(broken, ITERATIONS / 20);
    cr_assert_gt(requests, ITERATIONS / 20);
    cr_assert_gt(disk.ops[BLOCK_READ], ITERATIONS / 20);
    cr_assert_gt(disk.ops[BLOCK_WRITE], ITERATIONS / 20);
    cr_assert_gt(disk.ops[BLOCK_DISCARD] + disk.ops[BLOCK_WRITE_ZEROES], 0);
    disk.error = 0;
    drv_start(&t, 0);
    cr_assert_eq(drv_run(&t, 0, 0, 0, 512, true, NULL), BLK_S_OK);
    drv_free(&t);
    fake_block_free(&disk);
}
