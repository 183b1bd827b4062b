/*
 * Posted writes, of uart16550, pl011, rtc-cmos and pci-ports. The test plays KVM: a listener that
 * notes which writes are coalesced, and a ring that the device's machine drains.
 */
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>
#include <errno.h>

#define COM1  0x3f8
#define BEGIN 80 /* bytes until posting begins */

enum { DATA, IER, IIR_FCR, LCR, MCR, LSR };

static struct fake_machine m;
static struct device *d;
static struct aspace_listener listener;
static bool posted;    /* what KVM was told */
static unsigned added; /* how often */
static int refuse;     /* what the listener answers */
static struct {
    uint8_t reg, value;
} ring[256]; /* writes not yet drained */
static size_t ring_len;
static uint64_t zone; /* what is posted */
static unsigned zone_size;
static unsigned drains;

static int posted_add(struct aspace_listener *l, const struct flat_posted *p)
{
    (void)l;
    cr_expect_eq(p->write.kind, POSTED_COALESCED);
    zone = p->addr;
    zone_size = p->write.size;
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
        fake_write(m.io, COM1 + ring[i].reg, ring[i].value, 1);
    }
    ring_len = 0;
}

static void post(uint8_t reg, uint8_t value)
{
    ring[ring_len].reg = reg;
    ring[ring_len++].value = value;
}

/* Any access but a posted write exits, and an exit drains first. */
static uint8_t rd(unsigned reg)
{
    drain(NULL);
    return (uint8_t)fake_read(m.io, COM1 + reg, 1);
}

