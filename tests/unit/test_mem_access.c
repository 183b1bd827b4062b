/*
 * Accesses: what the rules mean by example, splitting, counting, refusing,
 * re-entry. All combinations of rules: test_mem_sizes.c.
 */
#include "tests/unit/fake_mem.h"

#include "src/base/trace.h"
#include "src/mem/dma.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct topology *topo;
static struct region root;
static struct aspace *as;
static struct fake_io io;

#define IO_ADDR 0x1000

static void setup(void)
{
    topo = topology_new();
    region_init_container(&root, topo, "root", REGION_ALL);
    fake_io_init(&io, topo, "io", FAKE_IO_BYTES);
    region_add(&root, IO_ADDR, &io.region, 0);
    as = aspace_new(topo, "memory", &root);
    cr_assert_not_null(as);
}

static void teardown(void)
{
    aspace_free(as);
    fake_io_fini(&io);
    region_fini(&root);
    topology_free(topo);
}

TestSuite(mem_access, .init = setup, .fini = teardown);

#define assert_counts(un, ref, re)                                                                 \
    do {                                                                                           \
        struct access_counts counts = aspace_counts(as);                                           \
        cr_assert_eq(counts.unassigned, un, "%lu unassigned", counts.unassigned);                  \
        cr_assert_eq(counts.refused, ref, "%lu refused", counts.refused);                          \
        cr_assert_eq(counts.reentry, re, "%lu re-entered", counts.reentry);                        \
    } while (0)

/* --- sizes and byte order --------------------------------------------- */

Test(mem_access, rules_left_out_mean_1_to_4_aligned)
{
    uint8_t data[8];

    io.ops.guest = io.ops.impl = (struct access_rule){0};
    cr_assert_eq(aspace_read(as, IO_ADDR + 8, data, 8), ACCESS_OK);
    cr_assert_eq(io.call_count, 2);
    cr_assert_eq(io.calls[1].offset, 12);
    cr_assert_eq(io.calls[1].size, 4);
    io.call_count = 0;
    cr_assert_eq(aspace_read(as, IO_ADDR + 3, data, 2), ACCESS_OK);
    cr_assert_eq(io.call_count, 2);
    cr_assert_eq(io.calls[0].size, 1);
}

Test(mem_access, values_are_in_host_order)
{
    const uint8_t data[4] = {0x11, 0x22, 0x33, 0x44};

    aspace_write(as, IO_ADDR, data, 4);
    cr_assert_eq(io.calls[0].value, 0x44332211);
    io.ops.endian = ENDIAN_BIG;
    aspace_write(as, IO_ADDR, data, 4);
    cr_assert_eq(io.calls[1].value, 0x11223344);
    io.ops.impl.min = 8; /* zeros where the guest wrote nothing */
    aspace_write(as, IO_ADDR, data, 4);
    cr_assert_eq(io.calls[2].value, 0x1122334400000000);
    io.ops.endian = ENDIAN_LITTLE;
    io.ops.impl.unaligned = false;
    aspace_write(as, IO_ADDR + 4, data, 4);
    cr_assert_eq(io.calls[3].offset, 0);
    cr_assert_eq(io.calls[3].value, 0x4433221100000000);
}

Test(mem_access, refused_reads_may_give_zero)
{
    uint8_t data[4] = {1, 1, 1, 1};

    io.ops.guest = (struct access_rule){.min = 4, .max = 4};
    cr_assert_eq(aspace_read(as, IO_ADDR, data, 2), ACCESS_REFUSED);
    cr_assert_eq(data[0] & data[1], 0xff);
    io.ops.refused_reads_zero = true;
    cr_assert_eq(aspace_read(as, IO_ADDR, data, 2), ACCESS_REFUSED);
    cr_assert_eq(data[0] | data[1], 0);
    cr_assert_eq(data[2], 1);
    cr_assert_eq(io.call_count, 0);
    assert_counts(0, 2, 0);
}

/* --- splitting -------------------------------------------------------- */

