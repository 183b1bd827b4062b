/*
 * edu: transfers between guest memory and the buffer, and all the ways to ask for
 * what cannot be.
 */
#include "tests/unit/edu_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static uint8_t pattern[BUFFER_SIZE]; /* no byte of it is 0 or 0xff */
static uint8_t seen[BUFFER_SIZE];

static void setup(void)
{
    edu_setup();
    for (unsigned i = 0; i < BUFFER_SIZE; i++) {
        pattern[i] = (uint8_t)(1 + (i * 7 + i / 256) % 254);
    }
}

TestSuite(edu_dma, .init = setup, .fini = edu_teardown);

static void buffer_holds(const uint8_t want[BUFFER_SIZE])
{
    buffer_read(seen);
    cr_assert_arr_eq(seen, want, BUFFER_SIZE);
}

static void memory_is(uint32_t first, uint32_t size, uint8_t byte)
{
    for (uint32_t at = first; at < first + size; at++) {
        cr_assert_eq(machine.ram[at], byte, "0x%x is 0x%x", at, machine.ram[at]);
    }
}

/* --- good transfers --------------------------------------------------- */

static void round_trip(uint32_t from, uint32_t place, uint32_t count, uint32_t to)
{
    memset(machine.ram, 0, RAM_SIZE);
    memcpy(machine.ram + from, pattern, count);
    dma_run(from, BUFFER + place, count, TO_BUFFER);
    dma_run(BUFFER + place, to, count, TO_MEMORY);
    cr_assert_eq(memcmp(machine.ram + to, pattern, count), 0, "%u bytes by %u", count, place);
    cr_assert(to == 0 || machine.ram[to - 1] == 0);
    cr_assert(to + count == RAM_SIZE || machine.ram[to + count] == 0);
}

Test(edu_dma, copies_there_and_back)
{
    round_trip(0x1000, 0, 1, 0x3000);
    round_trip(0x1000, BUFFER_SIZE - 1, 1, 0x3001);
    round_trip(0x1001, 5, 8, 0x3003);
    round_trip(0x1000, 0, BUFFER_SIZE, 0x3000);
    round_trip(0, 0, BUFFER_SIZE, RAM_SIZE - BUFFER_SIZE);
    round_trip(RAM_SIZE - BUFFER_SIZE, 0, BUFFER_SIZE, 0x10000);
    round_trip(BUFFER, 0, BUFFER_SIZE, BUFFER + 0x2000); /* RAM has these addresses as well */
    cr_expect_eq(errors(), 0);
    cr_expect_eq(slot->raises, 0, "nobody asked for an interrupt");
}

Test(edu_dma, four_kib_at_every_offset_come_back)
{
    edu_remake("dma_delay=0");
    for (uint32_t at = 0; at < BUFFER_SIZE; at++) {
        memset(machine.ram + 0x4000, 0, 3 * BUFFER_SIZE);
        memcpy(machine.ram + at, pattern, BUFFER_SIZE);
        dma_run(at, BUFFER, BUFFER_SIZE, TO_BUFFER);
        uint32_t to = 0x4000 + BUFFER_SIZE - at;
        dma_run(BUFFER, to, BUFFER_SIZE, TO_MEMORY);
        cr_assert_eq(memcmp(machine.ram + to, pattern, BUFFER_SIZE), 0, "%u", at);
        cr_assert(machine.ram[to - 1] == 0 && machine.ram[to + BUFFER_SIZE] == 0, "%u", at);
    }
    cr_expect_eq(errors(), 0);
}

Test(edu_dma, every_part_of_the_buffer_can_be_written_alone)
{
    edu_remake("dma_delay=0");
    uint8_t want[BUFFER_SIZE];
    for (uint32_t at = 0; at < BUFFER_SIZE; at++) {
        uint32_t count = 1 + at * 31 % (BUFFER_SIZE - at);
        memset(want, 0, BUFFER_SIZE);
        buffer_fill(want);
        memcpy(machine.ram + 0x1003, pattern, count);
        dma_run(0x1003, BUFFER + at, count, TO_BUFFER);
        memcpy(want + at, pattern, count);
        buffer_holds(want);
    }
    cr_expect_eq(errors(), 0);
}

Test(edu_dma, no_bytes_is_a_transfer_too)
{
    buffer_fill(pattern);
    dma_run(0x1000, BUFFER, 0, TO_BUFFER | DMA_IRQ);
    dma_run(BUFFER + BUFFER_SIZE, 0x1000, 0, TO_MEMORY | DMA_IRQ);
    cr_expect_eq(errors(), 0);
    cr_expect_eq(slot->raises, 2);
    buffer_holds(pattern);
    memory_is(0, 0x2000, 0);
}

