/*
 * The status machine of a virtio device: the handshake in right and wrong order,
 * features, and resets, with requests in flight too.
 */
#include "tests/unit/fake_driver.h"

#include <criterion/criterion.h>
#include <string.h>

static struct fake_block disk;
static struct fake_driver t;

static void setup(void)
{
    fake_block_init(&disk, 1 << 20, false);
    drv_init(&t, &disk, "serial=S1");
}

static void teardown(void)
{
    drv_free(&t);
    fake_block_free(&disk);
}

TestSuite(virtio_status, .init = setup, .fini = teardown);

#define ACK    VIRTIO_ACKNOWLEDGE
#define DRIVER VIRTIO_DRIVER
#define FEAT   VIRTIO_FEATURES_OK
#define OK     VIRTIO_DRIVER_OK
#define FAILED VIRTIO_FAILED
#define NEEDS  VIRTIO_NEEDS_RESET

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- status -------------------------------------------------------------------- */

Test(virtio_status, the_handshake)
{
    cr_assert_eq(drv_negotiate(&t, VIRTIO_F_VERSION_1), ACK | DRIVER | FEAT);
    drv_setup_queue(&t, 16);
    drv_set(&t, R_STATUS, ACK | DRIVER | FEAT | OK);
    cr_assert_eq(drv_get(&t, R_STATUS), ACK | DRIVER | FEAT | OK);
    cr_assert_eq(drv_errors(&t), 0);
    drv_set(&t, R_STATUS, 0);
    cr_assert_eq(drv_get(&t, R_STATUS), 0);
    cr_assert_eq(drv_get(&t, R_QUEUE_READY), 0);
}

Test(virtio_status, status_moves_only_along_the_table)
{
    static const struct {
        uint32_t first, then, result;
        bool error;
    } cases[] = {
        {0, ACK, ACK, false},
        {0, ACK | DRIVER, ACK | DRIVER, false}, /* two steps at once */
        {0, DRIVER, DRIVER, false},             /* as U-Boot does */
        {0, FEAT, 0, true},
        {0, OK, 0, true},
        {ACK, ACK, ACK, false},
        {ACK, ACK | OK, ACK, true},
        {ACK | DRIVER, ACK | DRIVER | OK, ACK | DRIVER, true},
        {ACK | DRIVER, DRIVER, ACK | DRIVER, true},              /* takes a bit away */
        {ACK | DRIVER, ACK | DRIVER | FEAT, ACK | DRIVER, true}, /* VERSION_1 is missing */
        {ACK | DRIVER, ACK | DRIVER | FEAT | OK, ACK | DRIVER, true},
        {ACK, ACK | 0x10, ACK, true}, /* no such bit */
        {ACK, 0x100, ACK, true},      /* not a reset */
        {ACK, ACK | NEEDS, ACK, false},
        {ACK, ACK | FAILED, ACK | FAILED, false},
        {0, FAILED, FAILED, false},
        {FAILED, FAILED | ACK, FAILED, true}, /* given up is given up */
        {FAILED, 0, 0, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        drv_set(&t, R_STATUS, 0);
        drv_set(&t, R_STATUS, cases[i].first);
        cr_assert_eq(drv_get(&t, R_STATUS), cases[i].first);
        uint64_t before = drv_errors(&t);
        drv_set(&t, R_STATUS, cases[i].then);
        cr_expect_eq(drv_get(&t, R_STATUS), cases[i].result, "case %zu", i);
        cr_expect_eq(drv_errors(&t) != before, cases[i].error, "case %zu", i);
    }
}

static uint64_t offered(void)
{
    uint64_t f = 0;
    for (uint32_t word = 0; word < 2; word++) {
        drv_set(&t, R_DEVICE_FEATURES_SEL, word);
        f |= (uint64_t)drv_get(&t, R_DEVICE_FEATURES) << (32 * word);
    }
    return f;
}

Test(virtio_status, features_must_be_offered)
{
    uint64_t all = offered();
    cr_assert(all & VIRTIO_F_VERSION_1);
    cr_assert(all & VIRTIO_F_RING_INDIRECT_DESC);
    cr_assert(all & VIRTIO_F_RING_EVENT_IDX);
    for (uint32_t word = 2; word < 5; word++) {
        drv_set(&t, R_DEVICE_FEATURES_SEL, word);
        cr_assert_eq(drv_get(&t, R_DEVICE_FEATURES), 0);
    }
    cr_expect_eq(drv_negotiate(&t, all), ACK | DRIVER | FEAT);
    cr_expect_eq(drv_negotiate(&t, all & ~VIRTIO_F_VERSION_1), ACK | DRIVER);
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t f = VIRTIO_F_VERSION_1 | 1ULL << bit;
        bool known = (all & (1ULL << bit)) != 0;
        cr_expect_eq(drv_negotiate(&t, f), ACK | DRIVER | (known ? FEAT : 0), "bit %u", bit);
    }
    /* A refused driver may try again with fewer. */
    drv_negotiate(&t, all | 1);
    drv_set(&t, R_DRIVER_FEATURES_SEL, 0);
    drv_set(&t, R_DRIVER_FEATURES, 0);
    drv_set(&t, R_STATUS, ACK | DRIVER | FEAT);
    cr_expect_eq(drv_get(&t, R_STATUS), ACK | DRIVER | FEAT);
}

