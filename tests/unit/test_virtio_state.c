/*
 * Devices with threads in snapshots: a disk whose driver has requests on their way, edu in the
 * middle of a computation and a transfer. And records that say what cannot be.
 */
#include "src/device_state.h"
#include "tests/unit/edu_fixture.h"
#include "tests/unit/fake_driver.h"

#include <criterion/criterion.h>
#include <string.h>

static struct fake_driver before, after;
static struct fake_block disk_before, disk_after;

static void setup(void)
{
    fake_block_init(&disk_before, DISK_SIZE, false);
    fake_block_init(&disk_after, DISK_SIZE, false);
    drv_init(&before, &disk_before, NULL);
    drv_init(&after, &disk_after, NULL);
}

static void teardown(void)
{
    drv_free(&before);
    drv_free(&after);
    fake_block_free(&disk_before);
    fake_block_free(&disk_after);
}

TestSuite(virtio_state, .init = setup, .fini = teardown);

/* The machine `after` goes on where `before` is: RAM, driver, device. */
static int move(struct err *e)
{
    struct pack record = {0};
    device_pause(before.d);
    device_state_save(before.d, &record);
    memcpy(after.machine.ram, before.machine.ram, before.machine.ram_size);
    after.num = before.num;
    after.avail_idx = before.avail_idx;
    after.used_idx = before.used_idx;
    struct unpack in = {.data = record.data, .len = record.len};
    const int ret = device_state_load(after.d, &in, e);
    if (ret == 0) {
        device_resume(after.d);
        drv_sync(&after);
    }
    device_resume(before.d);
    pack_free(&record);
    return ret;
}

Test(virtio_state, requests_offered_and_not_taken_are_taken_by_the_loaded_machine)
{
    struct err e = ERR_INIT;
    uint32_t id, len;
    drv_start(&before, DISK_FEATURES);
    cr_expect_eq(drv_run(&before, IN, 3, 0, 512, true, NULL), BLK_S_OK);
    drv_request(&before, 3, IN, 5, 512, 512, true); /* offered, not kicked */
    cr_assert_eq(move(&e), 0, "%s", e.what);
    cr_assert(drv_used(&after, &id, &len));
    cr_expect_eq(id, 3);
    cr_expect_arr_eq(drv_ram(&after, DRV_DATA + 512), disk_after.data + 5 * 512, 512);
    cr_expect_eq(drv_run(&after, IN, 7, 1024, 512, true, NULL), BLK_S_OK);
    cr_expect_arr_eq(drv_ram(&after, DRV_DATA + 1024), disk_after.data + 7 * 512, 512);
}

Test(virtio_state, requests_in_flight_end_before_it_is_saved)
{
    struct err e = ERR_INIT;
    uint32_t id, len;
    drv_start(&before, DISK_FEATURES);
    disk_before.hold = true;
    drv_request(&before, 0, IN, 2, 0, 512, true);
    drv_kick(&before);
    drv_sync(&before);
    cr_assert_eq(disk_before.held_count, 1);
    cr_assert_eq(move(&e), 0, "%s", e.what);
    cr_assert(drv_used(&after, &id, &len), "it ended, and the loaded machine knows");
    cr_expect_eq(drv_status(&after, 0), BLK_S_OK);
    cr_expect_gt(after.machine.irqs.pulses[DRV_GSI] + after.machine.msis[0].sent, 0);
}

Test(virtio_state, a_driver_in_the_middle_of_its_handshake_goes_on)
{
    struct err e = ERR_INIT;
    drv_negotiate(&before, DISK_FEATURES | VIRTIO_F_VERSION_1);
    cr_assert_eq(move(&e), 0, "%s", e.what);
    cr_expect_eq(drv_get(&after, R_STATUS), drv_get(&before, R_STATUS));
    drv_setup_queue(&after, 8);
    drv_set(&after, R_STATUS, drv_get(&after, R_STATUS) | VIRTIO_DRIVER_OK);
    cr_expect_eq(drv_run(&after, IN, 0, 0, 512, true, NULL), BLK_S_OK);
}

/* As if forged: the state of `before` is changed where a guest could not. */
Test(virtio_state, what_no_driver_could_have_done_is_refused_or_harmless)
{
    struct err e = ERR_INIT;
    drv_start(&before, DISK_FEATURES);
    device_pause(before.d);
    struct virtio_device *v = &before.blk->v;
    const uint64_t features = v->driver_features;
    v->driver_features |= 1ULL << 60;
    cr_expect_lt(move(&e), 0);
    cr_expect(strstr(e.what, "features 0x1000000000000000") != NULL, "%s", e.what);
    v->driver_features = features;
    const uint8_t status = v->status;
    v->status = VIRTIO_DRIVER_OK;
    cr_expect_lt(move(&e), 0);
    v->status = status | 0x20;
    cr_expect_lt(move(&e), 0);
    v->status = status;

    v->queues[0].layout.desc = UINT64_MAX - 15; /* as a driver might have written it */
    cr_expect_eq(move(&e), 0, "%s", e.what);
    cr_expect_neq(drv_get(&after, R_STATUS) & VIRTIO_NEEDS_RESET, 0);
    drv_kick(&after);
    drv_sync(&after);
    cr_expect_eq(after.blk->v.queues[0].mapped, false);
}

/* --- edu ---------------------------------------------------------------- */

TestSuite(edu_state, .init = edu_setup, .fini = edu_teardown);

/* A new edu, in the same machine and at the same time, with the state of the old one. */
static void replace(void)
{
    struct err e = ERR_INIT;
    struct pack record = {0};
    device_pause(edu);
    device_state_save(edu, &record);
    edu_remake(NULL);
    struct unpack in = {.data = record.data, .len = record.len};
    cr_assert_eq(device_state_load(edu, &in, &e), 0, "%s", e.what);
    device_resume(edu);
    pack_free(&record);
}

Test(edu_state, a_computation_is_done_by_the_loaded_device)
{
    device_lock(edu); /* so that its worker waits */
    locked_write(FACTORIAL, 6);
    cr_expect_eq(locked_read(STATUS) & COMPUTING, COMPUTING);
    edu->cls->loaded(edu, NULL); /* harmless */
    device_unlock(edu);
    replace();
    cr_expect_eq(factorial_result(), 720);
}

Test(edu_state, a_transfer_ends_when_it_was_to_end)
{
    machine.ram[0x2000] = 0x77;
    dma_start(0x2000, BUFFER, 16, RUN | TO_BUFFER | DMA_IRQ);
    pass(DELAY_NS / 2);
    replace();
    pass(DELAY_NS / 2 - 1);
    cr_expect_neq(get(DMA_CMD) & RUN, 0);
    pass(1);
    cr_expect_eq(get(DMA_CMD) & RUN, 0);
    cr_expect_eq(get(IRQ_STATUS), 0x100);
}
