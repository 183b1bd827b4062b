/*
 * The memory core against the least that could do the job by hand. Lines of
 * "NAME VALUE UNIT RATIO": RATIO is VALUE over that of the hand-written floor:
 *
 *   render    10,000 regions in random order, one transaction, one listener that
 *             is told; the floor sorts 10,000 ranges with qsort()
 *   rerender  one of them moves, and the listener hears of it; the same floor
 *   lookup    a random address among the 10,000; a textbook binary search
 *   dispatch  a 4-byte read of a register, of 16 devices; a switch that knows
 *             them all and takes the same lock
 *   dispatch-lockless  the same, both without the lock
 *
 * Each figure is the median of several runs.
 */
#include "src/mem/aspace.h"
#include "tests/bench/timing.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define REGIONS   10000
#define STRIDE    0x10000ULL
#define RUNS      15
#define ACCESSES  1000000
#define ADDRESSES (1u << 16)
#define DEVICES   16 /* of the small machine that dispatch uses */

static struct topology *topo;
static struct region root, regions[REGIONS];
static struct region small_root, devices[DEVICES];
static struct aspace *as, *small;
static struct io_guard guard;
static unsigned order[REGIONS];             /* a random permutation */
static uint64_t addresses[ADDRESSES];       /* random, in regions and holes */
static struct range sorted[REGIONS];        /* for the floor's search */
static struct flat_range unsorted[REGIONS]; /* for the floor's sort */
static volatile uint64_t sink;

/* --- the set-up ------------------------------------------------------- */

static uint32_t random32(void) /* xorshift */
{
    static uint32_t state = 2463534242u;

    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static uint64_t device_read(void *opaque, uint64_t offset, unsigned size)
{
    const uint32_t *registers = opaque;

    (void)size;
    return registers[offset / 4 % 2];
}

static void device_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    (void)opaque, (void)offset, (void)value, (void)size;
}

static const struct region_ops ops = {.read = device_read, .write = device_write};
static uint32_t registers[4] = {1, 2, 3, 4};

static int on_add(struct aspace_listener *l, const struct flat_range *r)
{
    (void)l;
    sink += r->addr.first;
    return 0;
}

static void on_del(struct aspace_listener *l, const struct flat_range *r)
{
    (void)l;
    sink -= r->addr.first;
}

static struct aspace_listener listener = {.add = on_add, .del = on_del};

static struct aspace *new_space(const char *name, struct region *r)
{
    struct aspace *new = NULL;

    if (topo != NULL) {
        region_init_container(r, topo, name, REGION_ALL);
        new = aspace_new(topo, name, r);
    }
    if (new == NULL) {
        fputs("mem: out of memory\n", stderr);
        exit(1);
    }
    return new;
}

static void set_up(void)
{
    topo = topology_new();
    as = new_space("large", &root);
    small = new_space("small", &small_root);
    io_guard_init(&guard);
    for (unsigned i = 0; i < REGIONS; i++) {
        unsigned other = random32() % (i + 1);
        order[i] = order[other];
        order[other] = i;
        sorted[i] = (struct range){i * STRIDE, i * STRIDE + STRIDE / 2 - 1};
    }
    for (unsigned i = 0; i < REGIONS; i++) {
        unsorted[i].addr = sorted[order[i]];
        region_init_io(&regions[i], topo, "device", STRIDE / 2, &ops, registers, &guard);
    }
    for (unsigned i = 0; i < DEVICES; i++) {
        region_init_io(&devices[i], topo, "device", STRIDE, &ops, registers, &guard);
        region_add(&small_root, i * STRIDE, &devices[i], 0);
    }
    for (size_t i = 0; i < ADDRESSES; i++) {
        addresses[i] = random32() % (REGIONS * STRIDE) & ~3u;
    }
    aspace_listen(as, &listener);
}

/* --- rendering -------------------------------------------------------- */

