/* bzImage: header checks, placement, boot_params, entry state; initrds. */
#include "src/arch/x86/map.h"
#include "src/mem/dma.h"
#include "tests/unit/boot_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static struct boot_fixture f;
static struct test_kernel k;

static void start(void)
{
    boot_fixture_init(&f, 8);
    make_bzimage(&k);
}

static void stop(void)
{
    boot_fixture_free(&f);
}

TestSuite(bzimage, .init = start, .fini = stop);

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

static const uint8_t *params(void)
{
    return ram(PC_BOOT_PARAMS_GPA);
}

Test(bzimage, entry_state)
{
    cr_assert_eq(load(), 0, "%s", f.e.what);
    cr_expect_eq(f.entry.format, BOOT_BZIMAGE);
    cr_expect_eq(f.entry.mode, BOOT_LONG64);
    cr_expect_eq(f.entry.ip, 0x200200);
    cr_expect_eq(f.entry.si, PC_BOOT_PARAMS_GPA);
    cr_expect_eq(f.entry.cr3, PC_PAGE_TABLES_GPA);
    for (uint64_t i = 0; i < BZ_CODE_SIZE; i++) {
        cr_assert_eq(*ram(0x200000 + i), 0xc5);
    }
    cr_expect_eq(*ram(0x200000 + BZ_CODE_SIZE), 0);
}

Test(bzimage, gdt_has_flat_64_bit_segments)
{
    cr_assert_eq(load(), 0);
    cr_expect_eq(f.entry.gdt, PC_GDT_GPA);
    cr_expect_eq(f.entry.gdt_limit, 39);
    cr_expect_eq(get_le64(ram(PC_GDT_GPA + 0x10)), 0x00af9b000000ffff);
    cr_expect_eq(get_le64(ram(PC_GDT_GPA + 0x18)), 0x00cf93000000ffff);
}

/* Walk the tables as the CPU would. */
static uint64_t translate(uint64_t addr)
{
    uint64_t entry = get_le64(ram(f.entry.cr3 + (addr >> 39 & 511) * 8));
    cr_assert_eq(entry & 0x83, 0x03);
    entry = get_le64(ram((entry & ~0xfffULL) + (addr >> 30 & 511) * 8));
    cr_assert_eq(entry & 0x83, 0x03);
    entry = get_le64(ram((entry & ~0xfffULL) + (addr >> 21 & 511) * 8));
    cr_assert_eq(entry & 0x83, 0x83);
    return (entry & ~0x1fffffULL) + (addr & 0x1fffff);
}

Test(bzimage, first_4g_are_mapped_to_themselves)
{
    cr_assert_eq(load(), 0);
    for (uint64_t addr = 0x1234; addr < 1ULL << 32; addr += 0x1fffff) {
        cr_assert_eq(translate(addr), addr);
    }
    cr_expect_eq(get_le64(ram(PC_PAGE_TABLES_GPA + 8)), 0);
    cr_expect_eq(get_le64(ram(PC_PAGE_TABLES_GPA + 4096 + 4 * 8)), 0);
}

Test(bzimage, boot_params)
{
    memset(f.m.ram + PC_BOOT_PARAMS_GPA, 0xee, 4096); /* as after a reboot */
    cr_assert_eq(load(), 0);
    cr_expect_arr_eq(params() + 0x202, "HdrS", 4);
    cr_expect_eq(params()[0x210], 0xff);
    cr_expect_eq(params()[0x1ef], 0, "sentinel");
    cr_expect_eq(get_le32(params() + 0x214), 0x200000);
    cr_expect_eq(get_le64(params() + 0x070), 0xe0000);
    cr_expect_eq(get_le32(params() + 0x228), PC_CMDLINE_GPA);
    cr_expect_str_eq((const char *)ram(PC_CMDLINE_GPA), "console=ttyS0");
    cr_expect_eq(get_le32(params() + 0x21c), 0);
    /* Nothing of the file outside the header. */
    cr_expect_eq(params()[0x1f0], 0);
    cr_expect_eq(get_le32(params() + 0x26c), 0);
}

Test(bzimage, longer_header_is_cut_where_other_fields_begin)
{
    memset(k.bytes + 0x26c, 0x99, BZ_CODE_OFFSET - 0x26c);
    k.bytes[0x201] = 0xff;
    cr_assert_eq(load(), 0);
    cr_expect_eq(params()[0x28f], 0x99);
    cr_expect_eq(params()[0x290], 0);
    cr_expect_eq(params()[0x2cf], 0);
}

