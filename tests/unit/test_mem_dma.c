/*
 * Checked DMA, and the allocation of guest RAM.
 */
#include "tests/unit/fake_mem.h"

#include "src/mem/dma.h"
#include "src/mem/ram.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/*
 * 0x0fc..0x0ff device, 0x100..0x10f a, 0x110..0x11f b, 0x120..0x12f rom,
 * 0x130..0x13f hole, 0x140..0x14f c; the last 16 addresses: d.
 */
static struct topology *topo;
static struct region root;
static struct aspace *as;
static struct fake_io io;
static struct fake_ram a, b, c, d, rom;

static void setup(void)
{
    topo = topology_new();
    region_init_container(&root, topo, "root", REGION_ALL);
    as = aspace_new(topo, "memory", &root);
    fake_io_init(&io, topo, "io", 4);
    fake_ram_init(&a, topo, REGION_RAM, "a", 16);
    fake_ram_init(&b, topo, REGION_RAM, "b", 16);
    fake_ram_init(&rom, topo, REGION_ROM, "rom", 16);
    fake_ram_init(&c, topo, REGION_RAM, "c", 16);
    fake_ram_init(&d, topo, REGION_RAM, "d", 16);
    region_add(&root, 0xfc, &io.region, 0);
    region_add(&root, 0x100, &a.region, 0);
    region_add(&root, 0x110, &b.region, 0);
    region_add(&root, 0x120, &rom.region, 0);
    region_add(&root, 0x140, &c.region, 0);
    region_add(&root, UINT64_MAX - 15, &d.region, 0);
    for (unsigned i = 0; i < 16; i++) {
        a.host[i] = (uint8_t)i;
        b.host[i] = (uint8_t)(0x10 + i);
        rom.host[i] = (uint8_t)(0x20 + i);
    }
}

static void teardown(void)
{
    aspace_free(as);
    fake_io_fini(&io);
    fake_ram_fini(&a);
    fake_ram_fini(&b);
    fake_ram_fini(&c);
    fake_ram_fini(&d);
    fake_ram_fini(&rom);
    region_fini(&root);
    topology_free(topo);
}

TestSuite(mem_dma, .init = setup, .fini = teardown);

Test(mem_dma, copies_span_ranges)
{
    uint8_t buf[48];

    cr_assert_eq(dma_read(as, 0x100, buf, 48), 0);
    for (unsigned i = 0; i < 48; i++) {
        cr_assert_eq(buf[i], i);
    }
    memset(buf, 0xee, sizeof(buf));
    cr_assert_eq(dma_write(as, 0x10f, buf, 17), 0);
    cr_assert_eq(a.host[14], 14);
    cr_assert_eq(a.host[15], 0xee);
    cr_assert_eq(b.host[15], 0xee);
}

/* Whatever is wrong with a range, nothing is copied. */
Test(mem_dma, bad_ranges_fail_as_a_whole)
{
    static const struct {
        uint64_t gpa;
        size_t len;
        int read, write;
    } cases[] = {
        {0x100, 0x31, -EFAULT, -EROFS},             /* rom, then the hole */
        {0x100, 0x21, 0, -EROFS},                   /* the first byte of rom */
        {0x120, 1, 0, -EROFS},                      /* rom itself */
        {0x12f, 2, -EFAULT, -EROFS},                /* into the hole */
        {0x130, 1, -EFAULT, -EFAULT},               /* in the hole */
        {0x13f, 2, -EFAULT, -EFAULT},               /* out of the hole */
        {0x14f, 2, -EFAULT, -EFAULT},               /* past the end of c */
        {0xfe, 8, -EFAULT, -EFAULT},                /* from a device into a */
        {0xfc, 4, -EFAULT, -EFAULT},                /* a device */
        {UINT64_MAX, 2, -EFAULT, -EFAULT},          /* wraps */
        {UINT64_MAX - 15, 17, -EFAULT, -EFAULT},    /* wraps */
        {0x100, SIZE_MAX, -EFAULT, -EFAULT},        /* wraps */
        {0x100, SIZE_MAX - 0x100, -EFAULT, -EROFS}, /* nearly everything */
    };
    uint8_t buf[64], image[32];

    memset(buf, 0x77, sizeof(buf));
    memcpy(image, a.host, 16);
    memcpy(image + 16, b.host, 16);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (cases[i].read != 0) {
            cr_assert_eq(dma_read(as, cases[i].gpa, buf, cases[i].len), cases[i].read, "%zu", i);
        }
        cr_assert_eq(dma_write(as, cases[i].gpa, buf, cases[i].len), cases[i].write, "%zu", i);
        for (size_t k = 0; k < sizeof(buf); k++) {
            cr_assert_eq(buf[k], 0x77);
        }
        cr_assert_eq(memcmp(image, a.host, 16) | memcmp(image + 16, b.host, 16), 0);
    }
    cr_assert_eq(io.call_count, 0);
}