/* --- time and order --------------------------------------------------- */

Test(edu_dma, takes_100_ms_and_interrupts_after_run_is_clear)
{
    memset(machine.ram + 0x1000, 0x77, 16);
    dma_start(0x1000, BUFFER, 16, RUN | TO_BUFFER | DMA_IRQ);
    pass(DELAY_NS - 1);
    cr_expect_eq(get(DMA_CMD), RUN | DMA_IRQ);
    cr_expect_eq(slot->raises, 0);
    memset(machine.ram + 0x1000, 0x99, 16); /* it is copied at the end */
    pass(1);
    cr_expect_eq(get(DMA_CMD), DMA_IRQ);
    cr_expect_eq(get(IRQ_STATUS), 0x100);
    cr_expect_eq(slot->raises, 1);
    buffer_read(seen);
    cr_expect_eq(seen[0], 0x99);
    cr_expect_eq(seen[15], 0x99);
    cr_expect_eq(seen[16], 0);
}

Test(edu_dma, the_delay_is_a_property)
{
    edu_remake("dma_delay=60000");
    dma_start(0x1000, BUFFER, 16, RUN);
    pass(60 * NS_PER_SEC - 1);
    cr_expect_eq(get(DMA_CMD), RUN);
    pass(1);
    cr_expect_eq(get(DMA_CMD), 0);
    edu_remake("dma_delay=0");
    dma_start(0x1000, BUFFER, 16, RUN);
    cr_expect_eq(get(DMA_CMD), RUN, "the main loop ends it, never the guest's access");
    pass(0);
    cr_expect_eq(get(DMA_CMD), 0);
}

Test(edu_dma, time_stops_while_the_machine_is_paused)
{
    dma_start(0x1000, BUFFER, 16, RUN | DMA_IRQ);
    pass(DELAY_NS / 2);
    clock_pause(&machine.clock.clock);
    pass(10 * NS_PER_SEC);
    cr_expect_eq(get(DMA_CMD), RUN | DMA_IRQ);
    clock_resume(&machine.clock.clock);
    pass(DELAY_NS / 2 - 1);
    cr_expect_eq(get(DMA_CMD), RUN | DMA_IRQ);
    cr_expect_eq(slot->raises, 0);
    pass(1);
    cr_expect_eq(get(DMA_CMD), DMA_IRQ);
    cr_expect_eq(slot->raises, 1);
}

Test(edu_dma, a_running_transfer_cannot_be_changed)
{
    static const uint32_t regs[] = {DMA_SRC, DMA_DST, DMA_COUNT, DMA_CMD};
    static const uint64_t values[] = {0x1000, BUFFER, 16, RUN | DMA_IRQ};
    dma_start(0x1000, BUFFER, 16, RUN | DMA_IRQ);
    for (size_t i = 0; i < ARRAY_LEN(regs); i++) {
        put8(regs[i], 0x4444444444444445);
        cr_expect_eq(get8(regs[i]), values[i]);
        put(regs[i], RUN | TO_MEMORY);
        cr_expect_eq(get8(regs[i]), values[i]);
    }
    pass(DELAY_NS);
    cr_expect_eq(get8(DMA_CMD), DMA_IRQ);
    pass(DELAY_NS);
    cr_expect_eq(slot->raises, 1, "no second transfer");
    put8(DMA_SRC, 0x2000);
    cr_expect_eq(get8(DMA_SRC), 0x2000);
}

Test(edu_dma, a_command_without_run_is_ignored)
{
    dma_run(0x1000, BUFFER, 16, DMA_IRQ);
    put8(DMA_CMD, TO_MEMORY);
    put(DMA_CMD, 0);
    cr_expect_eq(get8(DMA_CMD), DMA_IRQ);
    pass(DELAY_NS);
    cr_expect_eq(slot->raises, 1);
}

Test(edu_dma, reset_ends_a_transfer_without_copy_or_interrupt)
{
    buffer_fill(pattern);
    dma_start(BUFFER, 0x1000, 16, RUN | TO_MEMORY | DMA_IRQ);
    pass(DELAY_NS / 2);
    device_reset(edu);
    cr_expect_eq(get(DMA_CMD), 0);
    pass(DELAY_NS);
    memory_is(0x1000, 16, 0);
    cr_expect_eq(slot->raises, 0);
    cr_expect_eq(get(IRQ_STATUS), 0);
    cr_expect_eq(errors(), 0);
}

