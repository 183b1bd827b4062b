/*
 * uart16550: posted transmission. The test plays KVM: a listener that notes
 * which writes are coalesced, and a ring that the device's machine drains.
 */
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>
#include <errno.h>

#define COM1 0x3f8

enum { DATA, IER, IIR_FCR, LCR, MCR, LSR };

static struct fake_machine m;
static struct device *d;
static struct aspace_listener listener;
static bool posted;       /* what KVM was told */
static unsigned added;    /* how often */
static int refuse;        /* what the listener answers */
static uint8_t ring[256]; /* bytes written and not yet drained */
static size_t ring_len;
static unsigned drains;

static int posted_add(struct aspace_listener *l, const struct flat_posted *p)
{
    (void)l;
    cr_expect_eq(p->write.kind, POSTED_COALESCED);
    cr_expect_eq(p->addr, COM1);
    cr_expect_eq(p->write.size, 1);
    posted = refuse == 0;
    added++;
    return refuse;
}

static void posted_del(struct aspace_listener *l, const struct flat_posted *p)
{
    (void)l, (void)p;
    posted = false;
}

static void drain(void *opaque)
{
    (void)opaque;
    drains++;
    for (size_t i = 0; i < ring_len; i++) {
        fake_write(m.io, COM1, ring[i], 1);
    }
    ring_len = 0;
}

/* Any access but a write to THR exits, and an exit drains first. */
static uint8_t rd(unsigned reg)
{
    drain(NULL);
    return (uint8_t)fake_read(m.io, COM1 + reg, 1);
}

static void wr(unsigned reg, uint8_t value)
{
    if (reg == DATA && posted) {
        ring[ring_len++] = value;
        return;
    }
    drain(NULL);
    fake_write(m.io, COM1 + reg, value, 1);
}

static void print(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        rd(LSR);
        wr(DATA, (uint8_t)('a' + i % 26));
    }
}

static void pass(uint64_t ms)
{
    fake_clock_advance(&m.clock, ms * NS_PER_MS);
    loop_poll(m.loop);
}

static void setup(void)
{
    fake_machine_init(&m, 0);
    m.env.drain_posted = drain;
    listener.posted_add = posted_add;
    listener.posted_del = posted_del;
    cr_assert_eq(aspace_listen(m.io, &listener), 0);
    d = fake_device(&m, "uart16550", NULL);
}

static void teardown(void)
{
    device_free(d);
    aspace_unlisten(m.io, &listener);
    fake_machine_free(&m);
}

TestSuite(uart_posted, .init = setup, .fini = teardown);

Test(uart_posted, begins_after_16_bytes_on_the_loop)
{
    print(15);
    loop_poll(m.loop);
    cr_expect(!posted);
    print(1);
    cr_expect(!posted, "not in the vCPU's callback");
    loop_poll(m.loop);
    cr_expect(posted);
    print(1000);
    drain(NULL);
    cr_expect_eq(m.console.out_len, 1016);
    cr_expect_eq(m.console.out[1015], 'a' + 999 % 26);
    cr_expect_eq(added, 1);
}

Test(uart_posted, the_last_byte_is_at_most_10_ms_late)
{
    print(16);
    loop_poll(m.loop);
    print(1);
    cr_assert_eq(ring_len, 1);
    pass(9);
    cr_expect_eq(ring_len, 1);
    pass(1);
    cr_expect_eq(ring_len, 0);
    cr_expect_eq(m.console.out_len, 17);
}

Test(uart_posted, ends_after_100_ms_without_a_byte_and_begins_again)
{
    print(16);
    loop_poll(m.loop);
    pass(10);
    for (unsigned i = 0; i < 9; i++) {
        pass(10);
        cr_expect(posted, "tick %u", i);
    }
    print(1); /* one more byte in time */
    for (unsigned i = 0; i < 10; i++) {
        pass(10);
        cr_expect(posted, "tick %u after it", i);
    }
    pass(10);
    cr_expect(!posted);
    unsigned before = drains;
    pass(1000);
    pass(1000);
    cr_expect_eq(drains, before, "an idle guest costs nothing");
    print(15);
    loop_poll(m.loop);
    cr_expect(!posted);
    print(1);
    loop_poll(m.loop);
    cr_expect(posted);
}

Test(uart_posted, a_byte_between_the_last_drain_and_the_end_is_not_left_behind)
{
    print(16);
    loop_poll(m.loop);
    wr(DATA, 'z');
    wr(IER, 0x02);
    ring[ring_len++] = '!'; /* from another vCPU, before KVM forgets the zone */
    loop_poll(m.loop);
    cr_expect(!posted);
    cr_expect_eq(ring_len, 0);
    cr_expect_eq(m.console.out[m.console.out_len - 1], '!');
}

Test(uart_posted, transmit_interrupts_end_it)
{
    print(16);
    loop_poll(m.loop);
    wr(IER, 0x02);
    loop_poll(m.loop);
    cr_expect(!posted);
    print(1000);
    loop_poll(m.loop);
    cr_expect(!posted, "not while they are on");
    wr(IER, 0x00);
    print(16);
    loop_poll(m.loop);
    cr_expect(posted);
}

Test(uart_posted, order_with_dlab_and_loopback_is_kept)
{
    print(16);
    loop_poll(m.loop);
    wr(DATA, '1');
    wr(LCR, 0x80);
    wr(DATA, 0x0c);
    cr_expect_eq(ring_len, 1, "the divisor byte waits too");
    wr(LCR, 0x03);
    wr(DATA, '2');
    wr(MCR, 0x10);
    wr(DATA, 'L');
    cr_expect_eq(rd(LSR), 0x61);
    cr_expect_eq(rd(DATA), 'L');
    wr(MCR, 0x00);
    wr(LCR, 0x80);
    cr_expect_eq(rd(DATA), 0x0c);
    cr_assert_eq(m.console.out_len, 18);
    cr_expect_eq(m.console.out[16], '1');
    cr_expect_eq(m.console.out[17], '2');
}

Test(uart_posted, reset_ends_it)
{
    print(16);
    loop_poll(m.loop);
    device_reset(d);
    loop_poll(m.loop);
    cr_expect(!posted);
}

Test(uart_posted, freeing_the_device_ends_it)
{
    print(16);
    loop_poll(m.loop);
    cr_assert(posted);
    device_free(d);
    d = NULL;
    cr_expect(!posted);
    loop_poll(m.loop);
}

Test(uart_posted, a_listener_that_refuses_leaves_it_off)
{
    refuse = -ENOSPC;
    print(16);
    loop_poll(m.loop);
    print(1000);
    loop_poll(m.loop);
    cr_expect_eq(added, 1, "not tried again and again");
    cr_expect_eq(m.console.out_len, 1016);
}

Test(uart_posted, is_off_without_a_ring_or_by_property)
{
    device_free(d);
    d = fake_device(&m, "uart16550", "posted_tx=off");
    print(1000);
    loop_poll(m.loop);
    cr_expect_eq(added, 0);
    device_free(d);
    m.env.drain_posted = NULL;
    d = fake_device(&m, "uart16550", NULL);
    print(1000);
    loop_poll(m.loop);
    cr_expect_eq(added, 0);
}
