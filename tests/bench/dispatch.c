/*
 * A guest's access to a register of edu, from what KVM tells of an exit (address, length) to the
 * value: the address space's lookup, the device's lock, its register table, its callback. Against
 * the same written by hand. Lines of "NAME VALUE UNIT RATIO"; RATIO is VALUE over the floor's:
 *
 *   edu-read      one register again and again, as a driver polls
 *   edu-write     the same register written
 *   edu-read-all  the readable registers of one edu in random order
 *   edu-read-any  the same of eight edu, so that nearly each access finds another device
 *
 * Memory has RAM and, where `pc` puts platform devices, eight edu: nine ranges.
 *
 * The floor is what a careful author writes who has one kind of device and no core: a sorted table
 * of the same ranges and a textbook binary search of it, a mutex for each device, a check of width
 * and alignment, a switch over the offsets, a count of what fits no register. All of it is in this
 * file for the compiler to inline, copies have constant sizes, and nothing is called through a
 * pointer. It cannot move a range while vCPUs run, trace, or refuse an access that a device makes
 * to a device; ours can.
 *
 * Most of both figures is the mutex: in a process of several threads, as vmm always is (here edu's
 * workers see to it), a pair of lock and unlock is two atomic operations. Random orders are of
 * ORDER steps, over and over: processors learn them, so this measures instructions and not
 * mispredicted branches, which would come on top of both.
 */
#include "devices/platform.h"
#include "src/clock.h"
#include "tests/bench/timing.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#define RUNS     500
#define ACCESSES 20000
#define ORDER    64
#define EDUS     8
#define EDU_GPA  0xfe000000ULL
#define EDU_SIZE 0x100000ULL
#define RAM_SIZE 4096

/* Registers: QEMU's docs/specs/edu.rst. */
enum {
    ID = 0x00,
    LIVENESS = 0x04,
    FACTORIAL = 0x08,
    STATUS = 0x20,
    IRQ_STATUS = 0x24,
    IRQ_RAISE = 0x60,
    IRQ_ACK = 0x64,
    DMA_SRC = 0x80,
    DMA_DST = 0x88,
    DMA_COUNT = 0x90,
    DMA_CMD = 0x98,
};

static uint8_t ram[RAM_SIZE];
static struct aspace *mem;

/* --- the floor -------------------------------------------------------- */

struct hand_edu {
    pthread_mutex_t lock;
    uint32_t liveness, factorial, status, irq_status;
    uint64_t dma_src, dma_dst, dma_count, dma_cmd;
    uint64_t misfits;
};

struct hand_range {
    uint64_t first, last;
    struct hand_edu *edu; /* NULL: RAM */
};

static struct hand_edu hand_edus[EDUS];
static struct hand_range hand_ranges[1 + EDUS];
static _Atomic uint64_t hand_unassigned;

static const struct hand_range *hand_find(uint64_t gpa, size_t len)
{
    size_t low = 0, high = 1 + EDUS;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct hand_range *r = &hand_ranges[middle];
        if (gpa < r->first) {
            high = middle;
        } else if (gpa > r->last) {
            low = middle + 1;
        } else {
            return len - 1 <= r->last - gpa ? r : NULL;
        }
    }
    return NULL;
}

static bool hand_fits(uint64_t offset, size_t len)
{
    return (len == 4 || (len == 8 && offset >= DMA_SRC)) && (offset & (len - 1)) == 0;
}

static uint64_t hand_edu_read(struct hand_edu *edu, uint64_t offset, size_t len)
{
    switch (hand_fits(offset, len) ? offset : UINT64_MAX) {
    case ID:
        return 0x010000ed;
    case LIVENESS:
        return edu->liveness;
    case FACTORIAL:
        return edu->factorial;
    case STATUS:
        return edu->status;
    case IRQ_STATUS:
        return edu->irq_status;
    case DMA_SRC:
        return edu->dma_src;
    case DMA_DST:
        return edu->dma_dst;
    case DMA_COUNT:
        return edu->dma_count;
    case DMA_CMD:
        return edu->dma_cmd;
    default:
        edu->misfits++;
        return UINT64_MAX;
    }
}

static void hand_edu_write(struct hand_edu *edu, uint64_t offset, uint64_t value, size_t len)
{
    switch (hand_fits(offset, len) ? offset : UINT64_MAX) {
    case LIVENESS:
        edu->liveness = ~(uint32_t)value;
        break;
    case FACTORIAL:
        edu->factorial = (uint32_t)value;
        break;
    case STATUS:
        edu->status = value & 0x80;
        break;
    case IRQ_RAISE:
        edu->irq_status |= (uint32_t)value;
        break;
    case IRQ_ACK:
        edu->irq_status &= ~(uint32_t)value;
        break;
    case DMA_SRC:
        edu->dma_src = value;
        break;
    case DMA_DST:
        edu->dma_dst = value;
        break;
    case DMA_COUNT:
        edu->dma_count = value;
        break;
    case DMA_CMD:
        edu->dma_cmd = value;
        break;
    default:
        edu->misfits++;
    }
}

/* Copies of the usual sizes without a call of memcpy(). */
static inline void hand_copy(void *to, const void *from, size_t len)
{
    switch (len) {
    case 4:
        memcpy(to, from, 4);
        break;
    case 8:
        memcpy(to, from, 8);
        break;
    default:
        memcpy(to, from, len);
    }
}