Test(virtio_status, features_are_accepted_between_driver_and_features_ok)
{
    drv_set(&t, R_DRIVER_FEATURES_SEL, 1);
    drv_set(&t, R_DRIVER_FEATURES, 1);
    drv_set(&t, R_STATUS, ACK);
    drv_set(&t, R_DRIVER_FEATURES, 1);
    cr_expect_eq(drv_errors(&t), 2);
    drv_set(&t, R_STATUS, ACK | DRIVER);
    drv_set(&t, R_STATUS, ACK | DRIVER | FEAT);
    cr_expect_eq(drv_get(&t, R_STATUS), ACK | DRIVER);
    cr_expect_eq(drv_negotiate(&t, VIRTIO_F_VERSION_1), ACK | DRIVER | FEAT);
    drv_set(&t, R_DRIVER_FEATURES, 0);
    cr_expect_eq(t.blk->v.driver_features, VIRTIO_F_VERSION_1);
    /* Bits above 63 do not exist; accepting none of them is no mistake. */
    drv_negotiate(&t, VIRTIO_F_VERSION_1);
    drv_set(&t, R_STATUS, 0);
    drv_set(&t, R_STATUS, ACK | DRIVER);
    drv_set(&t, R_DRIVER_FEATURES_SEL, 2);
    uint64_t before = drv_errors(&t);
    drv_set(&t, R_DRIVER_FEATURES, 0);
    cr_expect_eq(drv_errors(&t), before);
    drv_set(&t, R_DRIVER_FEATURES, 1);
    cr_expect_eq(drv_errors(&t), before + 1);
}

/* --- reset --------------------------------------------------------------------------- */

Test(virtio_status, reset_forgets_everything)
{
    drv_start(&t, VIRTIO_F_RING_EVENT_IDX);
    drv_run(&t, 0, 0, 0, 512, true, NULL);
    drv_set(&t, R_DEVICE_FEATURES_SEL, 1);
    drv_set(&t, R_QUEUE_SEL, 0);
    drv_set(&t, R_STATUS, 0);
    cr_expect_eq(drv_get(&t, R_STATUS), 0);
    cr_expect_eq(drv_get(&t, R_INTERRUPT_STATUS), 0);
    cr_expect_eq(drv_get(&t, R_QUEUE_READY), 0);
    cr_expect_neq(drv_get(&t, R_DEVICE_FEATURES), 1); /* the low half again */
    cr_expect_eq(t.blk->v.driver_features, 0);
    cr_expect_eq(t.blk->v.queues[0].layout.desc, 0);
    drv_set(&t, R_STATUS, 0); /* and again */
    drv_start(&t, 0);
    cr_expect_eq(drv_run(&t, 0, 0, 0, 512, true, NULL), BLK_S_OK);
}

Test(virtio_status, requests_in_flight_do_not_touch_a_broken_ring)
{
    drv_start(&t, 0);
    disk.hold = true;
    drv_request(&t, 0, 0, 0, 0, 512, true);
    drv_kick(&t);
    drv_sync(&t);
    drv_offer(&t, 0xffff);
    drv_kick(&t);
    drv_sync(&t);
    drv_release(&t, &disk);
    uint32_t id, len;
    cr_expect_not(drv_used(&t, &id, &len));
    cr_expect_eq(drv_get(&t, R_INTERRUPT_STATUS), 2);
}

static uint8_t status_in_drain;

static void look_at_status(struct fake_block *fb)
{
    (void)fb;
    status_in_drain = virtio_status(&t.blk->v);
}

Test(virtio_status, status_reads_zero_only_when_requests_in_flight_ended)
{
    drv_start(&t, 0);
    disk.hold = true;
    disk.on_drain = look_at_status;
    for (unsigned i = 0; i < 20; i++) {
        drv_request(&t, 3 * i, 0, i, 512 * i, 512, true);
    }
    drv_kick(&t);
    drv_sync(&t);
    cr_expect_eq(disk.held_count, 20);
    drv_set(&t, R_STATUS, 0);
    cr_expect_eq(status_in_drain, ACK | DRIVER | FEAT | OK);
    cr_expect_eq(disk.drained, 20);
    cr_expect_eq(disk.held_count, 0);
    cr_expect_eq(drv_get(&t, R_STATUS), 0);
    cr_expect_eq(drv_get(&t, R_INTERRUPT_STATUS), 0);
    /* Memory is the guest's again: what comes later changes nothing. */
    memset(drv_ram(&t, DRV_DESC), 0x5a, DRV_DATA - DRV_DESC);
    drv_sync(&t);
    for (uint64_t i = DRV_DESC; i < DRV_DATA; i++) {
        cr_assert_eq(*drv_ram(&t, i), 0x5a);
    }
    disk.hold = false;
    drv_start(&t, 0);
    cr_expect_eq(drv_run(&t, 0, 0, 0, 512, true, NULL), BLK_S_OK);
}

Test(virtio_status, a_machine_reset_and_the_end_drain_too)
{
    drv_start(&t, 0);
    disk.hold = true;
    drv_request(&t, 0, 0, 0, 0, 512, true);
    drv_kick(&t);
    drv_sync(&t);
    device_reset(t.d);
    cr_expect_eq(disk.drained, 1);
    drv_start(&t, 0);
    drv_request(&t, 0, 0, 0, 0, 512, true);
    drv_kick(&t);
    drv_sync(&t);
    cr_expect_eq(disk.held_count, 1); /* teardown frees the device */
}
