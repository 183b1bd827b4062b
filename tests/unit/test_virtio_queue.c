/*
 * Split rings: chains, every rule a driver can break, notification in both
 * directions. Random rings are in test_virtio_queue_random.c.
 */
#include "src/base/le.h"
#include "tests/unit/fake_ring.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct fake_ring ring;

static void setup(void)
{
    ring_init(&ring);
}

static void teardown(void)
{
    ring_free(&ring);
}

TestSuite(virtqueue, .init = setup, .fini = teardown);

/* --- setting up ---------------------------------------------------------- */

Test(virtqueue, map_judges_size_place_and_alignment)
{
    static const struct {
        struct virtqueue_layout at;
        int ret;
    } cases[] = {
        {{256, DESC, AVAIL, USED}, 0},
        {{1, DESC, AVAIL, USED}, 0},
        {{0, DESC, AVAIL, USED}, -EINVAL},
        {{3, DESC, AVAIL, USED}, -EINVAL},
        {{512, DESC, AVAIL, USED}, -EINVAL},
        {{32768, DESC, AVAIL, USED}, -EINVAL},
        {{8, DESC + 8, AVAIL, USED}, -EINVAL},
        {{8, DESC, AVAIL + 1, USED}, -EINVAL},
        {{8, DESC, AVAIL, USED + 2}, -EINVAL},
        {{8, DESC, AVAIL + 2, USED + 4}, 0},
        {{8, 0x18000, AVAIL, USED}, -EINVAL},        /* hole */
        {{8, RAM_SIZE - 112, AVAIL, USED}, -EINVAL}, /* ends behind RAM */
        {{8, RAM_SIZE - 128, AVAIL, USED}, 0},       /* ends with RAM */
        {{8, DESC, RAM_SIZE - 20, USED}, -EINVAL},   /* used_event outside */
        {{8, DESC, RAM_SIZE - 22, USED}, 0},
        {{8, DESC, AVAIL, RAM_SIZE - 68}, -EINVAL}, /* avail_event outside */
        {{8, DESC, AVAIL, RAM_SIZE - 72}, 0},
        {{8, SPLIT - 64, AVAIL, USED}, -EINVAL}, /* not within one range */
        {{8, ROM, ROM + 128, USED}, 0},          /* the device only reads these */
        {{8, DESC, AVAIL, ROM}, -EINVAL},
        {{8, UINT64_MAX - 15, AVAIL, USED}, -EINVAL}, /* wraps */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct virtqueue v;
        cr_expect_eq(virtqueue_map(&v, ring.mem, &cases[i].at, true, true), cases[i].ret,
                     "case %zu", i);
        cr_expect_eq(v.broken == NULL, cases[i].ret == 0, "case %zu", i);
    }
}

/* --- chains -------------------------------------------------------------- */

Test(virtqueue, an_empty_ring_gives_nothing)
{
    cr_assert_eq(virtqueue_pop(&ring.q, &ring.c), 0);
    cr_assert_null(ring.q.broken);
}

Test(virtqueue, a_chain_is_readable_then_writable_buffers)
{
    ring_desc(&ring, DESC, 5, DATA, 16, NEXT, 2);
    ring_desc(&ring, DESC, 2, DATA + 0x100, 32, NEXT | WRITE, 7);
    ring_desc(&ring, DESC, 7, DATA + 0x200, 1, WRITE, 0);
    cr_assert_eq(ring_pop(&ring, 5), 1);
    cr_assert_eq(ring.c.head, 5);
    cr_assert_eq(ring.c.readable, 1);
    cr_assert_eq(ring.c.writable, 2);
    cr_assert_eq(ring.c.readable_len, 16);
    cr_assert_eq(ring.c.writable_len, 33);
    cr_assert_eq(ring.c.iov[0].iov_base, ring_host(&ring, DATA));
    cr_assert_eq(ring.c.iov[1].iov_base, ring_host(&ring, DATA + 0x100));
    cr_assert_eq(ring.c.iov[2].iov_base, ring_host(&ring, DATA + 0x200));
    cr_assert_eq(virtqueue_pop(&ring.q, &ring.c), 0);
}

Test(virtqueue, a_buffer_over_two_ranges_is_two_elements)
{
    ring_desc(&ring, DESC, 0, SPLIT - 10, 30, WRITE, 0);
    cr_assert_eq(ring_pop(&ring, 0), 1);
    cr_assert_eq(ring.c.writable, 2);
    cr_assert_eq(ring.c.writable_len, 30);
    cr_assert_eq(ring.c.iov[0].iov_len, 10);
    cr_assert_eq(ring.c.iov[1].iov_base, ring_host(&ring, SPLIT));
    cr_assert_eq(ring.c.iov[1].iov_len, 20);
}