static __attribute__((noinline)) void hand_read(uint64_t gpa, void *data, size_t len)
{
    const struct hand_range *r = hand_find(gpa, len);
    uint64_t value;

    if (r == NULL || len > sizeof(value)) {
        atomic_fetch_add_explicit(&hand_unassigned, 1, memory_order_relaxed);
        memset(data, 0xff, len);
    } else if (r->edu == NULL) {
        hand_copy(data, ram + (gpa - r->first), len);
    } else {
        pthread_mutex_lock(&r->edu->lock);
        value = hand_edu_read(r->edu, gpa - r->first, len);
        pthread_mutex_unlock(&r->edu->lock);
        hand_copy(data, &value, len);
    }
}

static __attribute__((noinline)) void hand_write(uint64_t gpa, const void *data, size_t len)
{
    const struct hand_range *r = hand_find(gpa, len);
    uint64_t value = 0;

    if (r == NULL || len > sizeof(value)) {
        atomic_fetch_add_explicit(&hand_unassigned, 1, memory_order_relaxed);
    } else if (r->edu == NULL) {
        hand_copy(ram + (gpa - r->first), data, len);
    } else {
        hand_copy(&value, data, len);
        pthread_mutex_lock(&r->edu->lock);
        hand_edu_write(r->edu, gpa - r->first, value, len);
        pthread_mutex_unlock(&r->edu->lock);
    }
}

/* --- the set-up ------------------------------------------------------- */

/* Accesses to make, as KVM describes them. */
static struct {
    uint64_t gpa;
    size_t len;
} order[ORDER];

static int no_irq(void *opaque, unsigned gsi, struct irq *out, struct err *e)
{
    (void)opaque, (void)gsi, (void)e;
    *out = (struct irq){0};
    return 0;
}

static int set_up(struct err *e)
{
    static struct region root, ram_region;
    static struct device_env env;
    static struct clock clock;
    const struct device_class *edu = device_class_find("edu", e);
    int ret = 0;

    clock_init(&clock);
    env = (struct device_env){.topo = topology_new(), .clock = &clock, .irq_level_get = no_irq};
    env.loop = loop_new(&clock, e);
    region_init_container(&root, env.topo, "memory", REGION_ALL);
    region_init_ram(&ram_region, env.topo, "ram", RAM_SIZE, ram);
    region_add(&root, 0, &ram_region, 0);
    env.mem = mem = aspace_new(env.topo, "memory", &root);
    env.mem_root = &root;
    if (env.loop == NULL || mem == NULL) {
        return err_set(e, ENOMEM, "out of memory");
    }
    hand_ranges[0] = (struct hand_range){0, RAM_SIZE - 1, NULL};
    for (unsigned i = 0; i < EDUS && ret == 0; i++) {
        uint64_t gpa = EDU_GPA + i * EDU_SIZE;
        struct device *d = device_new(edu, "edu", &env, e);
        ret = d != NULL ? platform_plug(d, gpa, 0, e) : -ENOMEM;
        ret = ret == 0 ? device_realize(d, e) : ret;
        pthread_mutex_init(&hand_edus[i].lock, NULL);
        hand_ranges[1 + i] = (struct hand_range){gpa, gpa + EDU_SIZE - 1, &hand_edus[i]};
    }
    return ret;
}

static const unsigned readable[] = {LIVENESS, ID,      FACTORIAL, STATUS, IRQ_STATUS,
                                    DMA_SRC,  DMA_DST, DMA_COUNT, DMA_CMD};

/* Of the first `edus` edu, the first `count` of the readable registers. */
static void set_order(unsigned edus, unsigned count)
{
    for (unsigned i = 0; i < ORDER; i++) {
        order[i].gpa =
            EDU_GPA + (unsigned)rand() % edus * EDU_SIZE + readable[(unsigned)rand() % count];
        order[i].len = 4;
    }
}

/* --- the runs --------------------------------------------------------- */

static void read_edu(void)
{
    uint64_t data;

    for (unsigned i = 0; i < ACCESSES; i++) {
        aspace_read(mem, order[i % ORDER].gpa, &data, order[i % ORDER].len);
    }
}

static void read_by_hand(void)
{
    uint64_t data;

    for (unsigned i = 0; i < ACCESSES; i++) {
        hand_read(order[i % ORDER].gpa, &data, order[i % ORDER].len);
    }
}

static void write_edu(void)
{
    for (uint64_t i = 0; i < ACCESSES; i++) {
        aspace_write(mem, order[i % ORDER].gpa, &i, order[i % ORDER].len);
    }
}

static void write_by_hand(void)
{
    for (uint64_t i = 0; i < ACCESSES; i++) {
        hand_write(order[i % ORDER].gpa, &i, order[i % ORDER].len);
    }
}

int main(void)
{
    struct err e = ERR_INIT;

    if (set_up(&e) < 0) {
        fprintf(stderr, "dispatch: %s\n", e.what);
        return 1;
    }
    set_order(1, 1);
    report("edu-read", read_edu, read_by_hand, RUNS, ACCESSES, "ns");
    report("edu-write", write_edu, write_by_hand, RUNS, ACCESSES, "ns");
    set_order(1, ARRAY_LEN(readable));
    report("edu-read-all", read_edu, read_by_hand, RUNS, ACCESSES, "ns");
    set_order(EDUS, ARRAY_LEN(readable));
    report("edu-read-any", read_edu, read_by_hand, RUNS, ACCESSES, "ns");
    return 0;
}