static void render(void)
{
    topology_begin(topo);
    for (unsigned i = 0; i < REGIONS; i++) {
        struct region *r = &regions[order[i]];
        if (r->parent != NULL) {
            region_set_enabled(r, !r->enabled);
            region_set_enabled(r, !r->enabled);
        } else {
            region_add(&root, order[i] * STRIDE, r, 0);
        }
    }
    topology_commit(topo);
}

static void rerender(void)
{
    static uint64_t step;

    region_set_offset(&regions[REGIONS / 3], REGIONS / 3 * STRIDE + ++step % 64);
}

static int by_address(const void *a, const void *b)
{
    const struct flat_range *x = a, *y = b;

    return (x->addr.first > y->addr.first) - (x->addr.first < y->addr.first);
}

static void sort(void)
{
    static struct flat_range copy[REGIONS];

    memcpy(copy, unsorted, sizeof(copy));
    qsort(copy, REGIONS, sizeof(copy[0]), by_address);
    sink += copy[0].addr.last;
}

/* --- finding and calling ---------------------------------------------- */

static void lookup(void)
{
    const struct flatview *v = aspace_view(as);

    for (unsigned i = 0; i < ACCESSES; i++) {
        sink += flatview_find(v, addresses[i % ADDRESSES]) != NULL;
    }
}

static __attribute__((noinline)) const struct range *search(uint64_t addr)
{
    size_t low = 0, high = REGIONS;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (addr < sorted[middle].first) {
            high = middle;
        } else if (addr > sorted[middle].last) {
            low = middle + 1;
        } else {
            return &sorted[middle];
        }
    }
    return NULL;
}

static void lookup_floor(void)
{
    for (unsigned i = 0; i < ACCESSES; i++) {
        sink += search(addresses[i % ADDRESSES]) != NULL;
    }
}

static void dispatch(void)
{
    for (unsigned i = 0; i < ACCESSES; i++) {
        uint32_t data;
        aspace_read(small, addresses[i % ADDRESSES] % (DEVICES * STRIDE), &data, sizeof(data));
        sink += data;
    }
}

static bool floor_locks;

static uint32_t call_by_hand(unsigned device, uint64_t addr, unsigned size)
{
    uint32_t value;

    if (floor_locks) {
        pthread_mutex_lock(&guard.lock);
    }
    value = (uint32_t)device_read(&registers[device % 2], addr % STRIDE, size);
    if (floor_locks) {
        pthread_mutex_unlock(&guard.lock);
    }
    return value;
}

#define CASE(n)                                                                                    \
    case n:                                                                                        \
        return call_by_hand(n, addr, size)
#define CASES4(n)                                                                                  \
    CASE(n);                                                                                       \
    CASE((n) + 1);                                                                                 \
    CASE((n) + 2);                                                                                 \
    CASE((n) + 3)

static __attribute__((noinline)) uint32_t read_by_hand(uint64_t addr, unsigned size)
{
    switch (addr / STRIDE) {
        CASES4(0);
        CASES4(4);
        CASES4(8);
        CASES4(12);
    default:
        return UINT32_MAX;
    }
}

static void dispatch_floor(void)
{
    for (unsigned i = 0; i < ACCESSES; i++) {
        sink += read_by_hand(addresses[i % ADDRESSES] % (DEVICES * STRIDE), 4);
    }
}

int main(void)
{
    set_up();
    report("render", render, sort, RUNS, 1e6, "ms");
    report("rerender", rerender, sort, RUNS, 1e6, "ms");
    report("lookup", lookup, lookup_floor, RUNS, ACCESSES, "ns");
    floor_locks = true;
    report("dispatch", dispatch, dispatch_floor, RUNS, ACCESSES, "ns");
    floor_locks = false;
    for (unsigned i = 0; i < DEVICES; i++) {
        devices[i].guard = NULL;
    }
    report("dispatch-lockless", dispatch, dispatch_floor, RUNS, ACCESSES, "ns");
    return 0;
}
