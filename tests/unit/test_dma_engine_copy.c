/*
 * dma-engine: copies. What the driver does, overlaps against memmove(), long
 * copies on the I/O thread and what ends them early.
 */
#include "tests/unit/dma_fixture.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

TestSuite(dma_engine_copy, .init = dma_fixture_setup, .fini = dma_fixture_teardown);

/* --- as the driver does it -------------------------------------------- */

/* One buffer, source and destination side by side. */
Test(dma_engine_copy, the_five_writes_of_the_driver)
{
    static const uint32_t sizes[] = {0, 1, 4095, 4096, 65536, 65537, 2 << 20};
    dma_fixture_engine(NULL);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        uint32_t size = sizes[i];
        dma_expect_copy(GPA_BIG, GPA_BIG + size, size);
        dma_copy(0, GPA_BIG, GPA_BIG + size, size);
        cr_assert_eq(dma_get(DONE), 1, "over when START is");
        cr_assert_eq(dma_get(DONE), 1, "and stays so");
        cr_assert_eq(dma_get(ERROR), 0);
        cr_assert_eq(dma_get(COPIED), size);
        cr_assert(dma_as_expected());
        memset(dma_byte(GPA_BIG), (int)i, 2 << 20);
    }
    cr_assert_eq(dma.m.slots[0].raises, 0);
    cr_assert_eq(guest_error_count(&dma.d->guest_errors), 0);
}

Test(dma_engine_copy, no_bytes_need_no_memory)
{
    dma_fixture_engine(NULL);
    dma_copy(0, GPA_HOLE, UINT64_MAX, 0);
    cr_assert_eq(dma_get(DONE), 1);
    cr_assert_eq(dma_get(ERROR), 0);
}

/* Each half replaces its own, in any order. */
Test(dma_engine_copy, addresses_in_halves)
{
    dma_fixture_engine(NULL);
    for (unsigned order = 0; order < 2; order++) {
        uint64_t src = GPA_BIG + 0x1000 * order, dst = GPA_D + 8;
        dma_expect_copy(src, dst, 64);
        dma_put(SRC + 4 * order, (uint32_t)(src >> 32 * order));
        dma_put(SRC + 4 * !order, (uint32_t)(src >> 32 * !order));
        dma_put(DST + 4 * order, (uint32_t)(dst >> 32 * order));
        dma_put(DST + 4 * !order, (uint32_t)(dst >> 32 * !order));
        cr_assert_eq(fake_read(dma.m.mem, FAKE_SLOT_GPA(0) + SRC, 8), src);
        dma_put(SIZE, 64);
        dma_put(START, 1);
        cr_assert_eq(dma_get(DONE), 1);
        cr_assert(dma_as_expected());
    }
}

Test(dma_engine_copy, only_bit_0_starts)
{
    dma_fixture_engine(NULL);
    dma_copy(0, GPA_A, GPA_B, 16);
    dma_expect_nothing();
    *dma_byte(GPA_A) ^= 0xff;
    *dma_byte(GPA_A + 1) ^= 0xff;
    dma_expect_nothing();
    dma_put(START, 0);
    dma_put(START, 0xfffffffe);
    cr_assert(dma_as_expected());
    cr_assert_eq(dma_get(DONE), 1);
    dma_expect_copy(GPA_A, GPA_B, 16);
    dma_put(START, 0xffffffff);
    cr_assert(dma_as_expected());
    cr_assert_eq(dma_get(START), 0);
}

Test(dma_engine_copy, an_error_does_not_last)
{
    dma_fixture_engine(NULL);
    dma_copy(0, GPA_HOLE, GPA_B, 16);
    cr_assert_eq(dma_get(DONE), FAILED);
    dma_copy(0, GPA_A, GPA_B, 16);
    cr_assert_eq(dma_get(DONE), 1);
    cr_assert_eq(dma_get(ERROR), 0);
}

/* --- overlaps --------------------------------------------------------- */

Test(dma_engine_copy, overlaps_are_like_memmove)
{
    static const int distances[] = {0, 1, -1, 7, -7, 0x2fff, -0x2fff, 0x3000, 0x3001};
    dma_fixture_engine(NULL);
    for (size_t i = 0; i < ARRAY_LEN(distances); i++) {
        uint64_t dst = GPA_A + (uint64_t)(distances[i] > 0 ? distances[i] : 0);
        uint64_t src = dst - (uint64_t)(int64_t)distances[i];
        dma_expect_copy(src, dst, 0x4000);
        dma_copy(0, src, dst, 0x4000);
        cr_assert_eq(dma_get(DONE), 1);
        cr_assert(dma_as_expected(), "distance %d", distances[i]);
    }
}

