/*
 * pc-testdev: the latch seen twice, interrupt lines one by one and several at once, memory
 * without RAM, pages to flush.
 */
#include "src/device_state.h"
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>

#define LATCH   0xe0
#define FLUSH   0xe4
#define LATCH_2 0xe8
#define LINES   0x2000
#define SCRATCH 0xff000000ULL

static struct fake_machine m;
static struct device *d;

static void setup(void)
{
    fake_machine_init(&m, 1);
    d = fake_device(&m, "pc-testdev", NULL);
}

static void teardown(void)
{
    device_free(d);
    fake_machine_free(&m);
}

TestSuite(pc_testdev, .init = setup, .fini = teardown);

Test(pc_testdev, the_latch_keeps_what_was_written_in_any_parts)
{
    fake_write(m.io, LATCH, 0x11223344, 4);
    cr_expect_eq(fake_read(m.io, LATCH, 4), 0x11223344);
    fake_write(m.io, LATCH + 1, 0xaa, 1);
    fake_write(m.io, LATCH_2 + 2, 0xbbcc, 2);
    cr_expect_eq(fake_read(m.io, LATCH_2, 4), 0xbbccaa44);
    cr_expect_eq(fake_read(m.io, LATCH, 2), 0xaa44);
    cr_expect_eq(fake_read(m.io, LATCH + 3, 1), 0xbb);
    cr_expect_eq(guest_error_count(&d->guest_errors), 0);
}

Test(pc_testdev, a_byte_sets_the_line_of_its_number)
{
    for (unsigned n = 0; n < 24; n++) {
        fake_write(m.io, LINES + n, n + 1, 1);
        for (unsigned i = 0; i < FAKE_GSIS; i++) {
            cr_expect_eq(m.irqs.level[i], i == n, "line %u by %u", i, n);
        }
        fake_write(m.io, LINES + n, 0, 1);
        cr_expect_not(m.irqs.level[n]);
    }
    fake_write(m.io, LINES + 24, 1, 1);
    cr_expect_not(m.irqs.level[24]);
}

Test(pc_testdev, a_wide_write_sets_several_lines_also_unaligned)
{
    fake_write(m.io, LINES + 11, 0x01000001, 4);
    cr_expect(m.irqs.level[11] && !m.irqs.level[12] && !m.irqs.level[13] && m.irqs.level[14]);
    fake_write(m.io, LINES + 13, 0x0080, 2);
    cr_expect(m.irqs.level[11] && m.irqs.level[13] && !m.irqs.level[14]);
    fake_write(m.io, LINES + 21, 0x01010101, 4); /* the last byte is behind the last line */
    cr_expect(m.irqs.level[21] && m.irqs.level[22] && m.irqs.level[23] && !m.irqs.level[24]);
    cr_expect_eq(guest_error_count(&d->guest_errors), 0);
}

Test(pc_testdev, scratch_memory_keeps_bytes)
{
    for (unsigned i = 0; i < 16; i++) {
        fake_write(m.mem, SCRATCH + 0xfff0 + i, fake_pattern(i), 1);
    }
    for (unsigned size = 1; size <= 8; size *= 2) {
        for (unsigned i = 0; i < 16; i += size) {
            uint64_t expected = 0;
            for (unsigned b = size; b-- > 0;) {
                expected = expected << 8 | fake_pattern(i + b);
            }
            cr_expect_eq(fake_read(m.mem, SCRATCH + 0xfff0 + i, size), expected);
        }
    }
    cr_expect_eq(fake_read(m.mem, SCRATCH, 8), 0);
}

Test(pc_testdev, flushing_a_page_keeps_its_contents)
{
    m.ram[0x5008] = 0x5a;
    fake_write(m.io, FLUSH, 0x5123, 4);
    cr_expect_eq(m.ram[0x5008], 0x5a);
    m.ram[0x5008] = 0xa5;
    cr_expect_eq(guest_error_count(&d->guest_errors), 0);
}

Test(pc_testdev, only_ram_is_flushed)
{
    fake_write(m.io, FLUSH, 0x100000, 4);
    fake_write(m.io, FLUSH, 0xff000000, 4);
    fake_write(m.io, FLUSH, 0xfffff000, 4);
    cr_expect_eq(guest_error_count(&d->guest_errors), 3);
    fake_write(m.io, FLUSH, 0, 2);
    cr_expect_eq(guest_error_count(&d->guest_errors), 4, "four bytes or none");
}

Test(pc_testdev, a_snapshot_keeps_lines_and_bytes)
{
    struct err e = ERR_INIT;
    struct pack record = {0};
    fake_write(m.io, LATCH, 0x11223344, 4);
    fake_write(m.io, LINES + 5, 1, 1);
    fake_write(m.mem, SCRATCH + 9, 0x5a, 1);
    device_state_save(d, &record);
    device_reset(d);
    struct unpack in = {.data = record.data, .len = record.len};
    cr_assert_eq(device_state_load(d, &in, &e), 0, "%s", e.what);
    cr_expect(m.irqs.level[5] && !m.irqs.level[4]);
    cr_expect_eq(fake_read(m.io, LATCH, 4), 0x11223344);
    cr_expect_eq(fake_read(m.mem, SCRATCH + 9, 1), 0x5a);
    pack_free(&record);
}

Test(pc_testdev, reset_lowers_lines_and_forgets)
{
    fake_write(m.io, LATCH, 1, 4);
    fake_write(m.io, LINES + 5, 1, 1);
    fake_write(m.mem, SCRATCH, 1, 1);
    device_reset(d);
    cr_expect_eq(fake_read(m.io, LATCH, 4), 0);
    cr_expect_not(m.irqs.level[5]);
    cr_expect_eq(fake_read(m.mem, SCRATCH, 1), 0);
    const unsigned calls = m.irqs.calls[6];
    device_reset(d);
    cr_expect_eq(m.irqs.calls[6], calls, "a line that is low is left alone");
}
