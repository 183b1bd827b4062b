/* Kernels for arm64: Image, packed Image, flat image; what else it may be; initrd and device tree.
 */
#include "src/mem/dma.h"
#include "tests/unit/boot_fixture.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define MIB      0x100000ULL
#define RAM      0x40000000ULL
#define RAM_SIZE (8 * MIB)
#define FDT_SIZE (2 * MIB)
#define OLD      0x80000ULL /* text_offset of old kernels, and of flat images */

#define FILE_SIZE  0x2000
#define IMAGE_SIZE 0x3000ULL
#define PE         0x40

static struct boot_fixture f;
static struct region alias;
static struct test_kernel k;

/* The fixture's RAM where the virt machine has it. */
static void start(void)
{
    boot_fixture_init(&f, RAM_SIZE / MIB);
    region_init_alias(&alias, f.m.topo, "ram", RAM_SIZE, &f.m.ram_region, 0);
    cr_assert_eq(region_add(&f.m.mem_root, RAM, &alias, 0), 0);
    f.req.arch = &boot_arm64;
    f.req.map_count = 0;
    f.req.ram_base = RAM;
    f.req.low_ram_end = RAM + RAM_SIZE;

    memset(&k, 0, sizeof(k));
    k.len = FILE_SIZE;
    for (size_t i = 64; i < k.len; i++) {
        k.bytes[i] = (uint8_t)(i * 7 + (i >> 8));
    }
    memcpy(k.bytes, "\x4d\x5a\x00\x91", 4); /* MZ, which is an instruction too */
    put_le64(k.bytes + 16, IMAGE_SIZE);
    put_le64(k.bytes + 24, 0xa);
    memcpy(k.bytes + 56, "ARM\x64", 4);
    put_le32(k.bytes + 60, PE);
    memcpy(k.bytes + PE, "PE\0\0", 4);
    put_le16(k.bytes + PE + 6, 0); /* no sections */
}

static void stop(void)
{
    region_fini(&alias);
    boot_fixture_free(&f);
}

TestSuite(linux_arm64, .init = start, .fini = stop);

static const uint8_t *ram(uint64_t gpa)
{
    cr_assert(gpa >= RAM && gpa < RAM + RAM_SIZE);
    return f.m.ram + (gpa - RAM);
}

static int load(void)
{
    return boot_fixture_load(&f, k.bytes, k.len);
}

static void expect_error(const char *text)
{
    boot_expect_error(&f, k.bytes, k.len, text);
}

static void expect_loaded_at(uint64_t gpa)
{
    cr_expect_eq(f.entry.ip, gpa);
    cr_expect_arr_eq(ram(gpa), k.bytes, k.len);
    cr_expect_eq(*ram(gpa + k.len), 0);
}

/* --- Image ------------------------------------------------------------------ */

Test(linux_arm64, an_image_is_loaded_by_its_header)
{
    static const uint64_t offsets[] = {0, 0x1000, OLD, 3 * MIB};
    for (size_t i = 0; i < ARRAY_LEN(offsets); i++) {
        put_le64(k.bytes + 8, offsets[i]);
        cr_assert_eq(load(), 0, "%s", f.e.what);
        expect_loaded_at(RAM + offsets[i]);
        cr_expect_eq(f.entry.format, BOOT_IMAGE);
        cr_expect_eq(f.entry.fdt, RAM + RAM_SIZE - FDT_SIZE);
        cr_expect_eq(f.entry.fdt_max, FDT_SIZE);
        cr_expect_eq(f.entry.initrd_size, 0);
    }
}

Test(linux_arm64, before_3_17_an_image_has_no_size_and_a_fixed_offset)
{
    put_le64(k.bytes + 8, 0x1000);
    put_le64(k.bytes + 16, 0);
    cr_assert_eq(load(), 0, "%s", f.e.what);
    expect_loaded_at(RAM + OLD);
}