Test(mem_access, spans_ram_hole_device_and_rom)
{
    struct fake_ram ram, rom;
    uint8_t data[12], expected[12];

    fake_ram_init(&ram, topo, REGION_RAM, "ram", 16);
    fake_ram_init(&rom, topo, REGION_ROM, "rom", 16);
    region_add(&root, IO_ADDR - 20, &ram.region, 0); /* 4 bytes of nothing after it */
    region_add(&root, IO_ADDR + 2, &rom.region, 1);
    memset(ram.host, 0x55, 16);
    memset(rom.host, 0x66, 16);

    cr_assert_eq(aspace_read(as, IO_ADDR - 6, data, 12), ACCESS_UNASSIGNED);
    memcpy(expected, "\x55\x55\xff\xff\xff\xff\x01\x02\x66\x66\x66\x66", 12);
    cr_assert_arr_eq(data, expected, 12);
    assert_counts(1, 0, 0);

    memset(data, 0x77, 12);
    cr_assert_eq(aspace_write(as, IO_ADDR - 6, data, 12), ACCESS_UNASSIGNED);
    cr_assert_eq(ram.host[13], 0x55);
    cr_assert_eq(ram.host[14] & ram.host[15], 0x77);
    cr_assert_eq(io.bytes[0] & io.bytes[1], 0x77);
    cr_assert_eq(rom.host[0], 0x66);
    assert_counts(2, 1, 0);
    fake_ram_fini(&ram);
    fake_ram_fini(&rom);
}

Test(mem_access, ram_at_every_size_and_alignment)
{
    struct fake_ram ram;
    uint8_t shadow[64] = {0}, data[16];

    fake_ram_init(&ram, topo, REGION_RAM, "ram", 64);
    region_add(&root, 0, &ram.region, 0);
    for (unsigned i = 0; i < 48 * 16; i++) {
        unsigned offset = i % 48, len = i / 48;
        memset(data, (int)(i * 7 + 1), sizeof(data));
        memset(shadow + offset, (int)(i * 7 + 1), len);
        cr_assert_eq(aspace_write(as, offset, data, len), ACCESS_OK);
        cr_assert_eq(memcmp(ram.host, shadow, 64), 0);
        memset(data, 0, sizeof(data));
        cr_assert_eq(aspace_read(as, offset + 1, data, len), ACCESS_OK);
        cr_assert_eq(memcmp(data, shadow + offset + 1, len), 0);
    }
    fake_ram_fini(&ram);
}

Test(mem_access, nothing_lies_past_the_end)
{
    struct fake_ram ram;
    uint8_t data[4] = {1, 2, 3, 4};

    fake_ram_init(&ram, topo, REGION_RAM, "ram", 2);
    region_add(&root, UINT64_MAX - 1, &ram.region, 0);
    cr_assert_eq(aspace_write(as, UINT64_MAX - 1, data, 4), ACCESS_UNASSIGNED);
    cr_assert_eq(ram.host[1], 2);
    memset(data, 0, 4);
    cr_assert_eq(aspace_read(as, UINT64_MAX, data, 4), ACCESS_UNASSIGNED);
    cr_assert_arr_eq(data, "\x02\xff\xff\xff", 4);
    region_set_offset(&ram.region, 0); /* and it does not go on at 0 */
    cr_assert_eq(aspace_read(as, UINT64_MAX, data, 4), ACCESS_UNASSIGNED);
    cr_assert_arr_eq(data, "\xff\xff\xff\xff", 4);
    cr_assert_eq(aspace_read(as, UINT64_MAX, data, 0), ACCESS_OK);
    fake_ram_fini(&ram);
}

Test(mem_access, readonly_device_takes_no_writes)
{
    uint8_t data[4] = {0};

    region_set_readonly(&io.region, true);
    cr_assert_eq(aspace_write(as, IO_ADDR, data, 4), ACCESS_REFUSED);
    cr_assert_eq(aspace_read(as, IO_ADDR, data, 4), ACCESS_OK);
    cr_assert_eq(io.call_count, 1);
    assert_counts(0, 1, 0);
}

