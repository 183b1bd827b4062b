/*
 * All devices of the board at once: what their tables say is so, and no access a
 * guest can make does harm.
 */
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>
#include <string.h>

static const char *const names[] = {
    "uart16550", "rtc-cmos", "i8042",      "acpi-pm",    "pc-ports", "debug-exit", "pvpanic",
    "pl011",     "pl031",    "dma-engine", "pc-testdev", "fw-cfg",   "acpi-fixed",
};
#define NAMES ARRAY_LEN(names)

static struct fake_machine m;
static struct device *devices[NAMES];

static void setup(void)
{
    fake_machine_init(&m, 1);
    for (size_t i = 0; i < NAMES; i++) {
        devices[i] = fake_device(&m, names[i], NULL);
    }
}

static void teardown(void)
{
    for (size_t i = 0; i < NAMES; i++) {
        device_free(devices[i]);
    }
    fake_machine_free(&m);
}

TestSuite(device_tables, .init = setup, .fini = teardown);

static struct aspace *space_of(const struct device_region *r)
{
    return r->region.parent == &m.io_root ? m.io : m.mem;
}

static unsigned narrowest(const struct reg *reg)
{
    return reg->widths & -reg->widths;
}

/* rtc-cmos's data is the byte index points at, the seconds; DR of pl031 and acpi-fixed's timer are
 * the time. */
static bool is_the_time(const struct device *d, const struct reg *reg)
{
    return (strcmp(d->cls->name, "rtc-cmos") == 0 && strcmp(reg->name, "data") == 0) ||
           (strcmp(d->cls->name, "acpi-fixed") == 0 && strcmp(reg->name, "timer") == 0) ||
           (strcmp(d->cls->name, "pl031") == 0 && strcmp(reg->name, "DR") == 0);
}

Test(device_tables, registers_read_their_reset_values)
{
    for (size_t i = 0; i < NAMES; i++) {
        for (size_t b = 0; b < devices[i]->region_count; b++) {
            const struct device_region *r = &devices[i]->regions[b];
            for (size_t n = 0; n < r->block->count; n++) {
                const struct reg *reg = &r->block->regs[n];
                if ((reg->access & REG_RO) == 0 || is_the_time(devices[i], reg)) {
                    continue;
                }
                uint64_t at = r->region.offset + reg->offset;
                unsigned size = narrowest(reg);
                uint64_t mask = UINT64_MAX >> (64 - 8 * size);
                cr_expect_eq(fake_read(space_of(r), at, size), reg->reset & mask, "%s.%s", names[i],
                             reg->name);
            }
        }
    }
}

Test(device_tables, widths_and_directions_outside_the_table_read_nothing_and_are_counted)
{
    for (size_t i = 0; i < NAMES; i++) {
        for (size_t b = 0; b < devices[i]->region_count; b++) {
            const struct device_region *r = &devices[i]->regions[b];
            for (uint64_t at = 0; at <= r->region.last; at++) {
                for (unsigned size = 1; size <= 8; size *= 2) {
                    bool inside = size - 1 <= r->region.last - at;
                    if (!inside || device_access_fits(r, at, size, false)) {
                        continue;
                    }
                    uint64_t before = guest_error_count(&devices[i]->guest_errors);
                    uint64_t got = fake_read(space_of(r), r->region.offset + at, size);
                    uint64_t nothing =
                        r->block->misfit_reads_zero ? 0 : UINT64_MAX >> (64 - 8 * size);
                    cr_expect_eq(got, nothing, "%s+%lu", names[i], (unsigned long)at);
                    cr_expect_eq(guest_error_count(&devices[i]->guest_errors), before + 1);
                }
            }
        }
    }
}

static uint64_t random_u64(uint64_t *x)
{
    *x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
    return *x;
}

/* An address in or just beside some region of some device. */
static uint64_t random_place(uint64_t *x, struct aspace **as)
{
    const struct device *d = devices[random_u64(x) % NAMES];
    const struct device_region *r = &d->regions[random_u64(x) % d->region_count];
    *as = space_of(r);
    return r->region.offset + random_u64(x) % (r->region.last + 8) - 3;
}

static void everything_at_random(uint64_t seed)
{
    static const uint8_t input[64];
    uint64_t x = seed;
    for (unsigned i = 0; i < 100000; i++) {
        struct aspace *as;
        uint64_t at = random_place(&x, &as);
        unsigned size = 1u << random_u64(&x) % 4;
        if (random_u64(&x) % 2 == 0) {
            fake_write(as, at, random_u64(&x), size);
        } else {
            fake_read(as, at, size);
        }
        switch (random_u64(&x) % 64) {
        case 0:
            fake_clock_advance(&m.clock, random_u64(&x) % (NS_PER_SEC / 4));
            loop_poll(m.loop);
            break;
        case 1:
            fake_chardev_pump(&m.console);
            m.console.in = input;
            m.console.in_len = random_u64(&x) % sizeof(input);
            break;
        case 2:
            m.console.out_len = 0;
            fake_chardev_set_room(&m.console, random_u64(&x) % 64);
            break;
        case 3:
            device_reset(devices[random_u64(&x) % NAMES]);
            break;
        default:
            break;
        }
    }
}

Test(device_tables, nothing_a_guest_does_does_harm)
{
    everything_at_random(88172645463325252);
    everything_at_random(1);
    for (size_t i = 0; i < NAMES; i++) {
        device_reset(devices[i]);
    }
    for (unsigned gsi = 0; gsi < FAKE_GSIS; gsi++) {
        cr_expect(!m.irqs.level[gsi], "GSI %u is up after a reset", gsi);
    }
    cr_expect_eq(fake_read(m.io, 0x3f8 + 2, 1), 0x01);
    cr_expect_eq(fake_read(m.io, 0x64, 1), 0x14);
    cr_expect_eq(fake_read(m.io, 0x505, 1), 0x03);
}
