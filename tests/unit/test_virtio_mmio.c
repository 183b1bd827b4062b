/*
 * The virtio-mmio transport: every register at every offset and width, queues,
 * doorbells, interrupts. The status machine is in test_virtio_status.c.
 */
#include "src/base/le.h"
#include "src/mem/flatview.h"
#include "tests/unit/fake_driver.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

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

TestSuite(virtio, .init = setup, .fini = teardown);

#define ACK    VIRTIO_ACKNOWLEDGE
#define DRIVER VIRTIO_DRIVER
#define FEAT   VIRTIO_FEATURES_OK
#define OK     VIRTIO_DRIVER_OK
#define FAILED VIRTIO_FAILED
#define NEEDS  VIRTIO_NEEDS_RESET

/* --- registers ----------------------------------------------------------------- */

Test(virtio, identifies_itself)
{
    cr_expect_eq(drv_get(&t, R_MAGIC), 0x74726976);
    cr_expect_eq(drv_get(&t, R_VERSION), 2);
    cr_expect_eq(drv_get(&t, R_DEVICE_ID), 2);
    cr_expect_eq(drv_get(&t, R_STATUS), 0);
    cr_expect_eq(drv_get(&t, R_QUEUE_NUM_MAX), 256);
    cr_expect_eq(drv_get(&t, R_QUEUE_READY), 0);
    cr_expect_eq(drv_get(&t, R_INTERRUPT_STATUS), 0);
    for (uint32_t id = 0; id < 3; id++) {
        drv_set(&t, R_SHM_SEL, id);
        cr_expect_eq(drv_get(&t, R_SHM_LEN), UINT32_MAX);
        cr_expect_eq(drv_get(&t, R_SHM_LEN + 4), UINT32_MAX);
        cr_expect_eq(drv_get(&t, R_SHM_BASE), UINT32_MAX);
        cr_expect_eq(drv_get(&t, R_SHM_BASE + 4), UINT32_MAX);
    }
    cr_expect_eq(drv_errors(&t), 0);
}

static bool one_of(uint32_t reg, const uint32_t *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i] == reg) {
            return true;
        }
    }
    return false;
}

/* Registers that can be read; all others, and all other widths, read as 0 and are counted. */
static const uint32_t readable[] = {0x00, 0x04, 0x08, 0x0c, 0x10, 0x34, 0x44,
                                    0x60, 0x70, 0xb0, 0xb4, 0xb8, 0xbc, 0xfc};
static const uint32_t writable[] = {0x14, 0x20, 0x24, 0x30, 0x38, 0x44, 0x50, 0x64,
                                    0x70, 0x80, 0x84, 0x90, 0x94, 0xa0, 0xa4, 0xac};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

Test(virtio, only_whole_registers_can_be_read)
{
    for (uint32_t off = 0; off < 0x100; off++) {
        for (unsigned size = 1; size <= 8 && off + size <= 0x100; size *= 2) {
            uint64_t before = drv_errors(&t);
            uint64_t value = fake_read(t.machine.mem, DRV_BASE + off, size);
            bool fine = size == 4 && one_of(off, readable, COUNT(readable));
            cr_expect_eq(drv_errors(&t) - before, fine ? 0 : 1, "0x%x size %u", off, size);
            cr_expect(fine || value == 0, "0x%x size %u", off, size);
        }
    }
}

Test(virtio, only_whole_registers_can_be_written)
{
    /* Queue registers count a write to a queue that does not exist: choose one that does. */
    for (uint32_t off = 0; off < 0x100; off++) {
        for (unsigned size = 1; size <= 8 && off + size <= 0x100; size *= 2) {
            bool fine = size == 4 && one_of(off, writable, COUNT(writable));
            if (fine) {
                continue; /* each has its own test */
            }
            uint64_t before = drv_errors(&t);
            fake_write(t.machine.mem, DRV_BASE + off, UINT64_MAX, size);
            cr_expect_eq(drv_errors(&t) - before, 1, "0x%x size %u", off, size);
        }
    }
    cr_expect_eq(drv_get(&t, R_MAGIC), 0x74726976);
    cr_expect_eq(drv_get(&t, R_STATUS), 0);
    cr_expect_eq(drv_get(&t, R_INTERRUPT_STATUS), 0);
}