static void wr(unsigned reg, uint8_t value)
{
    if (reg <= IER && posted) {
        post((uint8_t)reg, value);
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

TestSuite(posted, .init = setup, .fini = teardown);

Test(posted, begins_after_80_bytes_on_the_loop)
{
    print(BEGIN - 1);
    loop_poll(m.loop);
    cr_expect(!posted);
    print(1);
    cr_expect(!posted, "not in the vCPU's callback");
    loop_poll(m.loop);
    cr_expect(posted);
    print(1000);
    drain(NULL);
    cr_expect_eq(m.console.out_len, BEGIN + 1000);
    cr_expect_eq(m.console.out[BEGIN + 999], 'a' + 999 % 26);
    cr_expect_eq(added, 1);
}

Test(posted, the_last_byte_is_at_most_20_ms_late)
{
    print(BEGIN);
    loop_poll(m.loop);
    print(1);
    cr_assert_eq(ring_len, 1);
    pass(19);
    cr_expect_eq(ring_len, 1);
    pass(1);
    cr_expect_eq(ring_len, 0);
    cr_expect_eq(m.console.out_len, BEGIN + 1);
}

Test(posted, ends_after_a_second_without_a_byte_and_begins_again)
{
    print(BEGIN);
    loop_poll(m.loop);
    pass(20);
    for (unsigned i = 0; i < 49; i++) {
        pass(20);
        cr_expect(posted, "tick %u", i);
    }
    print(1); /* one more byte in time */
    for (unsigned i = 0; i < 50; i++) {
        pass(20);
        cr_expect(posted, "tick %u after it", i);
    }
    pass(20);
    cr_expect(!posted);
    unsigned before = drains;
    pass(1000);
    pass(1000);
    cr_expect_eq(drains, before, "an idle guest costs nothing");
    print(BEGIN - 1);
    loop_poll(m.loop);
    cr_expect(!posted);
    print(1);
    loop_poll(m.loop);
    cr_expect(posted);
}

Test(posted, a_byte_between_the_last_drain_and_the_end_is_not_left_behind)
{
    print(BEGIN);
    loop_poll(m.loop);
    wr(DATA, 'z');
    wr(IER, 0x02);
    rd(LSR);
    post(DATA, '!'); /* from another vCPU, before KVM forgets the zone */
    loop_poll(m.loop);
    cr_expect(!posted);
    cr_expect_eq(ring_len, 0);
    cr_expect_eq(m.console.out[m.console.out_len - 1], '!');
}

Test(posted, transmit_interrupts_end_it_20_ms_late_at_most)
{
    print(BEGIN);
    loop_poll(m.loop);
    cr_expect_eq(zone, COM1);
    cr_expect_eq(zone_size, 2);
    wr(IER, 0x02);
    cr_expect(!m.irqs.level[4]);
    pass(20);
    cr_expect(m.irqs.level[4]);
    loop_poll(m.loop);
    cr_expect(!posted);
    print(1000);
    loop_poll(m.loop);
    cr_expect(!posted, "not while they are on");
    wr(IER, 0x00);
    print(BEGIN);
    loop_poll(m.loop);
    cr_expect(posted);
}

Test(posted, order_with_dlab_and_loopback_is_kept)
{
    print(BEGIN);
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
    cr_assert_eq(m.console.out_len, BEGIN + 2);
    cr_expect_eq(m.console.out[BEGIN], '1');
    cr_expect_eq(m.console.out[BEGIN + 1], '2');
}

Test(posted, reset_ends_it)
{
    print(BEGIN);
    loop_poll(m.loop);
    device_reset(d);
    loop_poll(m.loop);
    cr_expect(!posted);
}

Test(posted, freeing_the_device_ends_it)
{
    print(BEGIN);
    loop_poll(m.loop);
    cr_assert(posted);
    device_free(d);
    d = NULL;
    cr_expect(!posted);
    loop_poll(m.loop);
}

Test(posted, a_listener_that_refuses_leaves_it_off)
{
    refuse = -ENOSPC;
    print(BEGIN);
    loop_poll(m.loop);
    print(1000);
    loop_poll(m.loop);
    cr_expect_eq(added, 1, "not tried again and again");
    cr_expect_eq(m.console.out_len, BEGIN + 1000);
}

Test(posted, is_off_without_a_ring_or_by_property)
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

/* --- the other users ----------------------------------------------------- */

Test(posted, the_rtc_posts_its_index_from_the_first_use_on)
{
    struct device *rtc = fake_device(&m, "rtc-cmos", NULL);
    fake_write(m.io, 0x70, 0x0d, 1);
    cr_expect_eq(added, 0, "not in the vCPU's callback");
    loop_poll(m.loop);
    cr_expect(posted);
    cr_expect_eq(zone, 0x70);
    cr_expect_eq(zone_size, 1);
    unsigned before = drains;
    pass(100000);
    cr_expect(posted);
    cr_expect_eq(drains, before, "no timer runs for it");
    cr_expect_eq(fake_read(m.io, 0x71, 1), 0x80);
    device_free(rtc);
    cr_expect(!posted);
}

Test(posted, a_scan_of_pci_is_posted_while_it_lasts)
{
    struct device *ports = fake_device(&m, "pci-ports", NULL);
    for (unsigned i = 0; i < 8; i++) {
        fake_write(m.io, 0xcf8, 0x80000000 | i << 11, 4);
        fake_read(m.io, 0xcfc, 4);
    }
    loop_poll(m.loop);
    cr_expect(posted);
    cr_expect_eq(zone, 0xcf8);
    cr_expect_eq(zone_size, 4);
    pass(20);
    cr_expect(posted, "there were writes before the first tick");
    pass(20);
    cr_expect(!posted);
    device_free(ports);
}

Test(posted, the_pl011_posts_data_and_setup_while_a_console_polls)
{
    enum { GPA = 0x09000000, IMSC = 0x38 };
    struct aspace_listener memory = {.posted_add = posted_add, .posted_del = posted_del};
    cr_assert_eq(aspace_listen(m.mem, &memory), 0);
    struct device *pl011 = fake_device(&m, "pl011", NULL);
    for (unsigned i = 0; i < BEGIN; i++) {
        fake_write(m.mem, GPA, 'x', 1);
    }
    loop_poll(m.loop);
    cr_expect(posted);
    cr_expect_eq(zone, GPA);
    cr_expect_eq(zone_size, IMSC + 4);
    fake_write(m.mem, GPA + IMSC, 0x20, 2);
    loop_poll(m.loop);
    cr_expect(!posted, "its transmit interrupts must be in time");
    for (unsigned i = 0; i < 2 * BEGIN; i++) {
        fake_write(m.mem, GPA, 'x', 1);
    }
    loop_poll(m.loop);
    cr_expect(!posted);
    fake_write(m.mem, GPA + IMSC, 0, 2);
    for (unsigned i = 0; i < BEGIN; i++) {
        fake_write(m.mem, GPA, 'x', 1);
    }
    loop_poll(m.loop);
    cr_expect(posted);
    device_reset(pl011);
    loop_poll(m.loop);
    cr_expect(!posted);
    device_free(pl011);
    aspace_unlisten(m.mem, &memory);
}