Test(virtqueue, an_indirect_table_ends_a_chain_and_may_lie_anywhere)
{
    const uint64_t table = SPLIT - 17; /* unaligned, over two ranges */
    uint8_t raw[32];
    ring_desc(&ring, TABLE, 0, DATA + 8, 8, NEXT, 1);
    ring_desc(&ring, TABLE, 1, DATA + 16, 8, WRITE, 0);
    memcpy(raw, ring_host(&ring, TABLE), sizeof(raw));
    memcpy(ring_host(&ring, table), raw, 17);
    memcpy(ring_host(&ring, SPLIT), raw + 17, 15);
    ring_desc(&ring, DESC, 0, DATA, 8, NEXT, 1);
    ring_desc(&ring, DESC, 1, table, 32, INDIRECT | WRITE, 0); /* WRITE means nothing here */
    cr_assert_eq(ring_pop(&ring, 0), 1);
    cr_assert_eq(ring.c.readable, 2);
    cr_assert_eq(ring.c.writable, 1);
    cr_assert_eq(ring.c.iov[1].iov_base, ring_host(&ring, DATA + 8));
}

Test(virtqueue, a_chain_may_be_as_long_as_the_queue)
{
    for (unsigned i = 0; i < NUM; i++) {
        ring_desc(&ring, DESC, i, DATA + 8 * i, 8, i + 1 < NUM ? NEXT : 0, i + 1);
        ring_desc(&ring, TABLE, i, DATA + 8 * i, 8, i + 1 < NUM ? NEXT : 0, i + 1);
    }
    cr_assert_eq(ring_pop(&ring, 0), 1);
    cr_assert_eq(ring.c.readable, NUM);
    ring_desc(&ring, DESC, 0, TABLE, 16 * NUM, INDIRECT, 0);
    cr_assert_eq(ring_pop(&ring, 0), 1);
    cr_assert_eq(ring.c.readable, NUM);
}

Test(virtqueue, indices_run_over_65535)
{
    ring_desc(&ring, DESC, 3, DATA, 8, 0, 0);
    for (unsigned i = 0; i < 70000; i++) {
        cr_assert_eq(ring_pop(&ring, 3), 1);
        virtqueue_push(&ring.q, ring.c.head, i);
        const uint8_t *used = ring_host(&ring, USED + 4 + 8 * (i % NUM));
        cr_assert_eq(get_le16(ring_host(&ring, USED + 2)), (uint16_t)(i + 1));
        cr_assert_eq(get_le32(used), 3);
        cr_assert_eq(get_le32(used + 4), i);
    }
}

/* --- broken rings --------------------------------------------------------- */

static void break_head(void)
{
    ring_offer(&ring, NUM);
}

static void break_next(void)
{
    ring_desc(&ring, DESC, 0, DATA, 8, NEXT, NUM);
    ring_offer(&ring, 0);
}

static void break_loop(void)
{
    ring_desc(&ring, DESC, 0, DATA, 8, NEXT, 1);
    ring_desc(&ring, DESC, 1, DATA, 8, NEXT, 0);
    ring_offer(&ring, 0);
}

static void break_self_loop(void)
{
    ring_desc(&ring, DESC, 0, DATA, 8, NEXT | WRITE, 0);
    ring_offer(&ring, 0);
}

static void break_index_jump(void)
{
    ring_desc(&ring, DESC, 0, DATA, 8, 0, 0);
    put_le16(ring_host(&ring, AVAIL + 2), NUM + 1);
}

static void break_index_back(void)
{
    ring_desc(&ring, DESC, 0, DATA, 8, 0, 0);
    put_le16(ring_host(&ring, AVAIL + 2), 0xffff);
}

static void break_zero_length(void)
{
    ring_desc(&ring, DESC, 0, DATA, 0, 0, 0);
    ring_offer(&ring, 0);
}

static void break_order(void)
{
    ring_desc(&ring, DESC, 0, DATA, 8, NEXT | WRITE, 1);
    ring_desc(&ring, DESC, 1, DATA, 8, 0, 0);
    ring_offer(&ring, 0);
}

static void break_out_of_ram(void)
{
    ring_desc(&ring, DESC, 0, RAM_SIZE - 7, 8, 0, 0);
    ring_offer(&ring, 0);
}