/* Any value to any register in any state: no crash, and still alive after a reset. */
Test(virtio, survives_any_write)
{
    static const uint32_t values[] = {
        0, 1, 2, 3, 7, 0xf, 0x40, 0x80, 0xff, 0x100, 0x10000, 0x7fffffff, 0x80000000, UINT32_MAX};
    for (unsigned state = 0; state < 3; state++) {
        for (size_t r = 0; r < COUNT(writable); r++) {
            for (size_t i = 0; i < COUNT(values); i++) {
                if (state > 0) {
                    drv_negotiate(&t, VIRTIO_F_VERSION_1);
                }
                if (state > 1) {
                    drv_setup_queue(&t, 4);
                    drv_set(&t, R_STATUS, ACK | DRIVER | FEAT | OK);
                }
                drv_set(&t, writable[r], values[i]);
                drv_set(&t, R_QUEUE_READY, 1);
                drv_kick(&t);
            }
        }
    }
    drv_start(&t, 0);
    cr_expect_eq(drv_run(&t, 0, 0, 0, 512, true, NULL), BLK_S_OK);
}

Test(virtio, configuration_is_read_by_bytes_words_and_dwords)
{
    uint8_t bytes[0x100];
    for (uint32_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)fake_read(t.machine.mem, DRV_BASE + R_CONFIG + i, 1);
    }
    cr_expect_eq(get_le64(bytes), 2048);
    for (uint32_t i = 0; i < sizeof(bytes); i += 2) {
        cr_expect_eq(fake_read(t.machine.mem, DRV_BASE + R_CONFIG + i, 2), get_le16(bytes + i));
        cr_expect(i % 4 != 0 || drv_get(&t, R_CONFIG + i) == get_le32(bytes + i));
    }
    cr_expect_eq(drv_errors(&t), 0);
    cr_expect_eq(fake_read(t.machine.mem, DRV_BASE + R_CONFIG + 1, 2), 0);
    cr_expect_eq(fake_read(t.machine.mem, DRV_BASE + R_CONFIG + 2, 4), 0);
    cr_expect_eq(fake_read(t.machine.mem, DRV_BASE + R_CONFIG, 8), 0);
    cr_expect_eq(drv_errors(&t), 3);
}

/* --- queues --------------------------------------------------------------------- */

Test(virtio, queues_that_do_not_exist_read_zero_and_cannot_be_set_up)
{
    drv_negotiate(&t, VIRTIO_F_VERSION_1);
    static const uint32_t none[] = {1, 2, 0x100, 0x10000, UINT32_MAX};
    for (size_t i = 0; i < COUNT(none); i++) {
        uint64_t before = drv_errors(&t);
        drv_set(&t, R_QUEUE_SEL, none[i]);
        cr_expect_eq(drv_get(&t, R_QUEUE_NUM_MAX), 0);
        cr_expect_eq(drv_get(&t, R_QUEUE_READY), 0);
        drv_set(&t, R_QUEUE_NUM, 8);
        drv_set(&t, R_QUEUE_READY, 1);
        cr_expect_eq(drv_get(&t, R_QUEUE_READY), 0);
        drv_set(&t, R_QUEUE_NOTIFY, none[i]);
        cr_expect_eq(drv_errors(&t), before + 3);
    }
    cr_expect_eq(drv_get(&t, R_STATUS), ACK | DRIVER | FEAT);
}

Test(virtio, a_queue_is_not_ready_before_features_ok)
{
    drv_set(&t, R_STATUS, ACK | DRIVER);
    drv_setup_queue(&t, 16);
    cr_expect_eq(drv_get(&t, R_QUEUE_READY), 0);
    cr_expect_eq(drv_errors(&t), 1);
}