/* An address in [first, first + size), and a length that stays inside. */
static uint64_t random_range(uint64_t first, uint32_t size, uint32_t *len)
{
    uint32_t at = (uint32_t)(dma_random() % size);
    *len = (uint32_t)(dma_random() % (size - at + 1));
    return first + at;
}

Test(dma_engine_copy, random_copies_over_several_ranges)
{
    static const struct {
        uint64_t gpa;
        uint32_t readable, writable;
    } places[] = {{GPA_A, 0xa000, 0x8000}, {GPA_C, 0x8000, 0x8000}};
    dma_fixture_engine("channels=15");
    for (unsigned i = 0; i < 400; i++) {
        uint32_t src_len, dst_len;
        unsigned from = dma_random() % 2, to = dma_random() % 4 == 0 ? !from : from;
        unsigned n = dma_random() % 15;
        uint64_t src = random_range(places[from].gpa, places[from].readable, &src_len);
        uint64_t dst = random_range(places[to].gpa, places[to].writable, &dst_len);
        uint32_t size = src_len < dst_len ? src_len : dst_len;
        dma_expect_copy(src, dst, size);
        dma_copy(n, src, dst, size);
        cr_assert_eq(dma_get(CHANNEL(n) + DONE), 1);
        cr_assert(dma_as_expected(), "0x%lx to 0x%lx size 0x%x", src, dst, size);
    }
}

Test(dma_engine_copy, random_long_copies)
{
    dma_fixture_engine(NULL);
    for (unsigned i = 0; i < 12; i++) {
        uint32_t size = DMA_SYNC_MAX + 1 + (uint32_t)(dma_random() % (4 << 20));
        uint64_t src = GPA_BIG + dma_random() % (BIG_SIZE - size + 1);
        uint64_t dst = GPA_BIG + dma_random() % (BIG_SIZE - size + 1);
        dma_expect_copy(src, dst, size);
        dma_copy(0, src, dst, size);
        cr_assert_eq(dma_wait(0), 1);
        cr_assert_eq(dma_get(COPIED), size);
        cr_assert(dma_as_expected(), "0x%lx to 0x%lx size 0x%x", src, dst, size);
    }
}

/* --- on the I/O thread ------------------------------------------------ */

#define LONG_SIZE (4U << 20) /* four pieces */

static void start_long(unsigned n)
{
    dma_copy(n, GPA_BIG, GPA_BIG + LONG_SIZE, LONG_SIZE);
}

Test(dma_engine_copy, done_is_0_until_the_last_byte)
{
    dma_fixture_engine(NULL);
    dma_put(IRQ_ENABLE, 1);
    for (unsigned twice = 0; twice < 2; twice++) {
        memset(dma_byte(GPA_BIG), (int)(0x40 + twice), 3 << 20);
        dma_expect_copy(GPA_BIG, GPA_BIG + LONG_SIZE, LONG_SIZE);
        dma_hold_thread();
        start_long(0);
        for (unsigned pieces = 0; pieces < LONG_SIZE / DMA_PIECE; pieces++) {
            cr_assert_eq(dma_get(DONE), 0);
            cr_assert_eq(dma_get(IRQ_STATUS), 0);
            cr_assert_eq(dma_get(COPIED), pieces * DMA_PIECE);
            dma_step_thread();
        }
        cr_assert_eq(dma_get(DONE), 1);
        cr_assert_eq(dma_get(COPIED), LONG_SIZE);
        cr_assert_eq(dma.m.slots[0].raises, twice + 1);
        cr_assert(dma_as_expected());
        dma_put(IRQ_STATUS, 1);
        dma_release_thread();
    }
}

Test(dma_engine_copy, operands_are_latched_at_start)
{
    dma_fixture_engine(NULL);
    dma_expect_copy(GPA_BIG, GPA_BIG + LONG_SIZE, LONG_SIZE);
    dma_hold_thread();
    start_long(0);
    dma_step_thread();
    fake_write(dma.m.mem, FAKE_SLOT_GPA(0) + SRC, GPA_HOLE, 8);
    fake_write(dma.m.mem, FAKE_SLOT_GPA(0) + DST, GPA_ROM, 8);
    dma_put(SIZE, 1);
    dma_put(FLAGS, 1);
    dma_release_thread();
    cr_assert_eq(dma_wait(0), 1);
    cr_assert(dma_as_expected());
    cr_assert_eq(fake_read(dma.m.mem, FAKE_SLOT_GPA(0) + SRC, 8), GPA_HOLE, "for the next");
    cr_assert_eq(dma_get(FLAGS), 1);
}