static void break_wrap(void)
{
    ring_desc(&ring, DESC, 0, UINT64_MAX - 3, 8, 0, 0);
    ring_offer(&ring, 0);
}

static void break_4gib(void)
{
    ring_desc(&ring, DESC, 0, 0, UINT32_MAX, 0, 0);
    ring_offer(&ring, 0);
}

static void break_rom(void)
{
    ring_desc(&ring, DESC, 0, ROM, 8, WRITE, 0);
    ring_offer(&ring, 0);
}

static void break_indirect_next(void)
{
    ring_desc(&ring, TABLE, 0, DATA, 8, 0, 0);
    ring_desc(&ring, DESC, 0, TABLE, 16, INDIRECT | NEXT, 1);
    ring_desc(&ring, DESC, 1, DATA, 8, 0, 0);
    ring_offer(&ring, 0);
}

static void break_indirect_empty(void)
{
    ring_desc(&ring, DESC, 0, TABLE, 0, INDIRECT, 0);
    ring_offer(&ring, 0);
}

static void break_indirect_odd(void)
{
    ring_desc(&ring, TABLE, 0, DATA, 8, 0, 0);
    ring_desc(&ring, DESC, 0, TABLE, 24, INDIRECT, 0);
    ring_offer(&ring, 0);
}

static void break_indirect_long(void)
{
    ring_desc(&ring, TABLE, 0, DATA, 8, 0, 0);
    ring_desc(&ring, DESC, 0, TABLE, 16 * (NUM + 1), INDIRECT, 0);
    ring_offer(&ring, 0);
}

static void break_indirect_nested(void)
{
    ring_desc(&ring, TABLE, 0, TABLE + 0x100, 16, INDIRECT, 0);
    ring_desc(&ring, TABLE + 0x100, 0, DATA, 8, 0, 0);
    ring_desc(&ring, DESC, 0, TABLE, 16, INDIRECT, 0);
    ring_offer(&ring, 0);
}

static void break_indirect_outside(void)
{
    ring_desc(&ring, DESC, 0, RAM_SIZE - 8, 16, INDIRECT, 0);
    ring_offer(&ring, 0);
}

static void break_indirect_next_range(void)
{
    ring_desc(&ring, TABLE, 0, DATA, 8, NEXT, 1);
    ring_desc(&ring, DESC, 0, TABLE, 16, INDIRECT, 0);
    ring_offer(&ring, 0);
}

static void break_indirect_too_many(void)
{
    for (unsigned i = 0; i < NUM; i++) {
        ring_desc(&ring, TABLE, i, DATA, 8, i + 1 < NUM ? NEXT : 0, i + 1);
    }
    ring_desc(&ring, DESC, 0, DATA, 8, NEXT, 1);
    ring_desc(&ring, DESC, 1, TABLE, 16 * NUM, INDIRECT, 0);
    ring_offer(&ring, 0);
}

Test(virtqueue, broken_rules_stop_the_ring)
{
    static void (*const rules[])(void) = {
        break_head,
        break_next,
        break_loop,
        break_self_loop,
        break_index_jump,
        break_index_back,
        break_zero_length,
        break_order,
        break_out_of_ram,
        break_wrap,
        break_4gib,
        break_rom,
        break_indirect_next,
        break_indirect_empty,
        break_indirect_odd,
        break_indirect_long,
        break_indirect_nested,
        break_indirect_outside,
        break_indirect_next_range,
        break_indirect_too_many,
    };
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        memset(ring.low.host, 0, SPLIT);
        ring_map(&ring, true, false);
        rules[i]();
        cr_expect_eq(virtqueue_pop(&ring.q, &ring.c), -EPROTO, "rule %zu", i);
        cr_expect_not_null(ring.q.broken, "rule %zu", i);
        /* And it stays so, whatever the driver does. */
        memset(ring.low.host, 0, SPLIT);
        ring_desc(&ring, DESC, 0, DATA, 8, 0, 0);
        ring_offer(&ring, 0);
        cr_expect_eq(virtqueue_pop(&ring.q, &ring.c), -EPROTO, "rule %zu", i);
        cr_expect_not(virtqueue_enable_kicks(&ring.q), "rule %zu", i);
    }
}

