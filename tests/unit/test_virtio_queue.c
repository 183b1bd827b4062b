/*
 * Split rings: chains, every rule a driver can break, notification in both
 * directions, and random rings against a second, simpler reading of the rules.
 *
 * Guest memory: RAM at 0, more RAM right behind it (so that buffers span two
 * ranges), a hole, ROM.
 */
#include "src/base/le.h"
#include "src/mem/aspace.h"
#include "tests/unit/fake_mem.h"
#include "virtio/queue.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RAM_SIZE 0x10000
#define SPLIT    0x8000 /* where the second range of RAM begins */
#define ROM      0x20000
#define ROM_SIZE 0x1000

#define NUM   8
#define DESC  0x1000
#define AVAIL 0x2000
#define USED  0x3000
#define TABLE 0x4000 /* indirect */
#define DATA  0x5000

enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

static struct topology *topo;
static struct aspace *mem;
static struct region root;
static struct fake_ram low, high, rom;
static struct virtqueue q;
static struct virtqueue_chain c;

static const struct virtqueue_layout layout = {
    .num = NUM, .desc = DESC, .driver = AVAIL, .device = USED};

static void setup(void)
{
    topo = topology_new();
    region_init_container(&root, topo, "root", REGION_ALL);
    fake_ram_init(&low, topo, REGION_RAM, "low", SPLIT);
    fake_ram_init(&high, topo, REGION_RAM, "high", RAM_SIZE - SPLIT);
    fake_ram_init(&rom, topo, REGION_ROM, "rom", ROM_SIZE);
    region_add(&root, 0, &low.region, 0);
    region_add(&root, SPLIT, &high.region, 0);
    region_add(&root, ROM, &rom.region, 0);
    mem = aspace_new(topo, "mem", &root);
    cr_assert_eq(virtqueue_map(&q, mem, &layout, true, false), 0);
}

static void teardown(void)
{
    aspace_free(mem);
    fake_ram_fini(&low);
    fake_ram_fini(&high);
    fake_ram_fini(&rom);
    region_fini(&root);
    topology_free(topo);
}

TestSuite(virtqueue, .init = setup, .fini = teardown);

/* --- a driver by hand --------------------------------------------------- */

static uint8_t *host(uint64_t gpa)
{
    return gpa < SPLIT ? low.host + gpa : high.host + (gpa - SPLIT);
}

static void put_desc(uint64_t table, unsigned i, uint64_t addr, uint32_t len, unsigned flags,
                     unsigned next)
{
    uint8_t *d = host(table) + 16 * i;
    put_le64(d, addr);
    put_le32(d + 8, len);
    put_le16(d + 12, (uint16_t)flags);
    put_le16(d + 14, (uint16_t)next);
}

static uint16_t avail_idx(void)
{
    return get_le16(host(AVAIL + 2));
}

static void offer(unsigned head)
{
    uint16_t idx = avail_idx();
    put_le16(host(AVAIL + 4 + 2 * (idx % NUM)), (uint16_t)head);
    put_le16(host(AVAIL + 2), (uint16_t)(idx + 1));
}

static int pop(unsigned head)
{
    offer(head);
    return virtqueue_pop(&q, &c);
}

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
        cr_expect_eq(virtqueue_map(&v, mem, &cases[i].at, true, true), cases[i].ret, "case %zu", i);
        cr_expect_eq(v.broken == NULL, cases[i].ret == 0, "case %zu", i);
    }
}

/* --- chains -------------------------------------------------------------- */

Test(virtqueue, an_empty_ring_gives_nothing)
{
    cr_assert_eq(virtqueue_pop(&q, &c), 0);
    cr_assert_null(q.broken);
}

Test(virtqueue, a_chain_is_readable_then_writable_buffers)
{
    put_desc(DESC, 5, DATA, 16, NEXT, 2);
    put_desc(DESC, 2, DATA + 0x100, 32, NEXT | WRITE, 7);
    put_desc(DESC, 7, DATA + 0x200, 1, WRITE, 0);
    cr_assert_eq(pop(5), 1);
    cr_assert_eq(c.head, 5);
    cr_assert_eq(c.readable, 1);
    cr_assert_eq(c.writable, 2);
    cr_assert_eq(c.readable_len, 16);
    cr_assert_eq(c.writable_len, 33);
    cr_assert_eq(c.iov[0].iov_base, host(DATA));
    cr_assert_eq(c.iov[1].iov_base, host(DATA + 0x100));
    cr_assert_eq(c.iov[2].iov_base, host(DATA + 0x200));
    cr_assert_eq(virtqueue_pop(&q, &c), 0);
}

