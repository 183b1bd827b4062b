/*
 * For tests of dma-engine: see dma_fixture.h.
 */
#include "tests/unit/dma_fixture.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

struct dma_fixture dma;

static const struct {
    const char *name;
    uint64_t gpa;
    size_t size;
} ranges[RAM_COUNT] = {
    [RAM_A] = {"a", GPA_A, 0x3000},          [RAM_B] = {"b", GPA_B, 0x5000},
    [RAM_ROM] = {"rom", GPA_ROM, 0x2000},    [RAM_C] = {"c", GPA_C, 0x4000},
    [RAM_D] = {"d", GPA_D, 0x4000},          [RAM_TOP] = {"top", GPA_TOP, 0x1000},
    [RAM_BIG1] = {"big1", GPA_BIG, 3 << 20}, [RAM_BIG2] = {"big2", GPA_BIG + (3 << 20), 5 << 20},
};

static uint8_t *expected[RAM_COUNT];

uint64_t dma_random(void)
{
    static uint64_t x = 88172645463325252;
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    return x;
}

void dma_fixture_setup(void)
{
    fake_machine_init(&dma.m, 0);
    for (unsigned i = 0; i < RAM_COUNT; i++) {
        enum region_kind kind = i == RAM_ROM ? REGION_ROM : REGION_RAM;
        fake_ram_init(&dma.ram[i], dma.m.topo, kind, ranges[i].name, ranges[i].size);
        region_add(&dma.m.mem_root, ranges[i].gpa, &dma.ram[i].region, 0);
        for (size_t at = 0; at < ranges[i].size; at += 8) {
            uint64_t noise = dma_random();
            memcpy(dma.ram[i].host + at, &noise, sizeof(noise));
        }
        expected[i] = malloc(ranges[i].size);
        cr_assert_not_null(expected[i]);
    }
}

void dma_fixture_engine(const char *props)
{
    dma.d = fake_device(&dma.m, "dma-engine", props);
    dma.e = DEVICE_STATE(struct dma_engine, dma.d);
}

void dma_fixture_teardown(void)
{
    device_free(dma.d);
    for (unsigned i = 0; i < RAM_COUNT; i++) {
        fake_ram_fini(&dma.ram[i]);
        free(expected[i]);
    }
    fake_machine_free(&dma.m);
}

/* --- registers -------------------------------------------------------- */

uint32_t dma_get(uint32_t reg)
{
    return (uint32_t)fake_read(dma.m.mem, FAKE_SLOT_GPA(0) + reg, 4);
}

void dma_put(uint32_t reg, uint32_t value)
{
    fake_write(dma.m.mem, FAKE_SLOT_GPA(0) + reg, value, 4);
}

void dma_copy(unsigned n, uint64_t src, uint64_t dst, uint32_t size)
{
    uint64_t channel = FAKE_SLOT_GPA(0) + CHANNEL(n);
    fake_write(dma.m.mem, channel + SRC, src, 8);
    fake_write(dma.m.mem, channel + DST, dst, 8);
    fake_write(dma.m.mem, channel + SIZE, size, 4);
    fake_write(dma.m.mem, channel + START, 1, 4);
}

uint32_t dma_wait(unsigned n)
{
    uint32_t done;
    while ((done = dma_get(CHANNEL(n) + DONE)) == 0) {
        sched_yield();
    }
    return done;
}

/* --- the I/O thread --------------------------------------------------- */

static struct {
    struct bh bh;
    sem_t held, go;
    bool release;
} hold;

/* A bottom half that waits: it and the engine's take turns. */
static void on_turn(void *opaque)
{
    (void)opaque;
    sem_post(&hold.held);
    sem_wait(&hold.go);
    if (!hold.release) {
        bh_schedule(&hold.bh);
        return;
    }
    sem_post(&hold.held);
}

void dma_hold_thread(void)
{
    sem_init(&hold.held, 0, 0);
    sem_init(&hold.go, 0, 0);
    hold.release = false;
    bh_init(&hold.bh, iothread_loop(dma.e->iothread), on_turn, NULL);
    bh_schedule(&hold.bh);
    sem_wait(&hold.held);
}

void dma_step_thread(void)
{
    sem_post(&hold.go);
    sem_wait(&hold.held);
}

void dma_release_thread(void)
{
    hold.release = true;
    dma_step_thread();
}

/* --- memory ----------------------------------------------------------- */

/* The byte of gpa in one of two copies of all RAM. */
static uint8_t *find(uint64_t gpa, bool in_expected)
{
    for (unsigned i = 0; i < RAM_COUNT; i++) {
        if (gpa - ranges[i].gpa < ranges[i].size) {
            return (in_expected ? expected[i] : dma.ram[i].host) + (gpa - ranges[i].gpa);
        }
    }
    return NULL;
}

uint8_t *dma_byte(uint64_t gpa)
{
    return find(gpa, false);
}

void dma_expect_nothing(void)
{
    for (unsigned i = 0; i < RAM_COUNT; i++) {
        memcpy(expected[i], dma.ram[i].host, ranges[i].size);
    }
}

void dma_expect_copy(uint64_t src, uint64_t dst, uint32_t size)
{
    dma_expect_nothing();
    for (uint32_t i = 0; i < size; i++) { /* from RAM, which does not change, into the other */
        *find(dst + i, true) = *find(src + i, false);
    }
}

bool dma_as_expected(void)
{
    for (unsigned i = 0; i < RAM_COUNT; i++) {
        if (memcmp(expected[i], dma.ram[i].host, ranges[i].size) != 0) {
            return false;
        }
    }
    return true;
}
