/* Multiboot 1: header, flat and ELF files, information structure, modules. */
#include "src/arch/x86/map.h"
#include "tests/unit/boot_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct boot_fixture f;
static struct test_kernel k;

static void start(void)
{
    boot_fixture_init(&f, 8);
    make_multiboot_elf(&k);
}

static void stop(void)
{
    boot_fixture_free(&f);
}

TestSuite(multiboot, .init = start, .fini = stop);

static int load(void)
{
    return boot_fixture_load(&f, k.bytes, k.len);
}

static void expect_error(const char *text)
{
    boot_expect_error(&f, k.bytes, k.len, text);
}

static const uint8_t *ram(uint64_t gpa)
{
    return f.m.ram + gpa;
}

static const uint8_t *info(unsigned offset)
{
    return ram(f.entry.bx + offset);
}

Test(multiboot, entry_state)
{
    cr_assert_eq(load(), 0, "%s", f.e.what);
    cr_expect_eq(f.entry.format, BOOT_MULTIBOOT);
    cr_expect_eq(f.entry.mode, BOOT_PROT32);
    cr_expect_eq(f.entry.ax, 0x2badb002);
    cr_expect_eq(f.entry.ip, 0x100000);
    cr_expect_eq(*ram(0x100000), 0xe1);
}

Test(multiboot, information)
{
    char line[64];
    cr_assert_eq(load(), 0);
    cr_expect_eq(get_le32(info(0)), 0x245); /* memory, command line, map, loader name */
    cr_expect_eq(get_le32(info(4)), 639);
    cr_expect_eq(get_le32(info(8)), 7 << 10);
    snprintf(line, sizeof(line), "%s user=yes", f.kernel.path);
    cr_expect_str_eq((const char *)ram(get_le32(info(16))), line);
    cr_expect_str_eq((const char *)ram(get_le32(info(64))), "vmm");
}

Test(multiboot, memory_map)
{
    cr_assert_eq(load(), 0);
    const uint8_t *entry = ram(get_le32(info(48)));
    const uint8_t *end = entry + get_le32(info(44));
    for (size_t i = 0; i < f.map.count; i++) {
        cr_assert_lt(entry, end);
        cr_expect_eq(get_le64(entry + 4), f.map.areas[i].gpa);
        cr_expect_eq(get_le64(entry + 12), f.map.areas[i].size);
        cr_expect_eq(get_le32(entry + 20), f.map.areas[i].type);
        entry += get_le32(entry) + 4;
    }
    cr_expect_eq(entry, end);
}

Test(multiboot, one_module_for_each_initrd)
{
    boot_fixture_initrd(&f, "first", 5);
    boot_fixture_initrd(&f, "second!", 7);
    cr_assert_eq(load(), 0, "%s", f.e.what);
    cr_expect(get_le32(info(0)) & 8);
    cr_assert_eq(get_le32(info(20)), 2);
    const uint8_t *module = ram(get_le32(info(24)));
    cr_expect_eq(get_le32(module), 0x101000); /* the page behind the kernel */
    cr_expect_eq(get_le32(module + 4), 0x101005);
    cr_expect_str_eq((const char *)ram(get_le32(module + 8)), f.initrds[0]);
    cr_expect_eq(get_le32(module + 12), 0);
    cr_expect_arr_eq(ram(0x101000), "first", 5);
    cr_expect_eq(get_le32(module + 16), 0x102000);
    cr_expect_eq(get_le32(module + 20), 0x102007);
    cr_expect_arr_eq(ram(0x102000), "second!", 7);
}

Test(multiboot, module_too_large)
{
    static uint8_t bytes[7 << 20];
    boot_fixture_initrd(&f, bytes, sizeof(bytes));
    expect_error("do not fit behind the kernel");
    memory_file_set(&f.initrd[0], bytes, sizeof(bytes) - 4096);
    cr_expect_eq(load(), 0, "%s", f.e.what);
}

Test(multiboot, module_list_too_long)
{
    /* 1000 modules fit into 8 MiB, but the list with their names not into 64 KiB. */
    static const char *paths[1000];
    char path[160];
    memory_file_init(&f.initrd[0], "x", 1);
    snprintf(path, sizeof(path), "%0100d%s", 0, f.initrd[0].path);
    memset(path, '/', 100);
    for (size_t i = 0; i < 1000; i++) {
        paths[i] = path;
    }
    f.req.initrds = paths;
    f.req.initrd_count = 1000;
    expect_error("too many");
    f.req.initrd_count = 1;
}

/* As a program for real mode is linked. */
Test(multiboot, low_kernel_keeps_clear_of_the_tables)
{
    uint8_t *segment = k.bytes + 52;
    put_le32(k.bytes + 24, 0x8018);
    put_le32(segment + 12, 0x8000);
    put_le32(segment + 20, 0x8000); /* to the end of what is free */
    boot_fixture_initrd(&f, "module", 6);
    cr_assert_eq(load(), 0, "%s", f.e.what);
    cr_expect_eq(f.entry.ip, 0x8018);
    cr_expect_eq(*ram(0x8000), 0xe1);
    for (unsigned gpa = 0x8000 + ELF_CODE_SIZE; gpa < 0x10000; gpa++) {
        cr_assert_eq(*ram(gpa), 0);
    }
    cr_expect_geq(f.entry.bx, 0x10000);
    const uint8_t *module = ram(get_le32(info(24)));
    cr_expect_eq(get_le32(module), 0x100000, "no module below 1 MiB");
    put_le32(segment + 20, 0x8001);
    expect_error("where vmm puts boot tables");
    put_le32(segment + 12, 0x7fff);
    put_le32(segment + 20, 0x8000);
    expect_error("where vmm puts boot tables");
}