Test(edu_dma, a_transfer_after_a_reset_has_its_own_100_ms)
{
    memset(machine.ram + 0x1000, 0x42, 16);
    dma_start(0x1000, BUFFER, 16, RUN | DMA_IRQ);
    pass(DELAY_NS - 1);
    device_reset(edu);
    dma_start(0x1000, BUFFER, 16, RUN | DMA_IRQ);
    pass(DELAY_NS - 1);
    cr_expect_eq(get(DMA_CMD), RUN | DMA_IRQ);
    pass(1);
    cr_expect_eq(slot->raises, 1);
}

Test(edu_dma, goes_away_in_mid_transfer)
{
    dma_start(BUFFER, 0x1000, 16, RUN | TO_MEMORY | DMA_IRQ);
    edu_remake(NULL);
    pass(2 * DELAY_NS);
    cr_expect_eq(slot->raises, 0);
    cr_expect_eq(get(DMA_CMD), 0);
}

/* --- outside the buffer ----------------------------------------------- */

static const struct {
    uint64_t address, count;
} misses[] = {
    {BUFFER, BUFFER_SIZE + 1},
    {BUFFER, UINT32_MAX},
    {BUFFER, UINT64_MAX},
    {BUFFER, 1ULL << 63},
    {BUFFER, 0ULL - BUFFER},
    {BUFFER - 1, 1},
    {BUFFER - 1, 2},
    {BUFFER - 1, BUFFER_SIZE},
    {BUFFER - 1, UINT64_MAX},
    {BUFFER + 1, BUFFER_SIZE},
    {BUFFER + 1, UINT64_MAX},
    {BUFFER + BUFFER_SIZE, 1},
    {BUFFER + BUFFER_SIZE, UINT64_MAX},
    {BUFFER + BUFFER_SIZE + 1, 0},
    {BUFFER - 1, 0},
    {0, 0},
    {0, 1},
    {0, BUFFER_SIZE},
    {0, UINT64_MAX},
    {1ULL << 32 | BUFFER, 1},
    {1ULL << 63 | BUFFER, BUFFER_SIZE},
    {UINT64_MAX, 0},
    {UINT64_MAX, 1},
    {UINT64_MAX, 2},
    {UINT64_MAX - BUFFER_SIZE + 1, BUFFER_SIZE},
};

Test(edu_dma, what_is_not_in_the_buffer_is_refused_and_completes)
{
    edu_remake("dma_mask=0xffffffffffffffff");
    buffer_fill(pattern);
    for (size_t i = 0; i < ARRAY_LEN(misses); i++) {
        memset(machine.ram, 0x33, RAM_SIZE);
        unsigned raises = slot->raises;
        uint64_t before = errors();
        dma_run(misses[i].address, 0x1000, misses[i].count, TO_MEMORY | DMA_IRQ);
        memory_is(0, RAM_SIZE, 0x33);
        dma_run(0x1000, misses[i].address, misses[i].count, TO_BUFFER | DMA_IRQ);
        cr_assert_eq(errors(), before + 2, "case %zu", i);
        cr_assert_eq(slot->raises, raises + 2, "case %zu", i);
        cr_assert_eq(get(IRQ_STATUS), 0x100);
        buffer_holds(pattern);
    }
}

Test(edu_dma, the_direction_says_which_address_is_the_buffers)
{
    memset(machine.ram + 0x1000, 0x42, 16);
    dma_run(0x1000, BUFFER, 16, TO_MEMORY); /* SRC should be in the buffer */
    cr_expect_eq(errors(), 1);
    memory_is(BUFFER, 16, 0);
    dma_run(BUFFER, 0x1000, 16, TO_BUFFER); /* DST should be */
    cr_expect_eq(errors(), 2);
    memory_is(0x1000, 16, 0x42);
    memset(pattern, 0, BUFFER_SIZE);
    buffer_holds(pattern);
}

/* --- guest memory ----------------------------------------------------- */

static const struct {
    uint64_t gpa, count;
} holes[] = {
    {RAM_SIZE, 1},
    {RAM_SIZE, BUFFER_SIZE},
    {RAM_SIZE - 1, 2},
    {RAM_SIZE - 4000, BUFFER_SIZE},
    {0xfffffff, 1},
    {0xfffffff, BUFFER_SIZE},
    {UINT32_MAX, 16},
    {UINT64_MAX, 1},
    {UINT64_MAX, 2},
    {UINT64_MAX - 7, 16},
    {FAKE_SLOT_GPA(0), 4}, /* its own registers */
    {FAKE_SLOT_GPA(0) + DMA_SRC, 16},
};

