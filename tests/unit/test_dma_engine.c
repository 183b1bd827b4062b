/*
 * dma-engine: registers against an oracle, errors, interrupts, properties.
 * Copies: test_dma_engine_copy.c.
 */
#include "devices/dma_move.h"
#include "tests/unit/dma_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

TestSuite(dma_engine, .init = dma_fixture_setup, .fini = dma_fixture_teardown);

/* --- registers -------------------------------------------------------- */

#define PAGES 16
#define WORDS 16 /* looked at in each page */

/* What each 4-byte word should read; a second description, by hand, of what the tables say. */
struct oracle {
    unsigned channels;
    uint32_t word[PAGES][WORDS];
};

static bool is_address(uint32_t at)
{
    return at < 0x10;
}

static bool exists(const struct oracle *o, uint32_t page, uint32_t at)
{
    return at % 4 == 0 && (page == 0 ? at <= 0x10 : page <= o->channels && at <= 0x24);
}

static bool fits(const struct oracle *o, uint32_t page, uint32_t at, unsigned size)
{
    bool whole_address = page > 0 && is_address(at) && at % 8 == 0;
    return exists(o, page, at) && (size == 4 || (size == 8 && whole_address));
}

static void oracle_write(struct oracle *o, uint32_t page, uint32_t at, uint64_t value,
                         unsigned size)
{
    uint32_t *word = &o->word[page][at / 4];
    if (page == 0) {
        if (at == IRQ_ENABLE) {
            *word = (uint32_t)value & ((1U << o->channels) - 1);
        }
    } else if (is_address(at) || at == 0x10 || at == 0x14) {
        word[0] = (uint32_t)value;
        if (size == 8) {
            word[1] = (uint32_t)(value >> 32);
        }
    }
}

static void check_all(const struct oracle *o)
{
    for (uint32_t page = 0; page <= o->channels; page++) {
        for (uint32_t at = 0; at < 4 * WORDS; at += 4) {
            if (exists(o, page, at)) {
                cr_assert_eq(dma_get(CHANNEL(page) + at), o->word[page][at / 4], "0x%x+0x%x", page,
                             at);
            }
        }
    }
}

static void check_read(const struct oracle *o, uint32_t page, uint32_t at, unsigned size)
{
    uint64_t ones = UINT64_MAX >> (64 - 8 * size);
    uint64_t errors = guest_error_count(&dma.d->guest_errors);
    uint64_t value = fake_read(dma.m.mem, FAKE_SLOT_GPA(0) + CHANNEL(page) + at, size);
    if (fits(o, page, at, size)) {
        uint64_t want = o->word[page][at / 4];
        want |= size == 8 ? (uint64_t)o->word[page][at / 4 + 1] << 32 : 0;
        cr_assert_eq(value, want, "0x%x+0x%x size %u", page, at, size);
        cr_assert_eq(guest_error_count(&dma.d->guest_errors), errors);
    } else {
        cr_assert_eq(value, ones, "0x%x+0x%x size %u", page, at, size);
        cr_assert_eq(guest_error_count(&dma.d->guest_errors), errors + 1);
    }
}

/* bit 0 stays clear: nothing starts. */
static void check_write(struct oracle *o, uint32_t page, uint32_t at, unsigned size)
{
    uint64_t value = (dma_random() & ~1ULL) & UINT64_MAX >> (64 - 8 * size);
    uint64_t errors = guest_error_count(&dma.d->guest_errors);
    bool readonly = page == 0 ? at < IRQ_STATUS : at >= 0x1c;
    bool right = fits(o, page, at, size) && !readonly;
    fake_write(dma.m.mem, FAKE_SLOT_GPA(0) + CHANNEL(page) + at, value, size);
    cr_assert_eq(guest_error_count(&dma.d->guest_errors), errors + !right, "0x%x+0x%x size %u",
                 page, at, size);
    if (right) {
        oracle_write(o, page, at, value, size);
    }
    check_all(o);
}

static void check_channels(unsigned channels)
{
    struct oracle o = {.channels = channels};
    o.word[0][ID / 4] = 0x34560100;
    o.word[0][CAPS / 4] = 0x300 | channels;
    o.word[0][MAX_SIZE / 4] = 16 << 20;
    for (uint32_t page = 0; page < PAGES; page++) {
        for (uint32_t at = 0; at < 4 * WORDS; at++) {
            for (unsigned size = 1; size <= 8; size *= 2) {
                check_read(&o, page, at, size);
                check_write(&o, page, at, size);
            }
        }
        check_read(&o, page, 0xffc, 4);
        check_write(&o, page, 0xff8, 8);
    }
    device_reset(dma.d);
    memset(&o.word[0][IRQ_STATUS / 4], 0, sizeof(o.word) - IRQ_STATUS);
    check_all(&o);
}

