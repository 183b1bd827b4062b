/*
 * virtio-blk: many requests at once, who is told when, and a random history
 * against a model of the disk.
 */
#include "src/base/le.h"
#include "tests/unit/fake_driver.h"

#include <criterion/criterion.h>
#include <stdio.h>
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

TestSuite(blk_many, .init = setup, .fini = teardown);

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

Test(blk_many, one_interrupt_for_requests_that_end_together)
{
    for (unsigned i = 0; i < 20; i++) {
        drv_request(&t, 3 * i, IN, i, 512 * i, 512, true);
    }
    drv_kick(&t);
    drv_sync(&t);
    cr_expect_eq(collect(), 20);
    cr_expect_eq(t.machine.irqs.pulses[DRV_GSI], 1);
}

Test(blk_many, a_full_ring_is_worked_off_in_several_turns)
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

Test(blk_many, requests_wait_in_the_ring_while_too_many_are_in_flight)
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

Test(blk_many, interrupts_can_be_suppressed)
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

static void put_range(uint64_t sector, uint32_t sectors, uint32_t flags)
{
    uint8_t *r = drv_ram(&t, DRV_DATA);
    put_le64(r, sector);
    put_le32(r + 8, sectors);
    put_le32(r + 12, flags);
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
        put_range(sector, sectors, rnd(2));
        memset(model + sector * 512, 0, sectors * 512);
        cr_assert_eq(drv_run(&t, WRITE_ZEROES, 0, 0, 16, false, NULL), BLK_S_OK);
        break;
    case 2: /* on a file of ours: a hole */
        put_range(sector, sectors, 0);
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
    drv_start(&t, DISK_FEATURES);
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