Test(virtio, an_impossible_queue_needs_a_reset)
{
    static const uint32_t sizes[] = {0, 3, 512, 32768, 65536, 65544, UINT32_MAX};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        drv_negotiate(&t, VIRTIO_F_VERSION_1);
        drv_setup_queue(&t, 16);
        drv_set(&t, R_QUEUE_READY, 0);
        drv_set(&t, R_QUEUE_NUM, sizes[i]);
        drv_set(&t, R_QUEUE_READY, 1);
        cr_expect_eq(drv_get(&t, R_STATUS), ACK | DRIVER | FEAT | NEEDS, "size %u", sizes[i]);
    }
    for (uint32_t reg = R_QUEUE_DESC; reg <= R_QUEUE_DEVICE; reg += 0x10) {
        drv_negotiate(&t, VIRTIO_F_VERSION_1);
        drv_setup_queue(&t, 16);
        drv_set(&t, R_QUEUE_READY, 0);
        drv_set(&t, reg + 4, 1); /* far behind RAM */
        drv_set(&t, R_QUEUE_READY, 1);
        cr_expect_eq(drv_get(&t, R_STATUS), ACK | DRIVER | FEAT | NEEDS);
    }
    cr_expect_eq(drv_get(&t, R_QUEUE_READY), 1);     /* reads what was written */
    cr_expect_eq(t.machine.irqs.pulses[DRV_GSI], 0); /* no driver is up to be told */
    drv_set(&t, R_STATUS, ACK | DRIVER | FEAT | OK);
    cr_expect_eq(drv_get(&t, R_STATUS), ACK | DRIVER | FEAT | OK | NEEDS);
    cr_expect_eq(drv_get(&t, R_INTERRUPT_STATUS), 2);
    cr_expect_eq(t.machine.irqs.pulses[DRV_GSI], 1);
    cr_expect_eq(aspace_view(t.machine.mem)->posted_count, 0); /* it does not run */
    drv_kick(&t);
    drv_sync(&t);
    drv_set(&t, R_QUEUE_READY, 0);
    drv_set(&t, R_QUEUE_READY, 1); /* the same again is not told again */
    cr_expect_eq(t.machine.irqs.pulses[DRV_GSI], 1);
    drv_set(&t, R_QUEUE_READY, 0);
    drv_setup_queue(&t, 16); /* up, but the reset is still due */
    cr_expect_eq(drv_run(&t, 0, 0, 0, 512, true, NULL), BLK_S_OK);
}

Test(virtio, a_ready_queue_keeps_its_layout)
{
    drv_start(&t, 0);
    uint64_t before = drv_errors(&t);
    drv_set(&t, R_QUEUE_NUM, 4);
    for (uint32_t reg = R_QUEUE_DESC; reg <= R_QUEUE_DEVICE; reg += 0x10) {
        drv_set(&t, reg, 0);
        drv_set(&t, reg + 4, 0);
    }
    cr_expect_eq(drv_errors(&t), before + 7);
    cr_expect_eq(drv_run(&t, 0, 0, 0, 512, true, NULL), BLK_S_OK);
}

Test(virtio, a_queue_stops_and_starts_again)
{
    drv_start(&t, 0);
    cr_expect_eq(drv_run(&t, 0, 0, 0, 512, true, NULL), BLK_S_OK);
    drv_set(&t, R_QUEUE_READY, 0);
    cr_expect_eq(drv_get(&t, R_QUEUE_READY), 0);
    drv_request(&t, 0, 0, 0, 0, 512, true);
    drv_kick(&t); /* counted, and nothing else */
    drv_sync(&t);
    cr_expect_eq(drv_status(&t, 0), 0xee);
    drv_setup_queue(&t, 8);
    cr_expect_eq(drv_get(&t, R_QUEUE_READY), 1);
    cr_expect_eq(drv_run(&t, 0, 0, 0, 512, true, NULL), BLK_S_OK);
}

Test(virtio, requests_before_driver_ok_are_found_at_driver_ok)
{
    drv_negotiate(&t, VIRTIO_F_VERSION_1);
    drv_setup_queue(&t, 16);
    drv_request(&t, 0, 0, 0, 0, 512, true);
    drv_kick(&t);
    drv_sync(&t);
    cr_expect_eq(drv_status(&t, 0), 0xee);
    drv_set(&t, R_STATUS, ACK | DRIVER | FEAT | OK);
    drv_sync(&t);
    cr_expect_eq(drv_status(&t, 0), BLK_S_OK);
}

/* --- doorbells -------------------------------------------------------------------- */

Test(virtio, a_running_queue_has_a_doorbell)
{
    const struct flatview *v = aspace_view(t.machine.mem);
    cr_expect_eq(v->posted_count, 0);
    drv_negotiate(&t, VIRTIO_F_VERSION_1);
    drv_setup_queue(&t, 16);
    cr_expect_eq(aspace_view(t.machine.mem)->posted_count, 0);
    drv_set(&t, R_STATUS, ACK | DRIVER | FEAT | OK);
    v = aspace_view(t.machine.mem);
    cr_assert_eq(v->posted_count, 1);
    const struct flat_posted *p = &v->posted[0];
    cr_expect_eq(p->addr, DRV_BASE + R_QUEUE_NOTIFY);
    cr_expect_eq(p->write.kind, POSTED_EVENTFD);
    cr_expect_eq(p->write.size, 4);
    cr_expect(p->write.match && p->write.value == 0);
    cr_expect_eq(p->write.fd, t.blk->v.queues[0].kick_fd);
    /* What KVM does with a kick. */
    drv_request(&t, 0, 0, 0, 0, 512, true);
    uint64_t one = 1;
    cr_assert_eq(write(p->write.fd, &one, sizeof(one)), sizeof(one));
    drv_sync(&t);
    cr_expect_eq(drv_status(&t, 0), BLK_S_OK);
    drv_set(&t, R_QUEUE_READY, 0);
    cr_expect_eq(aspace_view(t.machine.mem)->posted_count, 0);
    drv_setup_queue(&t, 16);
    cr_expect_eq(aspace_view(t.machine.mem)->posted_count, 1);
    drv_set(&t, R_STATUS, 0);
    cr_expect_eq(aspace_view(t.machine.mem)->posted_count, 0);
}