Test(mem_dma, no_bytes_are_always_fine)
{
    cr_assert_eq(dma_read(as, 0x130, NULL, 0), 0);
    cr_assert_eq(dma_write(as, 0x120, NULL, 0), 0);
    cr_assert_eq(dma_map(as, 0x130, 0, true, NULL, 0), 0);
    cr_assert_null(dma_ptr(as, 0x100, 0, false));
}

Test(mem_dma, the_last_byte_of_all)
{
    uint8_t byte = 0x99;

    cr_assert_eq(dma_write(as, UINT64_MAX, &byte, 1), 0);
    cr_assert_eq(d.host[15], 0x99);
    cr_assert_eq(dma_ptr(as, UINT64_MAX - 15, 16, true), d.host);
    cr_assert_null(dma_ptr(as, UINT64_MAX, 2, true));
}

Test(mem_dma, pointers_stay_in_one_range)
{
    cr_assert_eq(dma_ptr(as, 0x104, 12, true), a.host + 4);
    cr_assert_null(dma_ptr(as, 0x104, 13, true));
    cr_assert_null(dma_ptr(as, 0x104, UINT64_MAX, true));
    cr_assert_eq(dma_ptr(as, 0x120, 16, false), rom.host);
    cr_assert_null(dma_ptr(as, 0x120, 16, true));
    cr_assert_null(dma_ptr(as, 0xfc, 1, false));
    cr_assert_null(dma_ptr(as, 0x130, 1, false));
}

Test(mem_dma, maps_are_pieces)
{
    struct iovec iov[3];

    cr_assert_eq(dma_map(as, 0x108, 0x20, false, iov, 3), 3);
    cr_assert(iov[0].iov_base == a.host + 8 && iov[0].iov_len == 8);
    cr_assert(iov[1].iov_base == b.host && iov[1].iov_len == 16);
    cr_assert(iov[2].iov_base == rom.host && iov[2].iov_len == 8);
    cr_assert_eq(dma_map(as, 0x108, 0x20, false, iov, 2), -ENOSPC);
    cr_assert_eq(dma_map(as, 0x108, 0x20, true, iov, 3), -EROFS);
    cr_assert_eq(dma_map(as, 0x108, 0x18, true, iov, 3), 2);
    cr_assert_eq(dma_map(as, 0x108, 0x29, false, iov, 3), -EFAULT);
    cr_assert_eq(dma_map(as, UINT64_MAX, 2, false, iov, 3), -EFAULT);
}

Test(mem_dma, readonly_windows_of_ram)
{
    struct region window;
    uint8_t byte = 0;

    region_init_alias(&window, topo, "window", 8, &a.region, 4);
    region_set_readonly(&window, true);
    region_add(&root, 0x1000, &window, 0);
    cr_assert_eq(dma_read(as, 0x1001, &byte, 1), 0);
    cr_assert_eq(byte, 5);
    cr_assert_eq(dma_write(as, 0x1001, &byte, 1), -EROFS);
    cr_assert_eq(dma_write(as, 0x105, &byte, 1), 0);
    region_fini(&window);
}

/* --- guest RAM -------------------------------------------------------- */

Test(mem_ram, aligned_zeroed_and_writable_to_the_last_byte)
{
    const uint64_t size = 3 << 20;
    struct ram r;

    cr_assert_eq(ram_alloc(&r, size, NULL), 0);
    cr_assert_eq((uintptr_t)r.host % (2 << 20), 0);
    cr_assert_eq(r.size, size);
    cr_assert_eq(r.host[0] | r.host[size - 1], 0);
    r.host[0] = r.host[size - 1] = 1;
    ram_free(&r);
    cr_assert_null(r.host);
    ram_free(&r);
}

Test(mem_ram, sizes_that_cannot_be)
{
    struct err e = ERR_INIT;
    struct ram r;

    cr_assert_eq(ram_alloc(&r, 0, &e), -EINVAL);
    cr_assert_eq(ram_alloc(&r, 4097, &e), -EINVAL);
    cr_assert_eq(ram_alloc(&r, 1ULL << 62, &e), -ENOMEM);
    cr_assert_not_null(strstr(e.what, "4398046511104 MiB"));
    cr_assert_not_null(strstr(e.hint, "--memory"));
    cr_assert_eq(ram_alloc(&r, UINT64_MAX - 4095, &e), -ENOMEM);
}

#ifndef SANITIZED
static void touch(ptrdiff_t offset)
{
    struct ram r;

    cr_assert_eq(ram_alloc(&r, 4096, NULL), 0);
    *(volatile uint8_t *)(r.host + offset) = 1;
}

Test(mem_ram, the_byte_before_faults, .signal = SIGSEGV)
{
    touch(-1);
}

Test(mem_ram, the_byte_after_faults, .signal = SIGSEGV)
{
    touch(4096);
}
#endif