Test(dma_engine, every_register_at_every_width_and_alignment)
{
    dma_fixture_engine(NULL);
    check_channels(1);
}

Test(dma_engine, every_register_of_several_channels)
{
    dma_fixture_engine("channels=3");
    check_channels(3);
}

Test(dma_engine, every_register_of_all_channels)
{
    dma_fixture_engine("channels=15");
    check_channels(15);
}

Test(dma_engine, max_size_is_what_was_asked_for)
{
    dma_fixture_engine("max_size=1G");
    cr_assert_eq(dma_get(MAX_SIZE), 1 << 30);
}

/* --- errors ----------------------------------------------------------- */

/* A START that fails: DONE and ERROR say so, and not a byte of RAM changes. */
static void fails(uint64_t src, uint64_t dst, uint32_t size, uint32_t error)
{
    uint64_t errors = guest_error_count(&dma.d->guest_errors);
    dma_expect_nothing();
    dma_copy(0, src, dst, size);
    cr_assert_eq(dma_get(DONE), FAILED, "0x%lx to 0x%lx size 0x%x", src, dst, size);
    cr_assert_eq(dma_get(ERROR), error, "0x%lx to 0x%lx size 0x%x: error %u", src, dst, size,
                 dma_get(ERROR));
    cr_assert_eq(dma_get(COPIED), 0);
    cr_assert_eq(dma_get(IRQ_STATUS), 1);
    dma_put(IRQ_STATUS, 1);
    cr_assert(dma_as_expected());
    cr_assert_eq(guest_error_count(&dma.d->guest_errors), errors + 1);
}

static void succeeds(uint64_t src, uint64_t dst, uint32_t size)
{
    dma_expect_copy(src, dst, size);
    dma_copy(0, src, dst, size);
    cr_assert_eq(dma_wait(0), 1, "0x%lx to 0x%lx size 0x%x", src, dst, size);
    cr_assert_eq(dma_get(ERROR), 0);
    cr_assert_eq(dma_get(COPIED), size);
    cr_assert(dma_as_expected());
}

Test(dma_engine, sizes_beyond_max_size)
{
    dma_fixture_engine("max_size=4K");
    fails(GPA_A, GPA_B, 4097, 1);
    fails(GPA_A, GPA_B, UINT32_MAX, 1);
    fails(GPA_HOLE, GPA_HOLE, UINT32_MAX, 1);
    succeeds(GPA_A, GPA_B, 4096);
}

Test(dma_engine, ranges_that_are_not_memory)
{
    const uint64_t own = FAKE_SLOT_GPA(0);
    const uint64_t other = FAKE_SLOT_GPA(1);
    struct device *d2;
    dma_fixture_engine("max_size=1G");
    d2 = fake_device(&dma.m, "dma-engine", NULL);
    const uint64_t bad[] = {0,
                            GPA_A - 1,
                            GPA_HOLE,
                            GPA_ROM + 0x1fff,
                            GPA_C - 1,
                            own,
                            own + 0x1000,
                            other + 0x1018,
                            GPA_D + 0x3fff,
                            GPA_TOP - 1,
                            1,
                            GPA_BIG + BIG_SIZE - 1};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        fails(bad[i], GPA_B, 2, 2);
        fails(GPA_B, bad[i], 2, 3);
        fails(bad[i], bad[i], 2, 2);
    }
    fails(GPA_A, GPA_BIG, 0xa001, 2); /* the byte after the ROM */
    fails(GPA_BIG, GPA_A, 0x8001, 3); /* the first byte of the ROM */
    fails(GPA_A, GPA_BIG, 1 << 30, 2);
    fails(GPA_BIG, GPA_C, BIG_SIZE, 3);
    cr_assert_eq(guest_error_count(&d2->guest_errors), 0, "it was never reached");
    device_free(d2);
}

