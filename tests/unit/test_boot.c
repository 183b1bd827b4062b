/* Detection: what a kernel file is, and what the message says when it is none. */
#include "src/arch/x86/map.h"
#include "src/mem/dma.h"
#include "tests/unit/boot_fixture.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct boot_fixture f;

static void start(void)
{
    boot_fixture_init(&f, 4);
}

static void stop(void)
{
    boot_fixture_free(&f);
}

TestSuite(boot, .init = start, .fini = stop);

static void expect_path_error(const char *path, const char *text)
{
    f.req.kernel = path;
    f.e = ERR_INIT;
    cr_expect_lt(boot_load(&f.req, &f.entry, &f.e), 0);
    cr_expect(strstr(f.e.what, text) != NULL, "wanted \"%s\" in \"%s\"", text, f.e.what);
    cr_expect(strstr(f.e.what, path) != NULL, "no file name in \"%s\"", f.e.what);
}

Test(boot, files_that_cannot_be_read)
{
    expect_path_error("/nonexistent/bzImage", "No such file");
    expect_path_error("/proc", "directory");
    expect_path_error("/dev/null", "not a regular file");
    expect_path_error(f.kernel.path, "empty");
}

Test(boot, no_permission)
{
    char path[] = "/tmp/vmm-boot-XXXXXX";
    const int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(fchmod(fd, 0), 0);
    if (geteuid() == 0) { /* root may read every file */
        cr_assert_eq(seteuid(65534), 0);
    }
    expect_path_error(path, "Permission denied");
    cr_assert_eq(seteuid(getuid()), 0);
    unlink(path);
    close(fd);
}

/* Files of other programs: magic at an offset in otherwise binary bytes. */
static const struct {
    size_t offset;
    const char *magic;
    size_t len;
    const char *text;
} others[] = {
    {0x38, "ARMd", 4, "arm64"},
    {0x24, "\x18\x28\x6f\x01", 4, "32-bit Arm"},
    {0x38, "RSC\x05", 4, "RISC-V"},
    {0, "MZ", 2, "EFI"},
    {0, "\x1f\x8b", 2, "gzip"},
    {0,
     "\xfd"
     "7zXZ",
     5, "xz"},
    {0, "\x28\xb5\x2f\xfd", 4, "zstd"},
    {0, "\x02\x21\x4c\x18", 4, "lz4"},
    {0, "BZh", 3, "bzip2"},
    {0, "070701", 6, "initrd"},
    {0, "QFI\xfb", 4, "qcow2"},
    {0x200, "EFI PART", 8, "disk image"},
    {0x438, "\x53\xef", 2, "ext4"},
};

Test(boot, other_files_are_named)
{
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        uint8_t file[0x600] = {[5] = 0xff};
        memcpy(file + others[i].offset, others[i].magic, others[i].len);
        boot_expect_error(&f, file, sizeof(file), others[i].text);
        /* The magic cut off by the end of the file is no match and no overrun. */
        size_t cut = others[i].offset + others[i].len - 1;
        if (cut > 5) {
            cr_expect_eq(boot_fixture_load(&f, file, cut), 0, "%s", others[i].text);
        }
    }
}

Test(boot, text_is_named)
{
    boot_expect_error(&f, "#!/bin/sh\necho hello\n", 21, "text file");
}

Test(boot, elf_of_other_machines)
{
    struct test_kernel k;
    make_elf(&k);
    put_le16(k.bytes + 18, EM_AARCH64);
    boot_expect_error(&f, k.bytes, k.len, "arm64");
    put_le16(k.bytes + 18, 0x1600); /* s390, as a big-endian file has it */
    k.bytes[EI_DATA] = ELFDATA2MSB;
    boot_expect_error(&f, k.bytes, k.len, "s390");
    make_elf(&k);
    put_le16(k.bytes + 18, 0x1234);
    boot_expect_error(&f, k.bytes, k.len, "machine 4660");
    make_elf(&k);
    k.bytes[EI_CLASS] = ELFCLASS32; /* x32 and the like */
    boot_expect_error(&f, k.bytes, k.len, "ELF file for");
}

Test(boot, elf32_needs_a_way_in)
{
    struct test_kernel k;
    make_multiboot_elf(&k);
    put_le32(k.bytes + MB_HEADER_OFFSET, 0);
    boot_expect_error(&f, k.bytes, k.len, "neither a PVH note nor a multiboot header");
}

Test(boot, flat_image_is_loaded_and_entered_at_7c00)
{
    uint8_t image[1000];
    uint8_t got[sizeof(image)];
    memset(image, 0xf4, sizeof(image));
    cr_assert_eq(boot_fixture_load(&f, image, sizeof(image)), 0);
    cr_expect_eq(f.entry.format, BOOT_FLAT);
    cr_expect_eq(f.entry.mode, BOOT_REAL16);
    cr_expect_eq(f.entry.ip, 0x7c00);
    cr_expect_eq(f.entry.gdt, 0);
    cr_assert_eq(dma_read(f.m.mem, 0x7c00, got, sizeof(got)), 0);
    cr_expect_arr_eq(got, image, sizeof(image));
}

Test(boot, boot_sector_is_a_flat_image)
{
    uint8_t image[512] = {0xfa, 0xf4, [510] = 0x55, [511] = 0xaa};
    cr_expect_eq(boot_fixture_load(&f, image, sizeof(image)), 0);
    cr_expect_eq(f.entry.format, BOOT_FLAT);
}

Test(boot, flat_image_must_end_below_the_ebda)
{
    static uint8_t image[PC_EBDA_GPA - PC_FLAT_LOAD_GPA + 1] = {0xfa, 0xf4};
    cr_expect_eq(boot_fixture_load(&f, image, sizeof(image) - 1), 0);
    boot_expect_error(&f, image, sizeof(image), "too large");
}

Test(boot, flat_image_takes_no_initrd)
{
    boot_fixture_initrd(&f, "x", 1);
    boot_expect_error(&f, "\xfa\xf4", 2, "takes no initrd");
}