/* --- callbacks that come back ----------------------------------------- */

static struct fake_io other;
static enum access_result nested_result;
static uint8_t nested_data[8];

static void read_nested(struct fake_io *self)
{
    nested_result = aspace_read(as, *(const uint64_t *)self->opaque, nested_data, 4);
}

Test(mem_access, a_callback_cannot_reach_its_own_registers)
{
    uint64_t target = IO_ADDR + 4;
    uint8_t data[4];

    io.on_call = read_nested;
    io.opaque = &target;
    cr_assert_eq(aspace_read(as, IO_ADDR, data, 4), ACCESS_OK);
    cr_assert_eq(nested_result, ACCESS_REENTRY);
    cr_assert_eq(nested_data[0] & nested_data[3], 0xff);
    cr_assert_eq(io.guard.refused, 1);
    assert_counts(0, 0, 1);
    io.on_call = NULL; /* the mark is gone with the callback */
    cr_assert_eq(aspace_read(as, IO_ADDR, data, 4), ACCESS_OK);
}

Test(mem_access, nor_another_device_with_or_without_a_lock)
{
    struct region lockless;
    uint64_t target = 0;
    uint8_t data[4];

    fake_io_init(&other, topo, "other", 16);
    region_init_io(&lockless, topo, "lockless", 16, &io.ops, &io, NULL);
    region_add(&root, 0, &other.region, 0);
    region_add(&root, 0x100, &lockless, 0);
    io.on_call = read_nested;
    io.opaque = &target;
    aspace_read(as, IO_ADDR, data, 4);
    cr_assert_eq(nested_result, ACCESS_REENTRY);
    cr_assert_eq(other.guard.refused, 1);
    cr_assert_eq(io.guard.refused, 0);
    target = 0x100;
    aspace_read(as, IO_ADDR, data, 4);
    cr_assert_eq(nested_result, ACCESS_REENTRY);
    target = 0;
    aspace_read(as, 0x100, data, 4); /* from the callback of a lockless device */
    cr_assert_eq(nested_result, ACCESS_REENTRY);
    assert_counts(0, 0, 3);
    region_fini(&lockless);
    fake_io_fini(&other);
}

Test(mem_access, a_timer_of_a_device_cannot_either)
{
    uint8_t data[4];

    io_guard_enter(&io.guard);
    cr_assert_eq(aspace_read(as, IO_ADDR, data, 4), ACCESS_REENTRY);
    io_guard_leave(&io.guard);
    cr_assert_eq(aspace_read(as, IO_ADDR, data, 4), ACCESS_OK);
}

Test(mem_access, a_callback_can_reach_ram)
{
    struct fake_ram ram;
    uint64_t target = 8;
    uint8_t data[4];

    fake_ram_init(&ram, topo, REGION_RAM, "ram", 16);
    region_add(&root, 0, &ram.region, 0);
    memset(ram.host, 0x42, 16);
    io.on_call = read_nested;
    io.opaque = &target;
    aspace_read(as, IO_ADDR, data, 4);
    cr_assert_eq(nested_result, ACCESS_OK);
    cr_assert_eq(nested_data[3], 0x42);
    target = 14; /* 2 bytes of RAM, then nothing */
    aspace_read(as, IO_ADDR, data, 4);
    cr_assert_eq(nested_result, ACCESS_UNASSIGNED);
    cr_assert_eq(dma_read(as, IO_ADDR, data, 4), -EFAULT);
    fake_ram_fini(&ram);
}

static void move_away(struct fake_io *self)
{
    cr_assert_eq(region_set_offset(&self->region, 0x9000), 0);
}

