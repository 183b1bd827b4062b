/*
 * arm64's address translation, as crash dumps use it: which byte of memory a virtual address is.
 */
#include "tests/unit/fake_mem.h"

#include "src/arch/arm64/walk.h"
#include "src/base/le.h"

#include <criterion/criterion.h>
#include <string.h>

#define BASE 0x40000000ULL
#define RAM  0x40000

enum {
    TABLE = 3, /* also a page, at the last level */
    BLOCK = 1,
};

static struct topology *topo;
static struct region root, ram;
static struct aspace *mem;
static _Alignas(65536) uint8_t host[RAM];
static struct walk_regs regs;
static uint64_t gpa;

static void setup(void)
{
    topo = topology_new();
    memset(host, 0, sizeof(host));
    region_init_container(&root, topo, "memory", REGION_ALL);
    region_init_ram(&ram, topo, "ram", RAM, host);
    cr_assert_eq(region_add(&root, BASE, &ram, 0), 0);
    mem = aspace_new(topo, "memory", &root);
    regs = (struct walk_regs){.sctlr = 1};
}

static void teardown(void)
{
    aspace_free(mem);
    region_fini(&ram);
    region_fini(&root);
    topology_free(topo);
}

TestSuite(arm64_walk, .init = setup, .fini = teardown);

static void put(uint64_t table, unsigned index, uint64_t desc)
{
    put_le64(&host[table - BASE + (8 * (uint64_t)index)], desc);
}

static bool walk(uint64_t va)
{
    return walk_translate(&regs, mem, va, &gpa);
}

Test(arm64_walk, without_translation_an_address_is_itself)
{
    regs.sctlr = 0;
    cr_assert(walk(0x12345678));
    cr_assert_eq(gpa, 0x12345678);
}

/* As Linux has its kernel: the upper 48 bits, pages of 4 KiB, four levels. */
Test(arm64_walk, four_levels_lead_to_a_page)
{
    regs.tcr = 16 | 16 << 16 | 2ULL << 30;
    regs.ttbr1 = BASE + 0x1000 + 1; /* CnP is not of the address */
    put(BASE + 0x1000, 0x1ff, (BASE + 0x2000) | TABLE);
    put(BASE + 0x2000, 0x123, (BASE + 0x3000) | TABLE);
    put(BASE + 0x3000, 0x045, (BASE + 0x4000) | TABLE);
    put(BASE + 0x4000, 0x067, 0x0060000080123000 | TABLE);
    const uint64_t va =
        0xffff000000000000 | 0x1ffULL << 39 | 0x123ULL << 30 | 0x045 << 21 | 0x067 << 12 | 0xabc;
    cr_assert(walk(va));
    cr_assert_eq(gpa, 0x80123abc);
    cr_assert_not(walk(va + 0x1000)); /* no descriptor */
    cr_assert_not(walk(va & 0x0000ffffffffffff));
}

Test(arm64_walk, a_block_ends_the_walk_early)
{
    regs.tcr = 25; /* 39 bits: the first table is of level 1 */
    regs.ttbr0 = BASE;
    put(BASE, 5, 0x80000000 | BLOCK);
    put(BASE, 6, (BASE + 0x1000) | TABLE);
    put(BASE + 0x1000, 1, 0xc0200000 | BLOCK);
    cr_assert(walk(0x140000000 + 0x1234567));
    cr_assert_eq(gpa, 0x81234567);
    cr_assert(walk(0x180000000 + 0x200000 + 0x54321));
    cr_assert_eq(gpa, 0xc0254321);
}

Test(arm64_walk, pages_of_16_and_64_kib)
{
    regs.tcr = 28 | 2 << 14; /* 36 bits of 16 KiB pages: two levels */
    regs.ttbr0 = BASE;
    put(BASE, 3, (BASE + 0x4000) | TABLE);
    put(BASE + 0x4000, 9, 0x9000c000 | TABLE);
    cr_assert(walk(3 << 25 | 9 << 14 | 0x3456));
    cr_assert_eq(gpa, 0x9000c000 + 0x3456);

    regs.tcr = 22 | 1 << 14; /* 42 bits of 64 KiB pages: two levels */
    put(BASE, 7, (BASE + 0x20000) | TABLE);
    put(BASE + 0x20000, 8, 0x90010000 | TABLE);
    cr_assert(walk(7ULL << 29 | 8 << 16 | 0xfedc));
    cr_assert_eq(gpa, 0x90010000 + 0xfedc);
}

Test(arm64_walk, a_first_table_smaller_than_a_page)
{
    regs.tcr = 33; /* 31 bits: two entries of level 1 */
    regs.ttbr0 = BASE + 0xfc0;
    put(BASE + 0xfc0, 1, 0xc0000000 | BLOCK);
    cr_assert(walk(0x40001000));
    cr_assert_eq(gpa, 0xc0001000);
    cr_assert_not(walk(0x80001000)); /* more than 31 bits */
}

Test(arm64_walk, what_a_guest_can_get_wrong_has_no_address)
{
    regs.tcr = 25;
    regs.ttbr0 = 0x1000; /* no RAM */
    cr_assert_not(walk(0));
    regs.ttbr0 = BASE;
    put(BASE, 0, (BASE + RAM) | TABLE); /* none there either */
    cr_assert_not(walk(0));
    put(BASE, 0, BASE | TABLE); /* itself, down to the last level, where it is a page */
    cr_assert(walk(0x123));
    cr_assert_eq(gpa, BASE + 0x123);
    regs.tcr = 0; /* 64 bits of address */
    cr_assert_not(walk(0));
    regs.tcr = 63;
    cr_assert_not(walk(0));
    regs.tcr = 25 | 3 << 14; /* reserved size of pages */
    cr_assert_not(walk(0));
}
