/*
 * Random rings: what virtqueue_pop() makes of them against a second, simpler
 * reading of the rules.
 */
#include "src/base/le.h"
#include "tests/unit/fake_ring.h"

#include <criterion/criterion.h>
#include <errno.h>

static struct fake_ring ring;

static void setup(void)
{
    ring_init(&ring);
}

static void teardown(void)
{
    ring_free(&ring);
}

TestSuite(virtqueue_random, .init = setup, .fini = teardown);

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
                copy[k] = addr + k < RAM_SIZE ? *ring_host(&ring, addr + k)
                                              : ring.rom.host[addr + k - ROM];
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
    if (!oracle_table(ring_host(&ring, DESC), NUM, head, false, list, &n)) {
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
    ring_desc(&ring, table, i, addr, len, flags, rnd(tame ? NUM : NUM + 2));
}

Test(virtqueue_random, random_rings_agree_with_the_rules)
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
        ring_map(&ring, true, false);
        ring.q.next_avail = get_le16(ring_host(&ring, AVAIL + 2));
        unsigned head = rnd(tame ? NUM : NUM + 1);
        bool fine = oracle(head, sums);
        cr_assert_eq(ring_pop(&ring, head), fine ? 1 : -EPROTO, "round %u", round);
        if (!fine) {
            continue;
        }
        good++;
        uint64_t bytes[2] = {0, 0};
        for (unsigned i = 0; i < (unsigned)ring.c.readable + ring.c.writable; i++) {
            bytes[i >= ring.c.readable] += ring.c.iov[i].iov_len;
        }
        cr_assert(ring.c.readable_len == sums[0] && ring.c.writable_len == sums[1], "round %u",
                  round);
        cr_assert(bytes[0] == sums[0] && bytes[1] == sums[1], "round %u", round);
    }
    cr_assert_gt(good, 20000, "only %u good chains", good);
}