Test(linux_arm64, headers_that_cannot_be)
{
    k.bytes[24] |= 1;
    expect_error("is a big-endian arm64 kernel");
    cr_expect_not_null(strstr(f.e.hint, "CONFIG_CPU_BIG_ENDIAN"));
    k.bytes[24] &= 0xfe;
    put_le64(k.bytes + 8, 2);
    expect_error("header makes no sense");
}

Test(linux_arm64, an_image_that_does_not_fit_says_what_it_needs)
{
    static const struct {
        uint64_t offset, size;
    } cases[] = {
        {0, RAM_SIZE},
        {0, RAM_SIZE - FDT_SIZE + 1}, /* no room for the device tree */
        {0, RAM_SIZE - 2 * FDT_SIZE + 1 + 2 * MIB},
        {RAM_SIZE, IMAGE_SIZE},
        {RAM_SIZE - 0x1000, IMAGE_SIZE},
        {0, UINT64_MAX},
        {UINT64_MAX - 3, IMAGE_SIZE},
        {UINT64_MAX - 3, 8},
        {1ULL << 63, 1ULL << 63},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        put_le64(k.bytes + 8, cases[i].offset);
        put_le64(k.bytes + 16, cases[i].size);
        expect_error("MiB of memory, --memory has 8 MiB");
        expect_error("try --memory");
    }
    put_le64(k.bytes + 8, 0);
    put_le64(k.bytes + 16, RAM_SIZE - FDT_SIZE);
    cr_expect_eq(load(), 0, "%s", f.e.what);
}

Test(linux_arm64, the_section_table_shows_a_cut)
{
    put_le16(k.bytes + PE + 6, 2);
    put_le16(k.bytes + PE + 20, 0x40);
    uint8_t *section = k.bytes + PE + 24 + 0x40;
    put_le32(section + 16, 0x1000);
    put_le32(section + 20, 0x1000);
    put_le32(section + 40 + 16, 0x400);
    put_le32(section + 40 + 20, 0x1800);
    cr_expect_eq(load(), 0, "%s", f.e.what);
    k.len--;
    expect_error("truncated, its header promises 8192 bytes, there are 8191");
    put_le32(section + 16, UINT32_MAX);
    put_le32(section + 20, UINT32_MAX);
    expect_error("truncated, its header promises 8589934590 bytes");
    put_le16(k.bytes + PE + 6, UINT16_MAX); /* most of them beyond what is looked at */
    expect_error("truncated");
    put_le32(k.bytes + 60, UINT32_MAX); /* Linux does not need it */
    cr_expect_eq(load(), 0, "%s", f.e.what);
}

Test(linux_arm64, a_command_line_that_the_kernel_would_cut)
{
    char line[2049];
    memset(line, 'x', sizeof(line));
    line[2047] = '\0';
    f.req.cmdline = line;
    cr_expect_eq(load(), 0, "%s", f.e.what);
    line[2047] = 'x';
    line[2048] = '\0';
    expect_error("takes a command line of 2047 bytes, this one has 2048");
}

/* --- flat ----------------------------------------------------------------------- */

Test(linux_arm64, whatever_nobody_knows_is_flat)
{
    memset(k.bytes, 0x1f, 64);
    f.req.cmdline = NULL; /* it is not for these */
    cr_assert_eq(load(), 0, "%s", f.e.what);
    expect_loaded_at(RAM + OLD);
    cr_expect_eq(f.entry.format, BOOT_FLAT);
    cr_expect_eq(f.entry.fdt, RAM + RAM_SIZE - FDT_SIZE, "far from what it may use");
    cr_expect_eq(f.entry.fdt_copy, RAM, "where firmware looks");
    cr_expect_eq(f.entry.fdt_max, OLD);
    k.len = 1;
    cr_expect_eq(load(), 0, "%s", f.e.what);
}