Test(dma_engine, ranges_that_wrap)
{
    dma_fixture_engine("max_size=1G");
    fails(UINT64_MAX, GPA_A, 2, 2);
    fails(GPA_A, UINT64_MAX, 2, 3);
    fails(GPA_TOP, GPA_BIG, 4097, 2);
    fails(GPA_BIG, GPA_TOP, 4097, 3);
    fails(GPA_TOP, GPA_BIG, 1 << 30, 2);
    succeeds(GPA_TOP, GPA_A, 4096);
    succeeds(GPA_A + 1, GPA_TOP, 4096);
    succeeds(GPA_A, UINT64_MAX, 1);
}

Test(dma_engine, rom_is_a_source_only)
{
    dma_fixture_engine(NULL);
    fails(GPA_A, GPA_ROM, 1, 3);
    fails(GPA_A, GPA_ROM - 1, 2, 3);
    succeeds(GPA_ROM, GPA_A, 0x2000);
    succeeds(GPA_B + 0x4fff, GPA_D, 2); /* RAM, then ROM */
}

Test(dma_engine, flags_are_refused)
{
    dma_fixture_engine(NULL);
    for (unsigned bit = 0; bit < 32; bit += 31) {
        dma_put(FLAGS, 1U << bit);
        cr_assert_eq(dma_get(FLAGS), 1U << bit);
        fails(GPA_A, GPA_B, 16, 5);
        fails(GPA_A, GPA_B, 0, 5);
    }
    dma_put(FLAGS, 0);
    succeeds(GPA_A, GPA_B, 16);
}

Test(dma_engine, no_copy_without_bus_mastering)
{
    dma_fixture_engine("max_size=8M");
    dma.m.slots[0].no_dma = true;
    fails(GPA_A, GPA_B, 16, 4);
    fails(GPA_A, GPA_B, 0, 4);
    fails(GPA_BIG, GPA_BIG + 1, 4 << 20, 4);
    fails(GPA_HOLE, GPA_HOLE, 16, 4);
    dma.m.slots[0].no_dma = false;
    succeeds(GPA_A, GPA_B, 16);
}

Test(dma_engine, addresses_beyond_dma_mask_are_refused)
{
    dma_fixture_engine("dma_mask=0xffffffff");
    succeeds(GPA_C, GPA_A, 0x4000);
    succeeds(GPA_A, GPA_C, 0x4000);
    fails(GPA_C, GPA_A, 0x4001, 2);
    fails(GPA_A, GPA_C, 0x4001, 3);
    fails(GPA_D, GPA_A, 1, 2);
    fails(GPA_A, GPA_D, 1, 3);
    succeeds(GPA_D, GPA_D, 0);
}

Test(dma_engine, memory_in_too_many_pieces_is_refused)
{
    struct region piece[(DMA_PIECES + 1)];
    dma_fixture_engine(NULL);
    for (unsigned i = 0; i < (DMA_PIECES + 1); i++) { /* the same byte, all over */
        region_init_alias(&piece[i], dma.m.topo, "piece", 1, &dma.ram[RAM_D].region, 0);
        region_add(&dma.m.mem_root, 0x4000 + i, &piece[i], 0);
    }
    dma_copy(0, 0x4000, GPA_B, (DMA_PIECES + 1) - 1);
    cr_assert_eq(dma_get(DONE), 1);
    fails(0x4000, GPA_B, (DMA_PIECES + 1), 2);
    fails(GPA_B, 0x4000, (DMA_PIECES + 1), 3);
    for (unsigned i = 0; i < (DMA_PIECES + 1); i++) {
        region_fini(&piece[i]);
    }
}

/* --- interrupts ------------------------------------------------------- */

static void copy_one(unsigned n)
{
    dma_copy(n, GPA_A, GPA_B, 16);
    cr_assert_eq(dma_get(CHANNEL(n) + DONE), 1);
}

Test(dma_engine, no_interrupt_unless_enabled)
{
    const struct fake_slot *s = &dma.m.slots[0];
    dma_fixture_engine(NULL);
    copy_one(0);
    copy_one(0);
    cr_assert_eq(s->raises, 0);
    cr_assert_eq(dma_get(IRQ_STATUS), 1);
    dma_put(IRQ_ENABLE, 1);
    cr_assert_eq(s->raises, 1, "what waits interrupts when enabled");
    cr_assert_eq(s->raised, 1);
    dma_put(IRQ_ENABLE, 0);
    cr_assert_eq(s->raised, 0);
}

