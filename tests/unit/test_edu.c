/*
 * edu: registers at every width and place, interrupts, the factorial unit.
 */
#include "tests/unit/edu_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(edu, .init = edu_setup, .fini = edu_teardown);

/* --- registers -------------------------------------------------------- */

Test(edu, identifies_itself_and_is_alive)
{
    cr_expect_eq(get(ID), 0x010000ed);
    cr_expect_eq(get(LIVENESS), 0);
    put(LIVENESS, 0x12345678);
    cr_expect_eq(get(LIVENESS), 0xedcba987);
    put(LIVENESS, 0);
    cr_expect_eq(get(LIVENESS), 0xffffffff);
    put(STATUS, 0xffffffff);
    cr_expect_eq(get(STATUS), IRQ_AFTER, "of STATUS only bit 7 can be written");
    put(STATUS, 0xffffff7f);
    cr_expect_eq(get(STATUS), 0);
    cr_expect_eq(errors(), 0);
}

/* The specification's table of accesses: what a guest may do, by direction. */
static bool allowed(uint32_t offset, unsigned size, bool write)
{
    static const struct {
        uint32_t offset;
        bool read, write;
    } regs[] = {
        {ID, true, false},       {LIVENESS, true, true},    {FACTORIAL, true, true},
        {STATUS, true, true},    {IRQ_STATUS, true, false}, {IRQ_RAISE, false, true},
        {IRQ_ACK, false, true},  {DMA_SRC, true, true},     {DMA_DST, true, true},
        {DMA_COUNT, true, true}, {DMA_CMD, true, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(regs); i++) {
        if (regs[i].offset == offset) {
            bool fits = size == 4 || (size == 8 && offset >= 0x80);
            return fits && (write ? regs[i].write : regs[i].read);
        }
    }
    return false;
}

/* Values that tell the registers apart. RUN stays clear. */
static void give_values(void)
{
    put(LIVENESS, ~0x11223344u);
    put(STATUS, IRQ_AFTER);
    put(IRQ_RAISE, 0x55667788);
    put8(DMA_SRC, 0x8877665544332211);
    put8(DMA_DST, 0x1020304050607080);
    put8(DMA_COUNT, 0xa1b2c3d4e5f60718);
}

static uint64_t value_of(uint32_t offset)
{
    switch (offset) {
    case ID:
        return 0x010000ed;
    case LIVENESS:
        return 0x11223344;
    case STATUS:
        return IRQ_AFTER;
    case IRQ_STATUS:
        return 0x55667788;
    case DMA_SRC:
        return 0x8877665544332211;
    case DMA_DST:
        return 0x1020304050607080;
    case DMA_COUNT:
        return 0xa1b2c3d4e5f60718;
    default:
        return 0; /* FACTORIAL, DMA_CMD */
    }
}

static void check_values(uint32_t offset, unsigned size)
{
    static const uint32_t regs[] = {ID,      LIVENESS, FACTORIAL, STATUS, IRQ_STATUS,
                                    DMA_SRC, DMA_DST,  DMA_COUNT, DMA_CMD};
    for (size_t i = 0; i < ARRAY_LEN(regs); i++) {
        uint64_t got = regs[i] >= 0x80 ? get8(regs[i]) : get(regs[i]);
        cr_assert_eq(got, value_of(regs[i]), "a write of %u at 0x%x changed 0x%x to 0x%lx", size,
                     offset, regs[i], (unsigned long)got);
    }
}

static void check_access(uint32_t offset, unsigned size)
{
    uint64_t at = FAKE_SLOT_GPA(0) + offset;
    uint64_t ones = UINT64_MAX >> (64 - 8 * size);
    bool inside = offset + size <= RAM_SIZE; /* the block's size too */
    uint64_t before = errors();
    uint64_t got = fake_read(machine.mem, at, size);
    uint64_t want = allowed(offset, size, false) ? value_of(offset) & ones : ones;
    cr_assert_eq(got, want, "read %u at 0x%x gave 0x%lx", size, offset, (unsigned long)got);
    cr_assert(inside ? errors() == before + !allowed(offset, size, false) : errors() > before);
    if (!allowed(offset, size, true)) {
        before = errors();
        fake_write(machine.mem, at, 0xdeadbeefcafef00d & ones, size);
        cr_assert(inside ? errors() == before + 1 : errors() > before);
        check_values(offset, size);
    }
}

static void check_range(uint32_t first, uint32_t last)
{
    for (uint32_t offset = first; offset <= last; offset++) {
        for (unsigned size = 1; size <= 8; size *= 2) {
            check_access(offset, size);
        }
    }
}

Test(edu, every_access_that_is_no_register_reads_ones_and_changes_nothing)
{
    give_values();
    check_range(0, 0x100);
    check_range(0x3fff0, 0x40010);
    check_range(0x40ff0, 0x41010);
    check_range(0xffff0, 0xfffff);
    cr_expect_eq(slot->raises, 1, "the one of give_values()");
    cr_expect_eq(slot->lowers, 0);
}

Test(edu, four_bytes_replace_a_register_of_eight)
{
    static const uint32_t regs[] = {DMA_SRC, DMA_DST, DMA_COUNT};
    for (size_t i = 0; i < ARRAY_LEN(regs); i++) {
        put8(regs[i], 0x8877665544332211);
        cr_expect_eq(get8(regs[i]), 0x8877665544332211);
        cr_expect_eq(get(regs[i]), 0x44332211);
        put(regs[i], 0xa0b0c0d0);
        cr_expect_eq(get8(regs[i]), 0xa0b0c0d0);
        cr_expect_eq(get(regs[i] + 4), 0xffffffff);
        put(regs[i] + 4, 1);
        cr_expect_eq(get8(regs[i]), 0xa0b0c0d0);
    }
    put8(DMA_CMD, 0xf00000000000000 | RUN);
    cr_expect_eq(get8(DMA_CMD), 0xf00000000000000 | RUN);
    pass(DELAY_NS);
    cr_expect_eq(get8(DMA_CMD), 0xf00000000000000);
    put(DMA_CMD, RUN);
    pass(DELAY_NS);
    cr_expect_eq(get8(DMA_CMD), 0);
}

Test(edu, reset_returns_everything)
{
    uint8_t zeros[BUFFER_SIZE] = {0};
    uint8_t bytes[BUFFER_SIZE];
    memset(bytes, 0x5a, sizeof(bytes));
    buffer_fill(bytes);
    put(FACTORIAL, 5);
    factorial_result();
    give_values();
    device_reset(edu);
    for (size_t i = 0; i < edu->cls->blocks[0].count; i++) {
        const struct reg *r = &edu->cls->blocks[0].regs[i];
        if ((r->access & REG_RO) != 0) {
            uint64_t got = r->length == 8 ? get8(r->offset) : get(r->offset);
            cr_expect_eq(got, r->reset, "%s", r->name);
        }
    }
    buffer_read(bytes);
    cr_expect_arr_eq(bytes, zeros, BUFFER_SIZE);
    cr_expect_eq(slot->raised, 0);
}

/* --- interrupts ------------------------------------------------------- */

Test(edu, the_interrupt_is_up_until_all_reasons_are_acknowledged)
{
    put(IRQ_RAISE, 5);
    put(IRQ_RAISE, 2);
    cr_expect_eq(get(IRQ_STATUS), 7);
    put(IRQ_ACK, 1);
    cr_expect_eq(get(IRQ_STATUS), 6);
    cr_expect_eq(slot->raised, 1);
    cr_expect_eq(slot->lowers, 0);
    put(IRQ_ACK, 6);
    cr_expect_eq(get(IRQ_STATUS), 0);
    cr_expect_eq(slot->raised, 0);
    cr_expect_eq(slot->lowers, 1);
}

Test(edu, each_raise_is_a_message_while_something_is_pending)
{
    put(IRQ_RAISE, 0);
    cr_expect_eq(slot->raises, 0, "nothing is pending");
    put(IRQ_RAISE, 4);
    put(IRQ_RAISE, 4);
    cr_expect_eq(slot->raises, 2);
    put(IRQ_RAISE, 0);
    cr_expect_eq(slot->raises, 3);
    cr_expect_eq(get(IRQ_STATUS), 4);
    put(IRQ_ACK, 0xffffffff);
    put(IRQ_RAISE, 0);
    cr_expect_eq(slot->raises, 3);
}

Test(edu, a_storm_of_a_million_raises_ends_in_the_right_state)
{
    uint32_t pending = 0;
    unsigned raises = 0;
    uint32_t x = 1;
    for (unsigned i = 0; i < 1000000; i++) {
        x = x * 1664525 + 1013904223;
        put(IRQ_RAISE, x);
        pending |= x;
        raises += pending != 0;
        if (x >> 30 == 0) {
            put(IRQ_ACK, x ^ 0x0ff00ff0);
            pending &= ~(x ^ 0x0ff00ff0);
        }
    }
    cr_expect_eq(get(IRQ_STATUS), pending);
    cr_expect_eq(slot->raises, raises);
    cr_expect_eq(slot->raised, pending != 0);
    put(IRQ_ACK, 0xffffffff);
    cr_expect_eq(slot->raised, 0);
    cr_expect_eq(errors(), 0);
}

/* --- factorial -------------------------------------------------------- */

Test(edu, computes_factorials_modulo_two_to_the_32nd)
{
    for (uint32_t n = 0; n <= 40; n++) {
        uint32_t want = 1;
        for (uint32_t i = 2; i <= n; i++) {
            want *= i;
        }
        put(FACTORIAL, n);
        cr_expect_eq(factorial_result(), want, "%u", n);
    }
    static const uint32_t known[][2] = {
        {0, 1}, {1, 1}, {5, 0x78}, {12, 0x1c8cfc00}, {13, 0x7328cc00}, {33, 0x80000000}, {34, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        put(FACTORIAL, known[i][0]);
        cr_expect_eq(factorial_result(), known[i][1], "%u", known[i][0]);
    }
    put(FACTORIAL, 0xffffffff);
    cr_expect_eq(factorial_result(), 0, "and soon");
    cr_expect_eq(slot->raises, 0);
}

Test(edu, while_computing_reads_the_operand_and_ignores_another)
{
    device_lock(edu);
    locked_write(FACTORIAL, 5);
    cr_expect_eq(locked_read(STATUS), COMPUTING);
    cr_expect_eq(locked_read(FACTORIAL), 5);
    locked_write(FACTORIAL, 6);
    cr_expect_eq(locked_read(FACTORIAL), 5);
    locked_write(STATUS, 0);
    cr_expect_eq(locked_read(STATUS), COMPUTING, "a guest cannot clear it");
    device_unlock(edu);
    cr_expect_eq(factorial_result(), 120);
}

Test(edu, interrupts_once_after_a_computation_if_asked_to)
{
    put(STATUS, IRQ_AFTER);
    put(FACTORIAL, 4);
    cr_expect_eq(factorial_result(), 24);
    cr_expect_eq(get(IRQ_STATUS), 1);
    cr_expect_eq(slot->raises, 1);
    cr_expect_eq(get(STATUS), IRQ_AFTER);
    put(IRQ_ACK, 1);
    cr_expect_eq(slot->raised, 0);
}

Test(edu, what_counts_is_whether_it_is_asked_to_at_the_end)
{
    device_lock(edu);
    locked_write(STATUS, IRQ_AFTER);
    locked_write(FACTORIAL, 4);
    locked_write(STATUS, 0);
    device_unlock(edu);
    factorial_result();
    cr_expect_eq(slot->raises, 0);
    device_lock(edu);
    locked_write(FACTORIAL, 4);
    locked_write(STATUS, IRQ_AFTER);
    device_unlock(edu);
    factorial_result();
    cr_expect_eq(slot->raises, 1);
}

/* --- saved state ------------------------------------------------------ */

Test(edu, saved_fields_are_all_there_is)
{
    struct device *other = fake_device(&machine, "edu", NULL);
    uint8_t bytes[BUFFER_SIZE];
    uint8_t got[BUFFER_SIZE];
    for (unsigned i = 0; i < BUFFER_SIZE; i++) {
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    }
    buffer_fill(bytes);
    give_values();
    for (size_t i = 0; i < edu->cls->field_count; i++) {
        const struct field *f = &edu->cls->fields[i];
        memcpy((char *)other + f->offset, (char *)edu + f->offset, f->size * (size_t)f->count);
    }
    device_reset(edu);
    for (uint32_t reg = 0; reg < 0xa0; reg += 4) {
        if (allowed(reg, 4, false)) {
            uint64_t at = FAKE_SLOT_GPA(1) + reg;
            unsigned size = reg >= 0x80 ? 8 : 4;
            cr_expect_eq(fake_read(machine.mem, at, size), value_of(reg), "0x%x", reg);
        }
    }
    fake_write(machine.mem, FAKE_SLOT_GPA(1) + DMA_SRC, BUFFER, 8);
    fake_write(machine.mem, FAKE_SLOT_GPA(1) + DMA_DST, 0x1000, 8);
    fake_write(machine.mem, FAKE_SLOT_GPA(1) + DMA_COUNT, BUFFER_SIZE, 8);
    fake_write(machine.mem, FAKE_SLOT_GPA(1) + DMA_CMD, RUN | TO_MEMORY, 8);
    pass(DELAY_NS);
    memcpy(got, machine.ram + 0x1000, BUFFER_SIZE);
    cr_expect_arr_eq(got, bytes, BUFFER_SIZE);
    device_free(other);
}
