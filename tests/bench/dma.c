/*
 * dma-engine against memcpy(), from the write of START to a DONE of 1, through
 * the registers, as a vCPU's thread does it but without KVM between. What is not
 * done at once is waited for by interrupt. Lines of "NAME RATE UNIT RATIO", NAME
 * being the size; RATIO is the engine's bandwidth over that of memcpy() of as
 * many bytes.
 *
 * Both walk through all of RAM, so that they find their bytes in memory and not
 * in the first caches, and both count until other CPUs can see the copy. They
 * are timed one by one, in turns. Of the times the tenth percentile counts: a
 * busy host only adds. It may add more to the engine's large copies, which two
 * threads share; so there are second lines, SIZE-cpu, by the CPU time of all
 * threads of the process.
 */
#include "devices/platform.h"
#include "src/clock.h"
#include "src/mem/ram.h"

#include <inttypes.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RAM_SIZE  (256ULL << 20)
#define HALF      (RAM_SIZE / 2) /* sources in the lower, destinations in the upper */
#define DEVICE_AT 0x100000000ULL
#define RUNS_MAX  2000

enum { IRQ_STATUS = 0x00c, IRQ_ENABLE = 0x010 };
enum { SRC = 0x1000, DST = 0x1008, SIZE = 0x1014, START = 0x1018, DONE = 0x101c };

static struct ram ram;
static struct clock host_clock;
static struct region root, ram_region;
static struct device_env env;
static struct device *engine;
static sem_t interrupts;
static clockid_t timed_by;

static void fail(const struct err *e)
{
    err_print(e);
    exit(1);
}

static void on_interrupt(void *opaque, unsigned gsi, bool level)
{
    (void)opaque, (void)gsi;
    if (level) {
        sem_post(&interrupts);
    }
}

static int get_line(void *opaque, unsigned gsi, struct irq *out, struct err *e)
{
    (void)opaque, (void)e;
    *out = (struct irq){.set = on_interrupt, .n = gsi};
    return 0;
}

static void set_up(void)
{
    struct err e = ERR_INIT;
    clock_init(&host_clock);
    sem_init(&interrupts, 0, 0);
    env.clock = &host_clock;
    env.topo = topology_new();
    env.loop = loop_new(&host_clock, &e);
    if (env.topo == NULL || env.loop == NULL || ram_alloc(&ram, RAM_SIZE, &e) < 0) {
        fail(&e);
    }
    memset(ram.host, 1, RAM_SIZE);
    region_init_container(&root, env.topo, "memory", REGION_ALL);
    region_init_ram(&ram_region, env.topo, "ram", RAM_SIZE, ram.host);
    region_add(&root, 0, &ram_region, 0);
    env.mem_root = &root;
    env.mem = aspace_new(env.topo, "memory", &root);
    env.irq_level_get = get_line;
    engine = device_new(device_class_find("dma-engine", &e), "dma-engine", &env, &e);
    if (env.mem == NULL || engine == NULL || device_set(engine, "max_size", "64M", &e) < 0 ||
        platform_plug(engine, DEVICE_AT, 0, &e) < 0 || device_realize(engine, &e) < 0) {
        fail(&e);
    }
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(timed_by, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void put(uint64_t reg, uint64_t value, size_t size)
{
    aspace_write(env.mem, DEVICE_AT + reg, &value, size);
}

static uint32_t done(void)
{
    uint32_t value;
    aspace_read(env.mem, DEVICE_AT + DONE, &value, sizeof(value));
    return value;
}

static double time_engine(uint64_t at, uint32_t size)
{
    put(SRC, at, 8);
    put(DST, HALF + at, 8);
    put(SIZE, size, 4);
    double begin = now_ns();
    put(START, 1, 4);
    while (done() == 0) {
        put(IRQ_ENABLE, 1, 4);
        sem_wait(&interrupts);
    }
    double ns = now_ns() - begin;
    if (done() != 1) {
        fprintf(stderr, "dma: a copy of %" PRIu32 " bytes failed\n", size);
        exit(1);
    }
    put(IRQ_ENABLE, 0, 4);
    put(IRQ_STATUS, 1, 4);
    return ns;
}

static double time_memcpy(uint64_t at, uint32_t size)
{
    double begin = now_ns();
    memcpy(ram.host + HALF + at, ram.host + at, size);
    atomic_thread_fence(memory_order_seq_cst);
    return now_ns() - begin;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(uint32_t size)
{
    static double ours[RUNS_MAX], floor[RUNS_MAX];
    unsigned runs = (unsigned)(4 * HALF / size);
    uint64_t at = 0;
    runs = runs < RUNS_MAX ? runs : RUNS_MAX;
    runs = runs > 31 ? runs : 31;
    for (unsigned i = 0; i < runs; i++) {
        ours[i] = time_engine(at, size);
        at = (at + size) % HALF;
        floor[i] = time_memcpy(at, size);
        at = (at + size) % HALF;
    }
    qsort(ours, runs, sizeof(ours[0]), by_value);
    qsort(floor, runs, sizeof(floor[0]), by_value);
    printf("%" PRIu32 "K%s %.2f GB/s %.2f\n", size >> 10, timed_by == CLOCK_MONOTONIC ? "" : "-cpu",
           size / ours[runs / 10], floor[runs / 10] / ours[runs / 10]);
}

int main(void)
{
    static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID};
    set_up();
    for (size_t i = 0; i < ARRAY_LEN(clocks); i++) {
        timed_by = clocks[i];
        for (uint32_t size = 4096; size <= 64U << 20; size *= 4) {
            report(size);
        }
    }
    return 0;
}
