/*
 * For tests of edu: see edu_fixture.h.
 */
#include "tests/unit/edu_fixture.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <string.h>

#define LAST_PAGE (RAM_SIZE - BUFFER_SIZE)

struct fake_machine machine;
struct device *edu;
struct fake_slot *slot;

void edu_setup(void)
{
    fake_machine_init(&machine, RAM_SIZE >> 20);
    edu = fake_device(&machine, "edu", NULL);
    slot = &machine.slots[0];
}

void edu_teardown(void)
{
    device_free(edu);
    fake_machine_free(&machine);
}

void edu_remake(const char *props)
{
    device_free(edu);
    machine.slot_count = 0;
    edu = fake_device(&machine, "edu", props);
}

uint64_t get(uint32_t reg)
{
    return fake_read(machine.mem, FAKE_SLOT_GPA(0) + reg, 4);
}

void put(uint32_t reg, uint32_t value)
{
    fake_write(machine.mem, FAKE_SLOT_GPA(0) + reg, value, 4);
}

uint64_t get8(uint32_t reg)
{
    return fake_read(machine.mem, FAKE_SLOT_GPA(0) + reg, 8);
}

void put8(uint32_t reg, uint64_t value)
{
    fake_write(machine.mem, FAKE_SLOT_GPA(0) + reg, value, 8);
}

uint64_t locked_read(uint32_t reg)
{
    return edu->cls->blocks[0].read(edu, reg, 4);
}

void locked_write(uint32_t reg, uint32_t value)
{
    edu->cls->blocks[0].write(edu, reg, value, 4);
}

uint64_t factorial_result(void)
{
    while ((get(STATUS) & COMPUTING) != 0) {
        sched_yield();
    }
    return get(FACTORIAL);
}

void pass(uint64_t ns)
{
    fake_clock_advance(&machine.clock, ns);
    loop_poll(machine.loop);
}

void dma_start(uint64_t src, uint64_t dst, uint64_t count, uint64_t cmd)
{
    put8(DMA_SRC, src);
    put8(DMA_DST, dst);
    put8(DMA_COUNT, count);
    put8(DMA_CMD, cmd);
}

void dma_run(uint64_t src, uint64_t dst, uint64_t count, uint64_t cmd)
{
    dma_start(src, dst, count, cmd | RUN);
    pass(DELAY_NS);
    cr_assert_eq(get(DMA_CMD), cmd, "RUN is clear, the other bits stay");
}

void buffer_fill(const uint8_t bytes[BUFFER_SIZE])
{
    uint8_t kept[BUFFER_SIZE];
    memcpy(kept, machine.ram + LAST_PAGE, BUFFER_SIZE);
    memcpy(machine.ram + LAST_PAGE, bytes, BUFFER_SIZE);
    dma_run(LAST_PAGE, BUFFER, BUFFER_SIZE, TO_BUFFER);
    memcpy(machine.ram + LAST_PAGE, kept, BUFFER_SIZE);
}

void buffer_read(uint8_t bytes[BUFFER_SIZE])
{
    uint8_t kept[BUFFER_SIZE];
    memcpy(kept, machine.ram + LAST_PAGE, BUFFER_SIZE);
    dma_run(BUFFER, LAST_PAGE, BUFFER_SIZE, TO_MEMORY);
    memcpy(bytes, machine.ram + LAST_PAGE, BUFFER_SIZE);
    memcpy(machine.ram + LAST_PAGE, kept, BUFFER_SIZE);
}

uint64_t errors(void)
{
    return guest_error_count(&edu->guest_errors);
}