/* The first piece of an access moves the region: the second finds the new view. */
Test(mem_access, a_callback_can_move_its_region)
{
    uint8_t data[8];

    fake_io_init(&other, topo, "other", 4);
    region_add(&root, IO_ADDR + 4, &other.region, 1);
    io.on_call = move_away;
    cr_assert_eq(aspace_read(as, IO_ADDR, data, 8), ACCESS_OK);
    cr_assert_eq(other.call_count, 1);
    io.on_call = NULL;
    cr_assert_eq(aspace_read(as, 0x9000, data, 4), ACCESS_OK);
    cr_assert_eq(aspace_read(as, IO_ADDR, data, 4), ACCESS_UNASSIGNED);
    fake_io_fini(&other);
}

/* --- finding the range ------------------------------------------------ */

#define MOVERS 4

static struct fake_io movers[MOVERS];
static struct aspace *spaces[2]; /* of the even and the odd movers */

/* Read from place number `place` of a space: only the mover that is there now is called. */
static void check_place(unsigned space, unsigned place)
{
    bool found = false;
    uint8_t data[4];

    for (unsigned i = 0; i < MOVERS; i++) {
        movers[i].call_count = 0;
    }
    enum access_result result = aspace_read(spaces[space], place * 16 + 4, data, 4);
    for (unsigned i = 0; i < MOVERS; i++) {
        bool there = i % 2 == space && movers[i].region.offset == place * 16;
        cr_assert_eq(movers[i].call_count, there);
        found = found || there;
    }
    cr_assert_eq(result, found ? ACCESS_OK : ACCESS_UNASSIGNED);
}

/* Wherever the last access went, in this space or another, and whatever has moved since. */
Test(mem_access, finds_what_is_there_now)
{
    struct region ports;
    unsigned random = 1;

    region_init_container(&ports, topo, "ports", REGION_ALL);
    spaces[0] = as;
    spaces[1] = aspace_new(topo, "ports", &ports);
    for (unsigned i = 0; i < MOVERS; i++) {
        fake_io_init(&movers[i], topo, "mover", 16);
        region_add(i % 2 == 0 ? &root : &ports, i * 16, &movers[i].region, 0);
    }
    for (unsigned step = 0; step < 5000; step++) {
        random = random * 1103515245 + 12345;
        unsigned i = (random >> 16) % MOVERS, place = i + MOVERS * (random >> 20 & 1);
        if (step % 4 == 0) { /* to one of the two places that are its own */
            region_set_offset(&movers[i].region, place * 16);
        }
        check_place(random >> 24 & 1, place);
    }
    aspace_free(spaces[1]);
    for (unsigned i = 0; i < MOVERS; i++) {
        fake_io_fini(&movers[i]);
    }
    region_fini(&ports);
}

/* --- traces ----------------------------------------------------------- */

static uint64_t read_too_much(void *opaque, uint64_t offset, unsigned size)
{
    (void)opaque, (void)offset, (void)size;
    return UINT64_MAX;
}

/* Both ways of access: with an endian other than the host's it is not plain. */
Test(mem_access, traces_show_the_bytes_that_moved)
{
    char path[] = "/tmp/vmm-access-XXXXXX", text[1024] = "";
    int fd = mkstemp(path);

    cr_assert(fd >= 0 && trace_open(path, NULL) == 0);
    cr_assert_eq(trace_enable("mem_read,mem_write", NULL), 0);
    io.ops.read = read_too_much;
    for (unsigned i = 0; i < 2; i++) {
        uint8_t data[2] = {0x34, 0x12};
        io.ops.endian = i == 0 ? ENDIAN_LITTLE : ENDIAN_BIG;
        aspace_write(as, IO_ADDR + i, data, 2);
        aspace_read(as, IO_ADDR + i, data, 2);
    }
    trace_close();
    cr_assert(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    unlink(path);
    cr_expect_not_null(strstr(text, "mem_write memory 0x1000 size 2 value 0x1234\n"), "%s", text);
    cr_expect_not_null(strstr(text, "mem_read memory 0x1000 size 2 value 0xffff\n"), "%s", text);
    cr_expect_not_null(strstr(text, "mem_write memory 0x1001 size 2 value 0x1234\n"), "%s", text);
    cr_expect_not_null(strstr(text, "mem_read memory 0x1001 size 2 value 0xffff\n"), "%s", text);
}