Test(bzimage, e820_is_the_map)
{
    cr_assert_eq(load(), 0);
    cr_expect_eq(params()[0x1e8], f.map.count);
    for (size_t i = 0; i < f.map.count; i++) {
        const uint8_t *entry = params() + 0x2d0 + i * 20;
        cr_expect_eq(get_le64(entry), f.map.areas[i].gpa);
        cr_expect_eq(get_le64(entry + 8), f.map.areas[i].size);
        cr_expect_eq(get_le32(entry + 16), f.map.areas[i].type);
    }
}

Test(bzimage, setup_data_of_the_file_is_not_passed_on)
{
    cr_assert_eq(load(), 0);
    cr_expect_eq(get_le64(params() + 0x250), 0);
}

Test(bzimage, four_setup_sectors_when_the_field_is_zero)
{
    k.bytes[0x1f1] = 0;
    memset(k.bytes + 0xa00, 0xc6, BZ_CODE_SIZE);
    k.len = 0xa00 + BZ_CODE_SIZE;
    cr_assert_eq(load(), 0, "%s", f.e.what);
    cr_expect_eq(*ram(0x200000), 0xc6);
    cr_expect_eq(*ram(0x200000 + BZ_CODE_SIZE - 1), 0xc6);
}

Test(bzimage, size_may_be_rounded_up)
{
    k.len -= 15;
    cr_expect_eq(load(), 0, "%s", f.e.what);
    k.len -= 1;
    expect_error("truncated");
}

Test(bzimage, bytes_behind_the_code_are_no_part_of_it)
{
    memset(k.bytes + k.len, 0x99, 64); /* a signature, for instance */
    k.len += 64;
    cr_assert_eq(load(), 0);
    cr_expect_eq(*ram(0x200000 + BZ_CODE_SIZE), 0);
}

Test(bzimage, cut_anywhere_is_truncated)
{
    for (size_t len = 0x206; len < k.len - 16; len += len < 0x300 ? 1 : 64) {
        boot_expect_error(&f, k.bytes, len, "truncated");
    }
}

Test(bzimage, protocol_too_old)
{
    put_le16(k.bytes + 0x206, 0x020b);
    expect_error("boot protocol 2.11");
}

Test(bzimage, kernel_of_32_bits)
{
    put_le16(k.bytes + 0x236, 0x1e);
    expect_error("32-bit");
}

Test(bzimage, alignment_that_makes_no_sense)
{
    put_le32(k.bytes + 0x230, 0);
    expect_error("makes no sense");
    put_le32(k.bytes + 0x230, 0x180000);
    expect_error("makes no sense");
}

Test(bzimage, no_code)
{
    put_le32(k.bytes + 0x1f4, 0);
    expect_error("makes no sense");
}

Test(bzimage, moves_down_when_the_preferred_place_is_taken)
{
    put_le64(k.bytes + 0x258, 0x1000000); /* 16 MiB; there are 8 */
    cr_assert_eq(load(), 0, "%s", f.e.what);
    cr_expect_eq(f.entry.ip, 0x100200);
    put_le64(k.bytes + 0x258, UINT64_MAX - 0x1000);
    cr_assert_eq(load(), 0, "%s", f.e.what);
    cr_expect_eq(f.entry.ip, 0x100200);
}

Test(bzimage, fixed_kernel_does_not_move)
{
    put_le64(k.bytes + 0x258, 0x1000000);
    k.bytes[0x234] = 0;
    expect_error("needs 17 MiB of memory");
}

Test(bzimage, too_little_memory_to_unpack)
{
    put_le32(k.bytes + 0x260, 0x7000001);
    expect_error("--memory has 8 MiB");
    cr_expect(strstr(f.e.hint, "try --memory") != NULL);
}

Test(bzimage, command_line_limits)
{
    char line[300];
    memset(line, 'x', sizeof(line));
    line[255] = '\0';
    f.req.cmdline = line;
    cr_expect_eq(load(), 0);
    cr_expect_str_eq((const char *)ram(PC_CMDLINE_GPA), line);
    line[255] = 'x';
    line[256] = '\0';
    expect_error("command line has 256 bytes");
}