Test(virtqueue, chains_sum_up_to_less_than_4_gib)
{
    /* A view of the same RAM again and again, so that lengths can grow. */
    static struct region window[4];
    const uint64_t big = 0x40000000;
    uint8_t *huge = malloc(1); /* never touched beyond its address */
    for (unsigned i = 0; i < 4; i++) {
        region_init_ram(&window[i], ring.topo, "huge", big, huge);
        cr_assert_eq(region_add(&ring.root, 0x100000000 + i * big, &window[i], 0), 0);
        ring_desc(&ring, DESC, i, 0x100000000 + i * big, (uint32_t)big, i < 3 ? NEXT : 0, i + 1);
    }
    ring_desc(&ring, DESC, 3, 0x100000000 + 3 * big, (uint32_t)big - 1, 0, 0);
    cr_expect_eq(ring_pop(&ring, 0), 1);
    cr_expect_eq(ring.c.readable_len, UINT32_MAX);
    ring_desc(&ring, DESC, 3, 0x100000000 + 3 * big, (uint32_t)big, 0, 0);
    cr_expect_eq(ring_pop(&ring, 0), -EPROTO);
    for (unsigned i = 0; i < 4; i++) {
        region_fini(&window[i]);
    }
    free(huge);
}

Test(virtqueue, indirect_descriptors_must_be_negotiated)
{
    ring_map(&ring, false, false);
    ring_desc(&ring, TABLE, 0, DATA, 8, 0, 0);
    ring_desc(&ring, DESC, 0, TABLE, 16, INDIRECT, 0);
    cr_assert_eq(ring_pop(&ring, 0), -EPROTO);
}

/* --- notification --------------------------------------------------------- */

static bool push_and_ask(unsigned n)
{
    while (n-- > 0) {
        virtqueue_push(&ring.q, 0, 0);
    }
    return virtqueue_must_interrupt(&ring.q);
}

Test(virtqueue, interrupts_follow_the_flag)
{
    cr_assert_not(virtqueue_must_interrupt(&ring.q)); /* nothing was pushed */
    cr_assert(push_and_ask(1));
    cr_assert_not(virtqueue_must_interrupt(&ring.q));
    put_le16(ring_host(&ring, AVAIL), 1);
    cr_assert_not(push_and_ask(1));
    put_le16(ring_host(&ring, AVAIL), 0);
    cr_assert_not(
        virtqueue_must_interrupt(&ring.q)); /* what came under the flag is not told later */
    cr_assert(push_and_ask(3));
}

Test(virtqueue, interrupts_follow_the_event_index)
{
    const uint64_t used_event = AVAIL + 4 + 2 * NUM;
    ring_map(&ring, true, true);
    put_le16(ring_host(&ring, AVAIL), 1); /* the flag means nothing now */
    cr_assert(push_and_ask(1));
    cr_assert_not(push_and_ask(1)); /* the driver still waits for entry 0 */
    put_le16(ring_host(&ring, used_event), 4);
    cr_assert_not(push_and_ask(2)); /* entries 2, 3 */
    cr_assert(push_and_ask(1));     /* entry 4 */
    put_le16(ring_host(&ring, used_event), 7);
    cr_assert(push_and_ask(5)); /* 5..9 pass it */
    put_le16(ring_host(&ring, used_event), 2);
    for (unsigned i = 10; i < 65536; i++) {
        cr_assert_not(push_and_ask(1));
    }
    cr_assert(push_and_ask(3)); /* 0, 1, 2 of the next round */
}

Test(virtqueue, kicks_are_suppressed_by_the_flag)
{
    virtqueue_suppress_kicks(&ring.q);
    cr_assert_eq(get_le16(ring_host(&ring, USED)), 1);
    cr_assert_not(virtqueue_enable_kicks(&ring.q));
    cr_assert_eq(get_le16(ring_host(&ring, USED)), 0);
    ring_offer(&ring, 0);
    cr_assert(virtqueue_enable_kicks(&ring.q)); /* came in between */
}

Test(virtqueue, kicks_are_asked_for_by_the_event_index)
{
    const uint64_t avail_event = USED + 4 + 8 * NUM;
    ring_map(&ring, true, true);
    ring_desc(&ring, DESC, 0, DATA, 8, 0, 0);
    virtqueue_suppress_kicks(&ring.q);
    cr_assert_eq(ring_pop(&ring, 0), 1);
    cr_assert_eq(ring_pop(&ring, 0), 1);
    cr_assert_eq(get_le16(ring_host(&ring, USED)), 0);
    cr_assert_eq(get_le16(ring_host(&ring, avail_event)), 0);
    cr_assert_not(virtqueue_enable_kicks(&ring.q));
    cr_assert_eq(get_le16(ring_host(&ring, avail_event)), 2);
    ring_offer(&ring, 0);
    cr_assert(virtqueue_enable_kicks(&ring.q));
}