Test(virtqueue, a_buffer_over_two_ranges_is_two_elements)
{
    put_desc(DESC, 0, SPLIT - 10, 30, WRITE, 0);
    cr_assert_eq(pop(0), 1);
    cr_assert_eq(c.writable, 2);
    cr_assert_eq(c.writable_len, 30);
    cr_assert_eq(c.iov[0].iov_len, 10);
    cr_assert_eq(c.iov[1].iov_base, host(SPLIT));
    cr_assert_eq(c.iov[1].iov_len, 20);
}

Test(virtqueue, an_indirect_table_ends_a_chain_and_may_lie_anywhere)
{
    const uint64_t table = SPLIT - 17; /* unaligned, over two ranges */
    uint8_t raw[32];
    put_desc(TABLE, 0, DATA + 8, 8, NEXT, 1);
    put_desc(TABLE, 1, DATA + 16, 8, WRITE, 0);
    memcpy(raw, host(TABLE), sizeof(raw));
    memcpy(host(table), raw, 17);
    memcpy(host(SPLIT), raw + 17, 15);
    put_desc(DESC, 0, DATA, 8, NEXT, 1);
    put_desc(DESC, 1, table, 32, INDIRECT | WRITE, 0); /* WRITE means nothing here */
    cr_assert_eq(pop(0), 1);
    cr_assert_eq(c.readable, 2);
    cr_assert_eq(c.writable, 1);
    cr_assert_eq(c.iov[1].iov_base, host(DATA + 8));
}

Test(virtqueue, a_chain_may_be_as_long_as_the_queue)
{
    for (unsigned i = 0; i < NUM; i++) {
        put_desc(DESC, i, DATA + 8 * i, 8, i + 1 < NUM ? NEXT : 0, i + 1);
        put_desc(TABLE, i, DATA + 8 * i, 8, i + 1 < NUM ? NEXT : 0, i + 1);
    }
    cr_assert_eq(pop(0), 1);
    cr_assert_eq(c.readable, NUM);
    put_desc(DESC, 0, TABLE, 16 * NUM, INDIRECT, 0);
    cr_assert_eq(pop(0), 1);
    cr_assert_eq(c.readable, NUM);
}

Test(virtqueue, indices_run_over_65535)
{
    put_desc(DESC, 3, DATA, 8, 0, 0);
    for (unsigned i = 0; i < 70000; i++) {
        cr_assert_eq(pop(3), 1);
        virtqueue_push(&q, c.head, i);
        const uint8_t *used = host(USED + 4 + 8 * (i % NUM));
        cr_assert_eq(get_le16(host(USED + 2)), (uint16_t)(i + 1));
        cr_assert_eq(get_le32(used), 3);
        cr_assert_eq(get_le32(used + 4), i);
    }
}

/* --- broken rings --------------------------------------------------------- */

static void break_head(void)
{
    offer(NUM);
}

static void break_next(void)
{
    put_desc(DESC, 0, DATA, 8, NEXT, NUM);
    offer(0);
}

static void break_loop(void)
{
    put_desc(DESC, 0, DATA, 8, NEXT, 1);
    put_desc(DESC, 1, DATA, 8, NEXT, 0);
    offer(0);
}

static void break_self_loop(void)
{
    put_desc(DESC, 0, DATA, 8, NEXT | WRITE, 0);
    offer(0);
}

static void break_index_jump(void)
{
    put_desc(DESC, 0, DATA, 8, 0, 0);
    put_le16(host(AVAIL + 2), NUM + 1);
}

static void break_index_back(void)
{
    put_desc(DESC, 0, DATA, 8, 0, 0);
    put_le16(host(AVAIL + 2), 0xffff);
}

static void break_zero_length(void)
{
    put_desc(DESC, 0, DATA, 0, 0, 0);
    offer(0);
}

static void break_order(void)
{
    put_desc(DESC, 0, DATA, 8, NEXT | WRITE, 1);
    put_desc(DESC, 1, DATA, 8, 0, 0);
    offer(0);
}