Test(multiboot, header_may_be_anywhere_in_8k_at_a_multiple_of_4)
{
    uint8_t header[12];
    memcpy(header, k.bytes + MB_HEADER_OFFSET, 12);
    memset(k.bytes + MB_HEADER_OFFSET, 0, 12);
    memset(k.bytes + ELF_CODE_OFFSET, 0, TEST_KERNEL_MAX - ELF_CODE_OFFSET);
    k.len = TEST_KERNEL_MAX;
    memcpy(k.bytes + 8192 - 12, header, 12);
    cr_expect_eq(load(), 0, "%s", f.e.what);
    memset(k.bytes + 8192 - 12, 0, 12);
    memcpy(k.bytes + 8192 - 8, header, 12);
    expect_error("neither a PVH note nor a multiboot header");
    memset(k.bytes + 8192 - 8, 0, 12);
    memcpy(k.bytes + 0x802, header, 12);
    expect_error("neither a PVH note nor a multiboot header");
}

Test(multiboot, wrong_checksum_is_no_header)
{
    k.bytes[MB_HEADER_OFFSET + 8] ^= 1;
    expect_error("neither a PVH note nor a multiboot header");
}

Test(multiboot, unknown_mandatory_flag)
{
    put_le32(k.bytes + MB_HEADER_OFFSET + 4, 0x0008);
    fix_multiboot(&k, MB_HEADER_OFFSET);
    expect_error("features vmm does not have");
}

Test(multiboot, flat_file)
{
    make_multiboot_flat(&k);
    memset(f.m.ram + 0x100000, 0xee, 0x1000);
    cr_assert_eq(load(), 0, "%s", f.e.what);
    cr_expect_eq(f.entry.ip, 0x100080);
    cr_expect_eq(memcmp(ram(0x100000), k.bytes, MB_FLAT_SIZE), 0);
    cr_expect_eq(*ram(0x100000 + MB_FLAT_SIZE), 0);
    cr_expect_eq(*ram(0x100000 + MB_FLAT_SIZE + MB_FLAT_BSS - 1), 0);
    cr_expect_eq(*ram(0x100000 + MB_FLAT_SIZE + MB_FLAT_BSS), 0xee);
}

Test(multiboot, flat_file_may_skip_its_beginning_and_end)
{
    make_multiboot_flat(&k);
    uint8_t *h = k.bytes + MB_FLAT_HEADER;
    put_le32(h + 12, 0x100010); /* 0x30 bytes of the file are left out */
    put_le32(h + 20, 0x100100);
    put_le32(h + 24, 0);
    k.bytes[0x30] = 0x31;
    cr_assert_eq(load(), 0, "%s", f.e.what);
    cr_expect_eq(*ram(0x100000), 0x31);
    cr_expect_eq(*ram(0x1000ff), 0xf1);
    cr_expect_eq(*ram(0x100100), 0);
}

Test(multiboot, flat_addresses_that_make_no_sense)
{
    static const struct {
        unsigned field;
        uint32_t value;
        const char *text;
    } wrong[] = {
        {12, 0x0fffff, "make no sense"}, /* header before load address */
        {12, 0x100041, "make no sense"}, /* header at a file offset below 0 */
        {16, 0x0ffff0, "make no sense"}, /* the same */
        {20, 0x0fffff, "make no sense"}, /* ends before it begins */
        {20, 0x100501, "truncated"},     /* more than the file has */
        {24, 0xfffffff0, "do not fit"},  /* bss to the end of 4 GiB */
        {28, 0x0fffff, "entry"},         /* entry outside */
        {28, 0x100700, "entry"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        make_multiboot_flat(&k);
        put_le32(k.bytes + MB_FLAT_HEADER + wrong[i].field, wrong[i].value);
        expect_error(wrong[i].text);
    }
}

Test(multiboot, flat_below_1_mib)
{
    make_multiboot_flat(&k);
    for (unsigned field = 12; field <= 28; field += field == 16 ? 8 : 4) {
        uint8_t *p = k.bytes + MB_FLAT_HEADER + field;
        put_le32(p, get_le32(p) - 0x80000);
    }
    expect_error("1 MiB or above");
}

Test(multiboot, header_without_addresses_needs_an_elf)
{
    make_multiboot_flat(&k);
    put_le32(k.bytes + MB_FLAT_HEADER + 4, 0);
    fix_multiboot(&k, MB_FLAT_HEADER);
    expect_error("no ELF file");
}

Test(multiboot, cut_anywhere_is_an_error)
{
    for (size_t len = MB_HEADER_OFFSET + 12; len < k.len; len += 7) {
        boot_expect_error(&f, k.bytes, len, "truncated");
    }
    make_multiboot_flat(&k);
    for (size_t len = MB_FLAT_HEADER + 12; len < MB_FLAT_HEADER + 32; len++) {
        boot_expect_error(&f, k.bytes, len, "truncated");
    }
}