Test(bzimage, command_line_never_leaves_its_place)
{
    static char line[0x10001];
    memset(line, 'x', sizeof(line) - 1);
    put_le32(k.bytes + 0x238, UINT32_MAX);
    f.req.cmdline = line;
    expect_error("takes 65535");
    line[0xffff] = '\0';
    cr_expect_eq(load(), 0);
}

/* --- initrds ----------------------------------------------------------- */

Test(bzimage, initrd_is_as_high_as_possible_on_a_page)
{
    boot_fixture_initrd(&f, "initrd contents", 15);
    cr_assert_eq(load(), 0);
    const uint32_t gpa = get_le32(params() + 0x218);
    cr_expect_eq(gpa, (8 << 20) - 4096);
    cr_expect_eq(get_le32(params() + 0x21c), 15);
    cr_expect_arr_eq(ram(gpa), "initrd contents", 15);
}

Test(bzimage, initrd_keeps_below_the_kernels_limit)
{
    put_le32(k.bytes + 0x22c, 0x4fffff);
    boot_fixture_initrd(&f, "x", 1);
    cr_assert_eq(load(), 0);
    cr_expect_eq(get_le32(params() + 0x218), 0x4ff000);
}

Test(bzimage, initrds_are_joined_at_multiples_of_4)
{
    memset(f.m.ram + (7 << 20), 0xee, 1 << 20); /* as after a reboot */
    boot_fixture_initrd(&f, "abcde", 5);
    boot_fixture_initrd(&f, "12345678", 8);
    boot_fixture_initrd(&f, "Z", 1);
    cr_assert_eq(load(), 0);
    cr_expect_eq(get_le32(params() + 0x21c), 17);
    cr_expect_arr_eq(ram(get_le32(params() + 0x218)),
                     "abcde\0\0\0"
                     "12345678"
                     "Z",
                     17);
}

Test(bzimage, initrd_that_just_fits_and_one_byte_more)
{
    const size_t room = (8 << 20) - 0x210000;
    uint8_t *bytes = calloc(1, room + 1);
    bytes[0] = 0x11;
    bytes[room - 1] = 0x22;
    boot_fixture_initrd(&f, bytes, room);
    cr_assert_eq(load(), 0, "%s", f.e.what);
    cr_expect_eq(get_le32(params() + 0x218), 0x210000);
    cr_expect_eq(*ram((8 << 20) - 1), 0x22);
    memory_file_set(&f.initrd[0], bytes, room + 1);
    expect_error("do not fit behind the kernel");
    cr_expect(strstr(f.e.what, "--memory has 8 MiB") != NULL, "%s", f.e.what);
    free(bytes);
}

static uint8_t *add_high_ram(struct region *region, uint64_t size)
{
    uint8_t *host = calloc(1, size);
    region_init_ram(region, f.m.topo, "high", size, host);
    cr_assert_eq(region_add(&f.m.mem_root, PC_HIGH_RAM_GPA, region, 0), 0);
    f.map.areas[f.map.count++] = (struct mem_area){PC_HIGH_RAM_GPA, size, MEM_RAM};
    f.req.map_count = f.map.count;
    return host;
}

Test(bzimage, initrd_goes_above_4g_only_if_the_kernel_allows_it)
{
    const size_t size = 7 << 20;
    struct region region;
    uint8_t *host = add_high_ram(&region, 16 << 20);
    uint8_t *bytes = malloc(size);
    memset(bytes, 0x5a, size);
    boot_fixture_initrd(&f, bytes, size);
    expect_error("do not fit behind the kernel");
    put_le16(k.bytes + 0x236, 3);
    cr_assert_eq(load(), 0, "%s", f.e.what);
    cr_expect_eq(get_le32(params() + 0x218), 9 << 20);
    cr_expect_eq(get_le32(params() + 0x0c0), 1);
    cr_expect_eq(get_le32(params() + 0x21c), size);
    cr_expect_eq(get_le32(params() + 0x0c4), 0);
    cr_expect_eq(memcmp(host + (9 << 20), bytes, size), 0);
    region_fini(&region);
    free(bytes);
    free(host);
}

Test(bzimage, initrd_errors_name_the_initrd)
{
    boot_fixture_initrd(&f, "ok", 2);
    f.req.initrd_count = 2;
    f.initrds[1] = "/nonexistent/initrd";
    expect_error("initrd /nonexistent/initrd");
    f.initrds[1] = "/proc";
    expect_error("initrd /proc: is a directory");
    f.req.initrd_count = 1;
}