static void break_out_of_ram(void)
{
    put_desc(DESC, 0, RAM_SIZE - 7, 8, 0, 0);
    offer(0);
}

static void break_wrap(void)
{
    put_desc(DESC, 0, UINT64_MAX - 3, 8, 0, 0);
    offer(0);
}

static void break_4gib(void)
{
    put_desc(DESC, 0, 0, UINT32_MAX, 0, 0);
    offer(0);
}

static void break_rom(void)
{
    put_desc(DESC, 0, ROM, 8, WRITE, 0);
    offer(0);
}

static void break_indirect_next(void)
{
    put_desc(TABLE, 0, DATA, 8, 0, 0);
    put_desc(DESC, 0, TABLE, 16, INDIRECT | NEXT, 1);
    put_desc(DESC, 1, DATA, 8, 0, 0);
    offer(0);
}

static void break_indirect_empty(void)
{
    put_desc(DESC, 0, TABLE, 0, INDIRECT, 0);
    offer(0);
}

static void break_indirect_odd(void)
{
    put_desc(TABLE, 0, DATA, 8, 0, 0);
    put_desc(DESC, 0, TABLE, 24, INDIRECT, 0);
    offer(0);
}

static void break_indirect_long(void)
{
    put_desc(TABLE, 0, DATA, 8, 0, 0);
    put_desc(DESC, 0, TABLE, 16 * (NUM + 1), INDIRECT, 0);
    offer(0);
}

static void break_indirect_nested(void)
{
    put_desc(TABLE, 0, TABLE + 0x100, 16, INDIRECT, 0);
    put_desc(TABLE + 0x100, 0, DATA, 8, 0, 0);
    put_desc(DESC, 0, TABLE, 16, INDIRECT, 0);
    offer(0);
}

static void break_indirect_outside(void)
{
    put_desc(DESC, 0, RAM_SIZE - 8, 16, INDIRECT, 0);
    offer(0);
}

static void break_indirect_next_range(void)
{
    put_desc(TABLE, 0, DATA, 8, NEXT, 1);
    put_desc(DESC, 0, TABLE, 16, INDIRECT, 0);
    offer(0);
}

static void break_indirect_too_many(void)
{
    for (unsigned i = 0; i < NUM; i++) {
        put_desc(TABLE, i, DATA, 8, i + 1 < NUM ? NEXT : 0, i + 1);
    }
    put_desc(DESC, 0, DATA, 8, NEXT, 1);
    put_desc(DESC, 1, TABLE, 16 * NUM, INDIRECT, 0);
    offer(0);
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
        memset(low.host, 0, SPLIT);
        cr_assert_eq(virtqueue_map(&q, mem, &layout, true, false), 0);
        rules[i]();
        cr_expect_eq(virtqueue_pop(&q, &c), -EPROTO, "rule %zu", i);
        cr_expect_not_null(q.broken, "rule %zu", i);
        /* And it stays so, whatever the driver does. */
        memset(low.host, 0, SPLIT);
        put_desc(DESC, 0, DATA, 8, 0, 0);
        offer(0);
        cr_expect_eq(virtqueue_pop(&q, &c), -EPROTO, "rule %zu", i);
        cr_expect_not(virtqueue_enable_kicks(&q), "rule %zu", i);
    }
}

Test(virtqueue, chains_sum_up_to_less_than_4_gib)
{
    /* A view of the same RAM again and again, so that lengths can grow. */
    static struct region window[4];
    const uint64_t big = 0x40000000;
    uint8_t *huge = malloc(1); /* never touched beyond its address */
    for (unsigned i = 0; i < 4; i++) {
        region_init_ram(&window[i], topo, "huge", big, huge);
        cr_assert_eq(region_add(&root, 0x100000000 + i * big, &window[i], 0), 0);
        put_desc(DESC, i, 0x100000000 + i * big, (uint32_t)big, i < 3 ? NEXT : 0, i + 1);
    }
    put_desc(DESC, 3, 0x100000000 + 3 * big, (uint32_t)big - 1, 0, 0);
    cr_expect_eq(pop(0), 1);
    cr_expect_eq(c.readable_len, UINT32_MAX);
    put_desc(DESC, 3, 0x100000000 + 3 * big, (uint32_t)big, 0, 0);
    cr_expect_eq(pop(0), -EPROTO);
    for (unsigned i = 0; i < 4; i++) {
        region_fini(&window[i]);
    }
    free(huge);
}