Test(dma_engine_copy, start_while_running_is_ignored_and_counted)
{
    dma_fixture_engine(NULL);
    dma_expect_copy(GPA_BIG, GPA_BIG + LONG_SIZE, LONG_SIZE);
    dma_hold_thread();
    start_long(0);
    dma_step_thread();
    dma_copy(0, GPA_A, GPA_B, 16);
    cr_assert_eq(guest_error_count(&dma.d->guest_errors), 1);
    cr_assert_eq(dma_get(DONE), 0);
    cr_assert_eq(dma_get(COPIED), DMA_PIECE);
    dma_release_thread();
    cr_assert_eq(dma_wait(0), 1);
    cr_assert_eq(dma_get(COPIED), LONG_SIZE);
    cr_assert(dma_as_expected());
}

Test(dma_engine_copy, channels_take_turns_and_short_copies_need_not_wait)
{
    dma_fixture_engine("channels=3");
    dma_hold_thread();
    start_long(0);
    start_long(2);
    dma_step_thread();
    dma_step_thread();
    cr_assert_eq(dma_get(CHANNEL(0) + COPIED), DMA_PIECE);
    cr_assert_eq(dma_get(CHANNEL(2) + COPIED), DMA_PIECE);
    dma_copy(1, GPA_A, GPA_B, 4096);
    cr_assert_eq(dma_get(CHANNEL(1) + DONE), 1);
    cr_assert_eq(dma_get(CHANNEL(0) + DONE), 0);
    dma_release_thread();
    cr_assert_eq(dma_wait(0), 1);
    cr_assert_eq(dma_wait(2), 1);
    cr_assert_eq(dma_get(IRQ_STATUS), 7);
}

Test(dma_engine_copy, losing_bus_mastering_cancels_at_the_next_piece)
{
    dma_fixture_engine(NULL);
    dma_put(IRQ_ENABLE, 1);
    dma_hold_thread();
    start_long(0);
    dma_step_thread();
    dma.m.slots[0].no_dma = true;
    dma_expect_nothing();
    dma_step_thread();
    cr_assert_eq(dma_get(DONE), FAILED);
    cr_assert_eq(dma_get(ERROR), 4);
    cr_assert_eq(dma_get(COPIED), DMA_PIECE);
    cr_assert_eq(dma_get(IRQ_STATUS), 1);
    cr_assert_eq(dma.m.slots[0].raises, 1);
    cr_assert(dma_as_expected());
    dma.m.slots[0].no_dma = false;
    dma_copy(0, GPA_A, GPA_B, 16);
    cr_assert_eq(dma_get(DONE), 1);
    dma_release_thread();
}

Test(dma_engine_copy, memory_that_goes_away_ends_a_copy)
{
    dma_fixture_engine(NULL);
    dma_hold_thread();
    dma_copy(0, GPA_BIG, GPA_BIG + (3 << 20), 3 << 20);
    dma_step_thread();
    region_del(&dma.ram[RAM_BIG2].region);
    dma_step_thread();
    cr_assert_eq(dma_get(DONE), FAILED);
    cr_assert_eq(dma_get(ERROR), 3);
    cr_assert_eq(dma_get(COPIED), DMA_PIECE);
    dma_release_thread();
}

Test(dma_engine_copy, a_reset_ends_all_copies)
{
    dma_fixture_engine("channels=2");
    dma_put(IRQ_ENABLE, 3);
    dma_hold_thread();
    start_long(0);
    start_long(1);
    dma_step_thread();
    device_reset(dma.d);
    dma_expect_nothing();
    for (unsigned i = 0; i < 10; i++) {
        dma_step_thread();
    }
    cr_assert(dma_as_expected());
    for (unsigned n = 0; n < 2; n++) {
        cr_assert_eq(dma_get(CHANNEL(n) + DONE) | dma_get(CHANNEL(n) + ERROR), 0);
        cr_assert_eq(dma_get(CHANNEL(n) + COPIED), 0);
    }
    cr_assert_eq(dma_get(IRQ_STATUS) | dma_get(IRQ_ENABLE), 0);
    cr_assert_eq(dma.m.slots[0].raises, 0);
    dma_release_thread();
}

/* Wherever the I/O thread happens to be; for TSan, which sees bytes that move too late. */
Test(dma_engine_copy, a_reset_at_any_time)
{
    dma_fixture_engine(NULL);
    for (unsigned i = 0; i < 30; i++) {
        start_long(0);
        for (unsigned wait = 0; wait < 20 * i; wait++) {
            dma_get(ID);
        }
        device_reset(dma.d);
        memset(dma_byte(GPA_BIG + LONG_SIZE), (int)i, LONG_SIZE);
        dma_hold_thread();
        cr_assert_eq(*dma_byte(GPA_BIG + LONG_SIZE + DMA_PIECE - 1), (uint8_t)i);
        cr_assert_eq(dma_get(DONE) | dma_get(COPIED) | dma_get(IRQ_STATUS), 0);
        dma_release_thread();
    }
}