Test(linux_arm64, a_flat_image_may_fill_ram)
{
    const size_t most = RAM_SIZE - OLD;
    uint8_t *big = calloc(1, most + 1);
    big[0] = 0xff;
    big[most - 1] = 0x99;
    cr_expect_eq(boot_fixture_load(&f, big, most), 0, "%s", f.e.what);
    cr_expect_eq(*ram(RAM + RAM_SIZE - 1), 0x99);
    boot_expect_error(&f, big, most + 1, "--memory has 8 MiB");
    free(big);
}

/* --- files for something else ----------------------------------------------------- */

Test(linux_arm64, other_files_are_named)
{
    struct test_kernel x;
    make_bzimage(&x);
    boot_expect_error(&f, x.bytes, x.len, "is an x86 Linux bzImage");
    boot_expect_error(&f, x.bytes, x.len, "arm64 here");
    make_elf(&x);
    boot_expect_error(&f, x.bytes, x.len, "ELF file for x86-64");
    make_multiboot_elf(&x);
    boot_expect_error(&f, x.bytes, x.len, "ELF file for 32-bit x86");
    make_elf(&x);
    put_le16(x.bytes + 18, EM_ARM);
    boot_expect_error(&f, x.bytes, x.len, "ELF file for 32-bit Arm");
    put_le16(x.bytes + 18, EM_AARCH64);
    boot_expect_error(&f, x.bytes, x.len, "vmm takes the Image made from it");
    boot_expect_error(&f, x.bytes, x.len, "objcopy -O binary");
    put_le16(x.bytes + 18, EM_AARCH64 << 8);
    x.bytes[EI_DATA] = ELFDATA2MSB;
    boot_expect_error(&f, x.bytes, x.len, "is a big-endian ELF file for arm64");
    boot_expect_error(&f, x.bytes, x.len, "CONFIG_CPU_BIG_ENDIAN");
    boot_expect_error(&f, x.bytes, 4, "ELF");
    memset(&x, 0x11, sizeof(x));
    memcpy(x.bytes + 0x24, "\x18\x28\x6f\x01", 4);
    boot_expect_error(&f, x.bytes, 0x200, "32-bit Arm Linux zImage");
    memcpy(x.bytes + 0x38, "RSC\x05", 4);
    boot_expect_error(&f, x.bytes, 0x200, "RISC-V");
    memcpy(x.bytes, "\xd0\x0d\xfe\xed", 4);
    memset(x.bytes + 0x24, 0, 0x20);
    boot_expect_error(&f, x.bytes, 0x200, "device tree");
    memcpy(x.bytes, "\x28\xb5\x2f\xfd", 4);
    boot_expect_error(&f, x.bytes, 0x200, "an Image, Image.gz or flat image");
}

/* --- packed -------------------------------------------------------------------------- */

