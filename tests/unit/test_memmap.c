/* The split of --memory and the e820 map. */
#include "src/arch/x86/map.h"
#include "src/arch/x86/memmap.h"

#include <criterion/criterion.h>

static uint64_t ram_in(const struct memmap *m, uint64_t from, uint64_t to)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < m->count; i++) {
        const struct mem_area *a = &m->areas[i];
        if (a->type == MEM_RAM && a->gpa >= from && a->gpa + a->size <= to) {
            sum += a->size;
        }
    }
    return sum;
}

static void expect_sorted(const struct memmap *m)
{
    for (size_t i = 0; i < m->count; i++) {
        cr_expect_gt(m->areas[i].size, 0);
        if (i > 0) {
            cr_expect_geq(m->areas[i].gpa, m->areas[i - 1].gpa + m->areas[i - 1].size);
        }
    }
}

Test(memmap, small_machine)
{
    struct memmap m;
    cr_assert_eq(memmap_init(&m, 256ULL << 20, false, NULL), 0);
    cr_expect_eq(m.low_size, 256ULL << 20);
    cr_expect_eq(m.high_size, 0);
    expect_sorted(&m);
    cr_expect_eq(ram_in(&m, 0, 0xa0000), 0x9fc00);
    cr_expect_eq(ram_in(&m, 0xa0000, 0x100000), 0);
    cr_expect_eq(ram_in(&m, 0x100000, 1ULL << 63), 255ULL << 20);
}

Test(memmap, hole_below_4g_stays_free)
{
    struct memmap m;
    cr_assert_eq(memmap_init(&m, 6ULL << 30, true, NULL), 0);
    cr_expect_eq(m.low_size, 3ULL << 30);
    cr_expect_eq(m.high_size, 3ULL << 30);
    expect_sorted(&m);
    cr_expect_eq(ram_in(&m, 0xc0000000, 0x100000000), 0);
    cr_expect_eq(ram_in(&m, 0x100000000, 1ULL << 63), 3ULL << 30);
}

Test(memmap, exactly_what_fits_low)
{
    struct memmap m;
    cr_assert_eq(memmap_init(&m, 3ULL << 30, false, NULL), 0);
    cr_expect_eq(m.high_size, 0);
    cr_assert_eq(memmap_init(&m, (3ULL << 30) + 4096, false, NULL), 0);
    cr_expect_eq(m.high_size, 4096);
    cr_assert_eq(memmap_init(&m, 1 << 20, false, NULL), 0);
    expect_sorted(&m);
}

Test(memmap, ecam_is_reserved_only_with_pci)
{
    for (int pci = 0; pci <= 1; pci++) {
        struct memmap m;
        int found = 0;
        cr_assert_eq(memmap_init(&m, 1 << 30, pci, NULL), 0);
        for (size_t i = 0; i < m.count; i++) {
            found += m.areas[i].gpa == PC_ECAM_GPA && m.areas[i].size == 1 << 20 &&
                     m.areas[i].type == MEM_RESERVED;
        }
        cr_expect_eq(found, pci);
    }
}

/* Above RAM, aligned to its size, and where CPUs with so many address bits reach all of it. */
Test(memmap, pci_mem64)
{
    const uint64_t g = 1ULL << 30;
    const struct {
        uint64_t ram;
        unsigned gpa_bits;
        uint64_t gpa;
    } cases[] = {
        {1 * g, 36, 32 * g},
        {1 * g, 35, 0},
        {31 * g, 36, 32 * g},
        {31 * g + 4096, 36, 0},
        {31 * g + 4096, 39, 64 * g},
        {479 * g, 39, 480 * g},
        {480 * g, 39, 0},
        {480 * g, 40, 512 * g},
        {65536 * g, 46, 0},
        {65536 * g, 52, 65568 * g},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct memmap m;
        cr_assert_eq(memmap_init(&m, cases[i].ram, true, NULL), 0);
        cr_expect_eq(memmap_pci_mem64(&m, cases[i].gpa_bits), cases[i].gpa, "case %zu", i);
    }
}

Test(memmap, sizes_refused)
{
    const uint64_t wrong[] = {
        0, 1, 4096, (1 << 20) - 4096, (1 << 20) + 1, 1ULL << 52, UINT64_MAX, UINT64_MAX & ~4095ULL};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct memmap m;
        struct err e = ERR_INIT;
        cr_expect_lt(memmap_init(&m, wrong[i], false, &e), 0, "size %zx", (size_t)wrong[i]);
        cr_expect_neq(e.what[0], '\0');
    }
}