#ifndef SANITIZED /* they take SIGSEGV for themselves */
static struct {
    sem_t reached;
    atomic_bool open;
    atomic_bool reset_done;
} barrier;

/* The I/O thread touched the closed page. */
static void wait_for_page(int signal)
{
    (void)signal;
    sem_post(&barrier.reached);
    while (!atomic_load(&barrier.open)) {
        sched_yield();
    }
}

static void *run_reset(void *opaque)
{
    device_reset(opaque);
    atomic_store(&barrier.reset_done, true);
    return NULL;
}

/* A page in the middle of a piece is closed, so that the piece is in flight for certain. */
Test(dma_engine_copy, a_reset_waits_for_the_piece_in_flight)
{
    uint8_t *page = dma_byte(GPA_BIG + LONG_SIZE + DMA_PIECE / 2);
    pthread_t thread;
    page -= (uintptr_t)page % 4096;
    dma_fixture_engine(NULL);
    sem_init(&barrier.reached, 0, 0);
    signal(SIGSEGV, wait_for_page);
    mprotect(page, 4096, PROT_NONE);
    start_long(0);
    sem_wait(&barrier.reached);
    pthread_create(&thread, NULL, run_reset, dma.d);
    for (unsigned i = 0; i < 2000; i++) {
        sched_yield();
        cr_assert(!atomic_load(&barrier.reset_done), "before the piece");
    }
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
    atomic_store(&barrier.open, true);
    pthread_join(thread, NULL);
    dma_hold_thread();
    cr_assert_eq(dma_get(DONE) | dma_get(COPIED) | dma_get(IRQ_STATUS), 0);
    dma_release_thread();
}
#endif

Test(dma_engine_copy, a_copy_started_after_a_reset_is_whole)
{
    dma_fixture_engine(NULL);
    for (unsigned i = 0; i < 10; i++) {
        memset(dma_byte(GPA_BIG), (int)i, 3 << 20);
        start_long(0);
        sched_yield();
        device_reset(dma.d);
        dma_expect_copy(GPA_BIG, GPA_BIG + LONG_SIZE, LONG_SIZE);
        start_long(0);
        cr_assert_eq(dma_wait(0), 1);
        cr_assert_eq(dma_get(COPIED), LONG_SIZE);
        cr_assert(dma_as_expected());
    }
}

Test(dma_engine_copy, unrealize_with_copies_in_flight)
{
    for (unsigned i = 0; i < 10; i++) {
        dma_fixture_engine("channels=15");
        for (unsigned n = 0; n < 15; n++) {
            start_long(n);
        }
        device_free(dma.d);
        dma.d = NULL;
        dma.m.slot_count = 0;
    }
}

/* --- several vCPUs ---------------------------------------------------- */

struct vcpu_part {
    pthread_t thread;
    unsigned channel;
    unsigned failures;
};

/* Long and short copies within this thread's own part of memory. */
static void *run_vcpu(void *opaque)
{
    struct vcpu_part *v = opaque;
    struct mem_reader reader;
    uint64_t base = GPA_BIG + v->channel * (BIG_SIZE / 2);
    mem_reader_register(&reader, dma.m.topo);
    for (unsigned i = 0; i < 60; i++) {
        uint32_t size = i % 20 == 0 ? DMA_SYNC_MAX - 1 : 4096 * (i % 3) + 1;
        mem_reader_online(&reader);
        dma_copy(v->channel, base, base + (BIG_SIZE / 4), size);
        v->failures += dma_wait(v->channel) != 1;
        dma_put(IRQ_STATUS, 1U << v->channel);
        mem_reader_offline(&reader);
    }
    mem_reader_unregister(&reader);
    return NULL;
}

Test(dma_engine_copy, two_vcpus_and_the_io_thread_at_once)
{
    struct vcpu_part v[2] = {{.channel = 0}, {.channel = 1}};
    dma_fixture_engine("channels=3");
    dma_put(IRQ_ENABLE, 7);
    dma_expect_copy(GPA_BIG, GPA_BIG + (BIG_SIZE / 4), DMA_SYNC_MAX - 1);
    for (unsigned i = 0; i < 2; i++) {
        pthread_create(&v[i].thread, NULL, run_vcpu, &v[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(v[i].thread, NULL);
        cr_assert_eq(v[i].failures, 0);
    }
    cr_assert_eq(dma_get(IRQ_STATUS), 0);
    cr_assert_eq(dma.m.slots[0].raised, 0);
    cr_assert_eq(memcmp(dma_byte(GPA_BIG), dma_byte(GPA_BIG + BIG_SIZE / 4), 4097), 0);
}