/* --- interrupts -------------------------------------------------------------------- */

Test(virtio, an_interrupt_is_an_edge_with_its_bit_set_before)
{
    drv_start(&t, 0);
    drv_run(&t, 0, 0, 0, 512, true, NULL);
    cr_expect_eq(t.machine.irqs.pulses[DRV_GSI], 1);
    cr_expect_eq(drv_get(&t, R_INTERRUPT_STATUS), 1);
    drv_run(&t, 0, 0, 0, 512, true, NULL); /* not acknowledged yet: still an edge */
    cr_expect_eq(t.machine.irqs.pulses[DRV_GSI], 2);
    drv_set(&t, R_INTERRUPT_ACK, 1);
    cr_expect_eq(drv_get(&t, R_INTERRUPT_STATUS), 0);
    cr_expect_eq(t.machine.irqs.pulses[DRV_GSI], 2);
    drv_set(&t, R_INTERRUPT_ACK, UINT32_MAX);
    cr_expect_eq(t.machine.irqs.pulses[DRV_GSI], 2);
}

static void break_ring(void)
{
    drv_offer(&t, 0xffff);
    drv_kick(&t);
    drv_sync(&t);
}

Test(virtio, bits_left_after_an_acknowledgement_give_another_edge)
{
    drv_start(&t, 0);
    drv_run(&t, 0, 0, 0, 512, true, NULL);
    break_ring();
    cr_expect_eq(drv_get(&t, R_INTERRUPT_STATUS), 3);
    cr_expect_eq(t.machine.irqs.pulses[DRV_GSI], 2);
    drv_set(&t, R_INTERRUPT_ACK, 1);
    cr_expect_eq(drv_get(&t, R_INTERRUPT_STATUS), 2);
    cr_expect_eq(t.machine.irqs.pulses[DRV_GSI], 3);
    drv_set(&t, R_INTERRUPT_ACK, 2);
    cr_expect_eq(t.machine.irqs.pulses[DRV_GSI], 3);
}

Test(virtio, a_broken_ring_needs_a_reset_and_works_after_it)
{
    drv_start(&t, 0);
    uint64_t before = drv_errors(&t);
    break_ring();
    cr_expect_eq(drv_get(&t, R_STATUS), ACK | DRIVER | FEAT | OK | NEEDS);
    cr_expect_eq(drv_get(&t, R_INTERRUPT_STATUS), 2);
    cr_expect_eq(drv_errors(&t), before + 1);
    /* It stopped: neither good requests nor kicks do anything, or are told again. */
    drv_request(&t, 0, 0, 0, 0, 512, true);
    drv_kick(&t);
    drv_sync(&t);
    cr_expect_eq(drv_status(&t, 0), 0xee);
    cr_expect_eq(drv_errors(&t), before + 1);
    cr_expect_eq(t.machine.irqs.pulses[DRV_GSI], 1);
    drv_start(&t, 0);
    cr_expect_eq(drv_get(&t, R_INTERRUPT_STATUS), 0);
    cr_expect_eq(drv_run(&t, 0, 0, 0, 512, true, NULL), BLK_S_OK);
}

/* --- the property of a place --------------------------------------------------------- */

Test(virtio, a_device_without_a_place_is_refused)
{
    struct err e = ERR_INIT;
    struct fake_block other;
    fake_block_init(&other, 512, false);
    struct device *d = device_new(&virtio_blk_class, "x", &t.machine.env, &e);
    DEVICE_STATE(struct virtio_blk, d)->block = &other.block;
    device_set(d, "file", "fake", &e);
    cr_expect_eq(device_realize(d, &e), -EINVAL);
    cr_expect_not_null(strstr(e.what, "addr"));
    device_free(d);
    fake_block_free(&other);
}