/* gzip data of len bytes; returns its size. */
static size_t pack(const uint8_t *bytes, size_t len, uint8_t *out, size_t room)
{
    z_stream z = {0};
    cr_assert_eq(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS | 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (uint8_t *)(uintptr_t)bytes;
    z.avail_in = (uInt)len;
    z.next_out = out;
    z.avail_out = (uInt)room;
    cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return room - z.avail_out;
}

static uint8_t packed[0x8000];

static size_t pack_kernel(void)
{
    return pack(k.bytes, k.len, packed, sizeof(packed));
}

Test(linux_arm64, a_packed_image_is_as_the_plain_one)
{
    put_le64(k.bytes + 8, 0x1000);
    const size_t len = pack_kernel();
    cr_assert_eq(boot_fixture_load(&f, packed, len), 0, "%s", f.e.what);
    expect_loaded_at(RAM + 0x1000);
    cr_expect_eq(f.entry.format, BOOT_IMAGE);
    cr_expect_eq(f.entry.fdt, RAM + RAM_SIZE - FDT_SIZE);
    memset(packed + len, 0xa5, 100);
    cr_expect_eq(boot_fixture_load(&f, packed, len + 100), 0, "what follows is not looked at");
}

Test(linux_arm64, a_packed_flat_image)
{
    memset(k.bytes, 0x1f, 64);
    cr_assert_eq(boot_fixture_load(&f, packed, pack_kernel()), 0, "%s", f.e.what);
    expect_loaded_at(RAM + OLD);
    k.len = 3; /* less than a header */
    cr_assert_eq(boot_fixture_load(&f, packed, pack_kernel()), 0, "%s", f.e.what);
    cr_expect_eq(f.entry.format, BOOT_FLAT);
}

Test(linux_arm64, packed_files_for_something_else)
{
    memcpy(k.bytes, "070701", 6);
    memset(k.bytes + 56, 0, 4);
    boot_expect_error(&f, packed, pack_kernel(), "cpio archive");
    memset(k.bytes, 0, 64);
    k.len = pack(k.bytes, k.len, k.bytes + 0x2000, 0x1000);
    memmove(k.bytes, k.bytes + 0x2000, k.len);
    boot_expect_error(&f, packed, pack_kernel(), "is compressed with gzip");
}

Test(linux_arm64, every_cut_of_a_packed_image_is_noticed)
{
    const size_t len = pack_kernel();
    for (size_t cut = 2; cut < len; cut += cut < 100 || cut > len - 100 ? 1 : 97) {
        boot_expect_error(&f, packed, cut, "truncated, its gzip data has no end");
    }
}

Test(linux_arm64, damage_of_a_packed_image_is_noticed)
{
    const size_t len = pack_kernel();
    for (size_t at = 10; at<len; at += at> len - 20 ? 1 : 61) {
        packed[at] ^= 0x10;
        cr_expect_lt(boot_fixture_load(&f, packed, len), 0, "at %zu", at);
        packed[at] ^= 0x10;
    }
    packed[len - 5] ^= 1; /* the checksum */
    boot_expect_error(&f, packed, len, "damaged, its gzip data cannot be unpacked");
}

/* The bytes of RAM from gpa on are as before. */
static void expect_untouched(uint64_t gpa)
{
    for (; gpa < RAM + RAM_SIZE; gpa++) {
        cr_assert_eq(*ram(gpa), 0, "0x%llx was written", (unsigned long long)gpa);
    }
}

Test(linux_arm64, a_bomb_goes_no_further_than_its_header_says)
{
    const size_t len = 32 * MIB;
    uint8_t *big = malloc(len), *out = malloc(MIB);
    memset(big, 0xd5, len);
    memcpy(big, k.bytes, 64);
    size_t small = pack(big, len, out, MIB);
    boot_expect_error(&f, out, small, "unpacks to more than the 12288 bytes its header says");
    expect_untouched(RAM + IMAGE_SIZE);
    put_le64(big + 16, 100); /* less than is looked at */
    small = pack(big, len, out, MIB);
    boot_expect_error(&f, out, small, "unpacks to more than the 100 bytes its header says");
    free(out);
    free(big);
}

Test(linux_arm64, a_bomb_without_a_size_goes_no_further_than_ram)
{
    const size_t len = 32 * MIB;
    uint8_t *big = malloc(len), *out = malloc(MIB);
    memset(big, 0xd5, len);
    size_t small = pack(big, len, out, MIB);
    boot_expect_error(&f, out, small, "unpacks to more than the 7864320 bytes there are for it");
    for (size_t i = 0; i < OLD; i++) {
        cr_assert_eq(f.m.ram[i], 0);
    }
    memcpy(big, k.bytes, 64);
    put_le64(big + 16, 0);
    small = pack(big, RAM_SIZE - OLD, out, MIB); /* fits, but nothing else does */
    boot_expect_error(&f, out, small, "MiB of memory, --memory has 8 MiB");
    free(out);
    free(big);
}

/* --- initrd and device tree ------------------------------------------------------------ */

static void add_initrd(size_t size)
{
    uint8_t *bytes = malloc(size);
    memset(bytes, 0x1d, size);
    boot_fixture_initrd(&f, bytes, size);
    free(bytes);
}

Test(linux_arm64, the_initrd_is_on_top_and_the_tree_below)
{
    add_initrd(0x1800);
    cr_assert_eq(load(), 0, "%s", f.e.what);
    cr_expect_eq(f.entry.initrd, RAM + RAM_SIZE - 0x2000);
    cr_expect_eq(f.entry.initrd_size, 0x1800);
    cr_expect_eq(f.entry.fdt, RAM + RAM_SIZE - 2 * FDT_SIZE);
    cr_expect_eq(*ram(f.entry.initrd), 0x1d);
    cr_expect_eq(*ram(f.entry.initrd + 0x17ff), 0x1d);
}

Test(linux_arm64, an_initrd_that_does_not_fit)
{
    add_initrd(5 * MIB);
    put_le64(k.bytes + 16, 2 * MIB);
    expect_error("6 MiB do not fit behind the kernel, which ends at 5 MiB; --memory has 8 MiB");
}

/* Whatever the sizes: refused, or nothing overlaps and all is in RAM. */
Test(linux_arm64, nothing_overlaps)
{
    unsigned loaded = 0, refused = 0;
    for (uint64_t initrd = 0x1000; initrd < RAM_SIZE; initrd += 0x155000) {
        memory_file_close(&f.initrd[0]);
        f.req.initrd_count = 0;
        add_initrd(initrd);
        for (uint64_t size = IMAGE_SIZE; size < RAM_SIZE; size += 0xff000) {
            put_le64(k.bytes + 16, size);
            if (load() < 0) {
                refused++;
                continue;
            }
            loaded++;
            cr_assert_leq(f.entry.ip + size, f.entry.fdt);
            cr_assert_leq(f.entry.fdt + FDT_SIZE, f.entry.initrd);
            cr_assert_leq(f.entry.initrd + initrd, RAM + RAM_SIZE);
            cr_assert_eq(f.entry.fdt % FDT_SIZE, 0);
        }
    }
    cr_expect_gt(loaded, 10);
    cr_expect_gt(refused, 10);
}

/* Nothing is written there: the RAM need not be real. */
Test(linux_arm64, the_tree_is_in_the_first_512_mib)
{
    f.req.low_ram_end = RAM + 6144 * MIB;
    cr_assert_eq(load(), 0, "%s", f.e.what);
    cr_expect_eq(f.entry.fdt, RAM + 510 * MIB);
    put_le64(k.bytes + 16, 600 * MIB); /* but not in the kernel */
    cr_assert_eq(load(), 0, "%s", f.e.what);
    cr_expect_eq(f.entry.fdt, RAM + 6142 * MIB);
}

/* --- fuzz ---------------------------------------------------------------------------------- */

Test(linux_arm64, damaged_files_load_or_are_refused)
{
    uint64_t rng = 0x2545f4914f6cdd1d;
    unsigned refused = 0;
    add_initrd(100);
    const struct test_kernel whole = k;
    for (unsigned i = 0; i < 1500; i++) {
        k = whole;
        for (unsigned n = 0; n < 3; n++) {
            rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
            k.bytes[(rng >> 33) % 0x100] = (uint8_t)(rng >> 56);
        }
        const bool pack_it = i % 3 == 0;
        size_t len = pack_it ? pack_kernel() : k.len;
        if (pack_it && i % 2 == 0) {
            packed[(rng >> 20) % len] ^= (uint8_t)(rng >> 40);
        }
        if (boot_fixture_load(&f, pack_it ? packed : k.bytes, len) < 0) {
            refused++;
            cr_assert_neq(f.e.what[0], '\0');
        } else {
            cr_assert(f.entry.ip >= RAM && f.entry.ip < RAM + RAM_SIZE);
            cr_assert(f.entry.fdt >= RAM && f.entry.fdt + f.entry.fdt_max <= RAM + RAM_SIZE);
        }
    }
    cr_expect_gt(refused, 100);
}