Test(edu_dma, memory_that_is_not_there_is_all_or_nothing)
{
    edu_remake("dma_mask=0xffffffffffffffff");
    for (size_t i = 0; i < ARRAY_LEN(holes); i++) {
        uint8_t want[BUFFER_SIZE];
        uint64_t before = errors();
        buffer_fill(pattern);
        dma_run(BUFFER, holes[i].gpa, holes[i].count, TO_MEMORY | DMA_IRQ);
        memory_is(0, RAM_SIZE, 0);
        dma_run(holes[i].gpa, BUFFER, holes[i].count, TO_BUFFER | DMA_IRQ);
        memcpy(want, pattern, BUFFER_SIZE);
        memset(want, 0xff, holes[i].count);
        buffer_holds(want);
        cr_assert_eq(errors(), before + 2, "case %zu", i);
    }
    cr_expect_eq(slot->raises, 2 * ARRAY_LEN(holes));
    cr_expect_eq(get(IRQ_STATUS), 0x100);
}

Test(edu_dma, addresses_are_cut_to_the_mask)
{
    memcpy(machine.ram + 0x100, pattern, 16);
    dma_run(0x0f0000000100, BUFFER, 16, TO_BUFFER);
    dma_run(BUFFER, 0xfffffffff0000200, 16, TO_MEMORY);
    cr_expect_eq(memcmp(machine.ram + 0x200, pattern, 16), 0);
    cr_expect_eq(errors(), 2, "drivers should know");
    dma_run(BUFFER, 0x0fffffff, 1, TO_MEMORY); /* inside the mask, outside RAM */
    cr_expect_eq(errors(), 3);
    memset(machine.ram + 0x200, 0, 16);
    edu_remake("dma_mask=0xf0f");
    dma_run(0x1f0, BUFFER, 16, TO_BUFFER); /* from 0x100 */
    dma_run(BUFFER, 0x2f0, 16, TO_MEMORY); /* to 0x200 */
    cr_expect_eq(memcmp(machine.ram + 0x200, pattern, 16), 0);
    memory_is(0x2f0, 16, 0);
}

Test(edu_dma, a_mask_of_all_ones_lets_every_address_through)
{
    static uint8_t far[BUFFER_SIZE];
    struct region high;
    edu_remake("dma_mask=0xffffffffffffffff");
    region_init_ram(&high, machine.topo, "high", BUFFER_SIZE, far);
    cr_assert_eq(region_add(&machine.mem_root, 0ULL - BUFFER_SIZE, &high, 0), 0);
    buffer_fill(pattern);
    dma_run(BUFFER, 0ULL - BUFFER_SIZE, BUFFER_SIZE, TO_MEMORY); /* the last byte there is */
    cr_expect_arr_eq(far, pattern, BUFFER_SIZE);
    dma_run(0ULL - 16, BUFFER, 17, TO_BUFFER); /* wraps */
    buffer_read(seen);
    cr_expect_eq(seen[16], 0xff);
    cr_expect_eq(seen[17], pattern[17]);
    cr_expect_eq(errors(), 1);
    region_fini(&high);
}

Test(edu_dma, without_bus_mastering_no_memory_is_touched)
{
    uint8_t want[BUFFER_SIZE];
    buffer_fill(pattern);
    memset(machine.ram + 0x1000, 0x42, 32);
    slot->no_dma = true;
    dma_run(BUFFER, 0x1000, 16, TO_MEMORY | DMA_IRQ);
    dma_run(0x1000, BUFFER, 16, TO_BUFFER | DMA_IRQ);
    slot->no_dma = false;
    cr_expect_eq(slot->raises, 2);
    cr_expect_eq(get(IRQ_STATUS), 0x100);
    cr_expect_eq(errors(), 2);
    memory_is(0x1000, 32, 0x42);
    memcpy(want, pattern, BUFFER_SIZE);
    memset(want, 0xff, 16);
    buffer_holds(want);
}

Test(edu_dma, bus_mastering_counts_when_the_transfer_ends)
{
    buffer_fill(pattern);
    dma_start(BUFFER, 0x1000, 16, RUN | TO_MEMORY);
    slot->no_dma = true;
    pass(DELAY_NS);
    memory_is(0x1000, 16, 0);
    dma_start(BUFFER, 0x1000, 16, RUN | TO_MEMORY);
    slot->no_dma = false;
    pass(DELAY_NS);
    cr_expect_eq(memcmp(machine.ram + 0x1000, pattern, 16), 0);
}
