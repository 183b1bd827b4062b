/*
 * For tests of dma-engine: the engine on the fake bus, over RAM in several
 * ranges, and a hold on its I/O thread.
 *
 *     0x010000 a (12 KiB)   0x013000 b (20 KiB)   0x018000 rom (8 KiB)   then a hole
 *     0xffffc000 c (16 KiB) 0x1_00000000 d (16 KiB)
 *     2^64 - 4096 top (4 KiB)
 *     0x10_00000000 big1 (3 MiB), big2 (5 MiB)
 */
#ifndef TESTS_DMA_FIXTURE_H
#define TESTS_DMA_FIXTURE_H

#include "devices/dma_engine.h"
#include "tests/unit/fake_mem.h"
#include "tests/unit/fakes.h"

#include <stdbool.h>
#include <stdint.h>

enum { RAM_A, RAM_B, RAM_ROM, RAM_C, RAM_D, RAM_TOP, RAM_BIG1, RAM_BIG2, RAM_COUNT };

#define GPA_A    0x10000ULL
#define GPA_B    0x13000ULL
#define GPA_ROM  0x18000ULL
#define GPA_HOLE 0x1a000ULL
#define GPA_C    0xffffc000ULL
#define GPA_D    0x100000000ULL
#define GPA_TOP  0xfffffffffffff000ULL
#define GPA_BIG  0x1000000000ULL
#define BIG_SIZE (8U << 20)

/* Registers as the driver knows them, of channel 0. */
enum {
    ID = 0x000,
    CAPS = 0x004,
    MAX_SIZE = 0x008,
    IRQ_STATUS = 0x00c,
    IRQ_ENABLE = 0x010,
    SRC = 0x1000,
    DST = 0x1008,
    FLAGS = 0x1010,
    SIZE = 0x1014,
    START = 0x1018,
    DONE = 0x101c,
    ERROR = 0x1020,
    COPIED = 0x1024,
};
#define CHANNEL(n) ((n)*0x1000U) /* CHANNEL(2) + SRC */
#define FAILED     0x80000000

struct dma_fixture {
    struct fake_machine m;
    struct fake_ram ram[RAM_COUNT];
    struct device *d; /* NULL: dma_fixture_engine() makes it */
    struct dma_engine *e;
};

extern struct dma_fixture dma;

/* Init and fini of a Criterion suite. All RAM and the ROM are filled with noise. */
void dma_fixture_setup(void);
void dma_fixture_teardown(void);
void dma_fixture_engine(const char *props);

uint32_t dma_get(uint32_t reg);
void dma_put(uint32_t reg, uint32_t value);

/* The host's byte behind gpa, or NULL. */
uint8_t *dma_byte(uint64_t gpa);

/* The five writes of the driver, on channel n. */
void dma_copy(unsigned n, uint64_t src, uint64_t dst, uint32_t size);
/* Poll DONE until it is not 0; returns it. */
uint32_t dma_wait(unsigned n);

/* Stop the engine's I/O thread between two turns of its loop. */
void dma_hold_thread(void);
/* Let it do one turn: one piece, if a copy runs. */
void dma_step_thread(void);
void dma_release_thread(void);

/* As memmove() would do it, on a copy of all RAM: call before the copy, compare after it. */
void dma_expect_copy(uint64_t src, uint64_t dst, uint32_t size);
void dma_expect_nothing(void);
bool dma_as_expected(void);

uint64_t dma_random(void);

#endif