Test(virtqueue, indirect_descriptors_must_be_negotiated)
{
    cr_assert_eq(virtqueue_map(&q, mem, &layout, false, false), 0);
    put_desc(TABLE, 0, DATA, 8, 0, 0);
    put_desc(DESC, 0, TABLE, 16, INDIRECT, 0);
    cr_assert_eq(pop(0), -EPROTO);
}

/* --- notification --------------------------------------------------------- */

static bool push_and_ask(unsigned n)
{
    while (n-- > 0) {
        virtqueue_push(&q, 0, 0);
    }
    return virtqueue_must_interrupt(&q);
}

Test(virtqueue, interrupts_follow_the_flag)
{
    cr_assert_not(virtqueue_must_interrupt(&q)); /* nothing was pushed */
    cr_assert(push_and_ask(1));
    cr_assert_not(virtqueue_must_interrupt(&q));
    put_le16(host(AVAIL), 1);
    cr_assert_not(push_and_ask(1));
    put_le16(host(AVAIL), 0);
    cr_assert_not(virtqueue_must_interrupt(&q)); /* what came under the flag is not told later */
    cr_assert(push_and_ask(3));
}

Test(virtqueue, interrupts_follow_the_event_index)
{
    const uint64_t used_event = AVAIL + 4 + 2 * NUM;
    cr_assert_eq(virtqueue_map(&q, mem, &layout, true, true), 0);
    put_le16(host(AVAIL), 1); /* the flag means nothing now */
    cr_assert(push_and_ask(1));
    cr_assert_not(push_and_ask(1)); /* the driver still waits for entry 0 */
    put_le16(host(used_event), 4);
    cr_assert_not(push_and_ask(2)); /* entries 2, 3 */
    cr_assert(push_and_ask(1));     /* entry 4 */
    put_le16(host(used_event), 7);
    cr_assert(push_and_ask(5)); /* 5..9 pass it */
    put_le16(host(used_event), 2);
    for (unsigned i = 10; i < 65536; i++) {
        cr_assert_not(push_and_ask(1));
    }
    cr_assert(push_and_ask(3)); /* 0, 1, 2 of the next round */
}

Test(virtqueue, kicks_are_suppressed_by_the_flag)
{
    virtqueue_suppress_kicks(&q);
    cr_assert_eq(get_le16(host(USED)), 1);
    cr_assert_not(virtqueue_enable_kicks(&q));
    cr_assert_eq(get_le16(host(USED)), 0);
    offer(0);
    cr_assert(virtqueue_enable_kicks(&q)); /* came in between */
}

Test(virtqueue, kicks_are_asked_for_by_the_event_index)
{
    const uint64_t avail_event = USED + 4 + 8 * NUM;
    cr_assert_eq(virtqueue_map(&q, mem, &layout, true, true), 0);
    put_desc(DESC, 0, DATA, 8, 0, 0);
    virtqueue_suppress_kicks(&q);
    cr_assert_eq(pop(0), 1);
    cr_assert_eq(pop(0), 1);
    cr_assert_eq(get_le16(host(USED)), 0);
    cr_assert_eq(get_le16(host(avail_event)), 0);
    cr_assert_not(virtqueue_enable_kicks(&q));
    cr_assert_eq(get_le16(host(avail_event)), 2);
    offer(0);
    cr_assert(virtqueue_enable_kicks(&q));
}

/* --- random rings against a second reading of the rules -------------------- */

static uint64_t seed;

static uint32_t rnd(uint32_t below)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(seed >> 33) % below;
}

struct buffer {
    uint64_t addr;
    uint32_t len;
    bool write;
};

static bool in_memory(uint64_t addr, uint64_t len, bool write)
{
    return (addr < RAM_SIZE && len <= RAM_SIZE - addr) ||
           (!write && addr >= ROM && addr < ROM + ROM_SIZE && len <= ROM + ROM_SIZE - addr);
}