Test(dma_engine, one_interrupt_a_copy_until_acknowledged)
{
    const struct fake_slot *s = &dma.m.slots[0];
    dma_fixture_engine(NULL);
    dma_put(IRQ_ENABLE, 1);
    for (unsigned i = 1; i <= 3; i++) {
        copy_one(0);
        cr_assert_eq(s->raises, i);
        cr_assert_eq(s->raised, 1);
        dma_put(IRQ_STATUS, 1);
        cr_assert_eq(s->raised, 0);
        cr_assert_eq(dma_get(IRQ_STATUS), 0);
        cr_assert_eq(dma_get(DONE), 1, "DONE stays");
    }
}

Test(dma_engine, failures_interrupt_too)
{
    dma_fixture_engine(NULL);
    dma_put(IRQ_ENABLE, 1);
    dma_copy(0, 0, 0, 1);
    cr_assert_eq(dma.m.slots[0].raises, 1);
}

Test(dma_engine, an_acknowledge_that_leaves_some_sends_again)
{
    const struct fake_slot *s = &dma.m.slots[0];
    dma_fixture_engine("channels=15");
    dma_put(IRQ_ENABLE, 0x4003);
    copy_one(0);
    copy_one(1);
    copy_one(2);
    copy_one(14);
    cr_assert_eq(s->raises, 1, "only the first of them");
    cr_assert_eq(dma_get(IRQ_STATUS), 0x4007);
    dma_put(IRQ_STATUS, 1);
    cr_assert_eq(s->raises, 2);
    dma_put(IRQ_STATUS, 0x4000);
    cr_assert_eq(s->raises, 3);
    dma_put(IRQ_STATUS, 0x4000);
    cr_assert_eq(s->raises, 4, "channel 1 still waits");
    dma_put(IRQ_STATUS, 2);
    cr_assert_eq(s->raises, 4, "what is left is not enabled");
    cr_assert_eq(s->raised, 0);
    cr_assert_eq(dma_get(IRQ_STATUS), 4);
}

Test(dma_engine, with_msix_each_channel_has_a_vector)
{
    const struct fake_slot *s = &dma.m.slots[0];
    dma_fixture_engine("channels=4,msix=on");
    dma_put(IRQ_ENABLE, 0xb);
    copy_one(0);
    copy_one(3);
    cr_assert_eq(s->raised, 0x9);
    cr_assert_eq(s->raises, 2);
    copy_one(3);
    cr_assert_eq(s->raises, 2, "its bit is set already");
    copy_one(2);
    cr_assert_eq(s->raises, 2, "it is not enabled");
    dma_put(IRQ_ENABLE, 0xf);
    cr_assert_eq(s->raised, 0xd);
    cr_assert_eq(s->raises, 3);
    dma_put(IRQ_STATUS, 0x8);
    cr_assert_eq(s->raised, 0x5);
    copy_one(3);
    cr_assert_eq(s->raised, 0xd);
    cr_assert_eq(s->raises, 4);
    device_reset(dma.d);
    cr_assert_eq(s->raised, 0);
}

/* --- properties ------------------------------------------------------- */

Test(dma_engine, property_values_out_of_range)
{
    static const struct {
        const char *prop, *value;
        int want;
    } cases[] = {
        {"channels", "0", -ERANGE},   {"channels", "16", -ERANGE}, {"channels", "-1", -EINVAL},
        {"max_size", "0", -ERANGE},   {"max_size", "1G", 0},       {"max_size", "1025M", -ERANGE},
        {"max_size", "4T", -ERANGE},  {"max_size", "x", -EINVAL},  {"dma_mask", "x", -EINVAL},
        {"msix", "maybe", -EINVAL},   {"channels", "15", 0},       {"max_size", "1", 0},
        {"dma_mask", "0xffffffff", 0}};
    struct device *d = device_new(device_class_find("dma-engine", NULL), "x", &dma.m.env, NULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_assert_eq(device_set(d, cases[i].prop, cases[i].value, NULL), cases[i].want, "%s=%s",
                     cases[i].prop, cases[i].value);
    }
    device_free(d);
}

Test(dma_engine, a_mask_with_holes_is_refused)
{
    struct err e = ERR_INIT;
    struct device *d = device_new(device_class_find("dma-engine", NULL), "x", &dma.m.env, NULL);
    cr_assert_eq(device_set(d, "dma_mask", "0xff0f", NULL), 0);
    cr_assert_eq(device_realize(d, &e), -EINVAL);
    cr_assert_not_null(strstr(e.what, "0xff0f"));
    cr_assert_eq(e.status, EXIT_USAGE);
    device_free(d);
}