/* The buffers of table[i...] appended to list. False: against the rules. */
static bool oracle_table(const uint8_t *table, unsigned entries, unsigned i, bool inner,
                         struct buffer *list, unsigned *n)
{
    for (;;) {
        if (i >= entries) {
            return false;
        }
        const uint8_t *d = table + 16 * i;
        uint64_t addr = get_le64(d);
        uint32_t len = get_le32(d + 8);
        unsigned flags = get_le16(d + 12);
        if (flags & INDIRECT) {
            uint8_t copy[16 * NUM];
            if (inner || (flags & NEXT) || len == 0 || len % 16 != 0 || len > sizeof(copy) ||
                !in_memory(addr, len, false)) {
                return false;
            }
            for (uint32_t k = 0; k < len; k++) {
                copy[k] = addr + k < RAM_SIZE ? *host(addr + k) : rom.host[addr + k - ROM];
            }
            return *n < NUM && oracle_table(copy, len / 16, 0, true, list, n);
        }
        if (*n == NUM) {
            return false;
        }
        list[(*n)++] = (struct buffer){addr, len, (flags & WRITE) != 0};
        if (!(flags & NEXT)) {
            return true;
        }
        i = get_le16(d + 14);
    }
}

/* What popping `head` must give, in c's terms. False: a broken ring. */
static bool oracle(unsigned head, uint64_t sums[2])
{
    struct buffer list[NUM];
    unsigned n = 0;
    sums[0] = sums[1] = 0;
    if (!oracle_table(host(DESC), NUM, head, false, list, &n)) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        if (list[i].len == 0 || !in_memory(list[i].addr, list[i].len, list[i].write) ||
            (!list[i].write && sums[1] != 0)) {
            return false;
        }
        sums[list[i].write] += list[i].len;
    }
    return true;
}

static uint64_t random_addr(void)
{
    static const uint64_t edges[] = {0,        SPLIT,          RAM_SIZE, ROM,
                                     ROM_SIZE, ROM + ROM_SIZE, TABLE,    UINT64_MAX,
                                     DESC,     0x100000000,    USED};
    uint64_t near = edges[rnd(sizeof(edges) / sizeof(edges[0]))] + rnd(64) - 32;
    return rnd(4) == 0 ? near : DATA + rnd(0x2000);
}

static void random_desc(uint64_t table, unsigned i, bool tame)
{
    static const uint32_t lens[] = {0, 1, 16, 17, 4096, 0x8000, UINT32_MAX, 0x80000000};
    uint32_t len = rnd(tame ? 40 : 4) == 0 ? lens[rnd(8)] : 1 + rnd(512);
    unsigned flags = (rnd(3) != 0 ? NEXT : 0) | (rnd(3) == 0 ? WRITE : 0);
    uint64_t addr = tame && rnd(16) != 0 ? DATA + rnd(0x2000) : random_addr();
    if (rnd(8) == 0) {
        flags = INDIRECT | (rnd(8) == 0 ? NEXT : 0);
        addr = TABLE;
        len = 16 * rnd(NUM + 2) + (rnd(16) == 0);
    }
    put_desc(table, i, addr, len, flags, rnd(tame ? NUM : NUM + 2));
}

Test(virtqueue, random_rings_agree_with_the_rules)
{
    unsigned good = 0;
    seed = 1;
    for (unsigned round = 0; round < 200000; round++) {
        bool tame = rnd(4) != 0;
        uint64_t sums[2];
        for (unsigned i = 0; i < NUM; i++) {
            random_desc(DESC, i, tame);
            random_desc(TABLE, i, tame);
        }
        cr_assert_eq(virtqueue_map(&q, mem, &layout, true, false), 0);
        q.next_avail = avail_idx();
        unsigned head = rnd(tame ? NUM : NUM + 1);
        bool fine = oracle(head, sums);
        cr_assert_eq(pop(head), fine ? 1 : -EPROTO, "round %u", round);
        if (!fine) {
            continue;
        }
        good++;
        uint64_t bytes[2] = {0, 0};
        for (unsigned i = 0; i < (unsigned)c.readable + c.writable; i++) {
            bytes[i >= c.readable] += c.iov[i].iov_len;
        }
        cr_assert(c.readable_len == sums[0] && c.writable_len == sums[1], "round %u", round);
        cr_assert(bytes[0] == sums[0] && bytes[1] == sums[1], "round %u", round);
    }
    cr_assert_gt(good, 20000, "only %u good chains", good);
}
