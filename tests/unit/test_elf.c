/* ELF kernels: segments, PVH, the 64-bit entry. */
#include "src/arch/x86/map.h"
#include "tests/unit/boot_fixture.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <string.h>

static struct boot_fixture f;
static struct test_kernel k;

static void start(void)
{
    boot_fixture_init(&f, 8);
    make_elf_pvh(&k);
}

static void stop(void)
{
    boot_fixture_free(&f);
}

TestSuite(elf, .init = start, .fini = stop);

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

static uint8_t *phdr(int n)
{
    return k.bytes + ELF_PHDR(n);
}

enum { P_TYPE = 0, P_OFFSET = 8, P_PADDR = 24, P_FILESZ = 32, P_MEMSZ = 40, P_ALIGN = 48 };

Test(elf, pvh_entry_state)
{
    cr_assert_eq(load(), 0, "%s", f.e.what);
    cr_expect_eq(f.entry.format, BOOT_ELF_PVH);
    cr_expect_eq(f.entry.mode, BOOT_PROT32);
    cr_expect_eq(f.entry.ip, 0x100010);
    cr_expect_eq(f.entry.bx, PC_BOOT_PARAMS_GPA);
    cr_expect_eq(get_le64(ram(f.entry.gdt + 0x10)), 0x00cf9b000000ffff);
    cr_expect_eq(*ram(0x100000), 0xe1);
    cr_expect_eq(*ram(0x100000 + ELF_CODE_SIZE - 1), 0xe1);
}

Test(elf, pvh_start_info)
{
    boot_fixture_initrd(&f, "module", 6);
    cr_assert_eq(load(), 0, "%s", f.e.what);
    const uint8_t *info = ram(f.entry.bx);
    cr_expect_eq(get_le32(info), 0x336ec578);
    cr_expect_eq(get_le32(info + 4), 1);
    cr_expect_str_eq((const char *)ram(get_le64(info + 24)), "console=ttyS0");
    cr_expect_eq(get_le64(info + 32), 0xe0000);
    cr_expect_eq(get_le32(info + 48), f.map.count);
    cr_assert_eq(get_le32(info + 12), 1);
    const uint8_t *module = ram(get_le64(info + 16));
    cr_expect_arr_eq(ram(get_le64(module)), "module", 6);
    cr_expect_eq(get_le64(module + 8), 6);
    for (size_t i = 0; i < f.map.count; i++) {
        const uint8_t *entry = ram(get_le64(info + 40)) + i * 24;
        cr_expect_eq(get_le64(entry), f.map.areas[i].gpa);
        cr_expect_eq(get_le64(entry + 8), f.map.areas[i].size);
        cr_expect_eq(get_le32(entry + 16), f.map.areas[i].type);
    }
}

Test(elf, pvh_without_initrd_has_no_module)
{
    cr_assert_eq(load(), 0);
    cr_expect_eq(get_le32(ram(f.entry.bx + 12)), 0);
    cr_expect_eq(get_le64(ram(f.entry.bx + 16)), 0);
}

Test(elf, pvh_entry_outside_the_segments)
{
    put_le32(k.bytes + ELF_NOTE_OFFSET + 36, 0x300000);
    expect_error("entry point 0x300000");
}

Test(elf, pvh_note_with_8_byte_alignment_and_descriptor)
{
    uint8_t *note = k.bytes + ELF_NOTE_OFFSET;
    memset(note, 0, 64);
    put_le32(note, 4);
    put_le32(note + 4, 1);
    memcpy(note + 12, "GNU", 4);
    note += 24; /* 12 + 4 + 1, up to a multiple of 8 */
    put_le32(note, 4);
    put_le32(note + 4, 8);
    put_le32(note + 8, 18);
    memcpy(note + 12, "Xen", 4);
    put_le64(note + 16, 0x100020);
    put_le64(phdr(1) + P_FILESZ, 48);
    put_le64(phdr(1) + P_ALIGN, 8);
    cr_assert_eq(load(), 0, "%s", f.e.what);
    cr_expect_eq(f.entry.ip, 0x100020);
}

/* Notes that lie about their sizes are as good as none: the ELF is entered through Linux's way. */
Test(elf, broken_notes_are_passed_over)
{
    const uint32_t sizes[] = {0x80000000, 0xffffffff, 0xfffffff0, 1000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (int field = 0; field < 8; field += 4) {
            make_elf_pvh(&k);
            put_le32(k.bytes + ELF_NOTE_OFFSET + field, sizes[i]);
            cr_assert_eq(load(), 0, "%s", f.e.what);
            cr_expect_eq(f.entry.format, BOOT_ELF_LINUX);
        }
    }
    make_elf_pvh(&k);
    put_le32(k.bytes + ELF_NOTE_OFFSET + 24, 2); /* a descriptor of 2 bytes is no entry */
    cr_assert_eq(load(), 0);
    cr_expect_eq(f.entry.format, BOOT_ELF_LINUX);
    for (uint64_t size = 0; size < 40; size++) { /* cut */
        make_elf_pvh(&k);
        put_le64(phdr(1) + P_FILESZ, size);
        cr_assert_eq(load(), 0);
        cr_expect_eq(f.entry.format, BOOT_ELF_LINUX);
    }
}

Test(elf, note_past_the_end_of_the_file)
{
    put_le64(phdr(1) + P_OFFSET, k.len - 4);
    expect_error("reaches past the end of the file");
    put_le64(phdr(1) + P_OFFSET, UINT64_MAX - 8);
    expect_error("reaches past the end of the file");
}

Test(elf, without_note_through_the_64_bit_entry)
{
    make_elf(&k);
    boot_fixture_initrd(&f, "initrd", 6);
    cr_assert_eq(load(), 0, "%s", f.e.what);
    cr_expect_eq(f.entry.format, BOOT_ELF_LINUX);
    cr_expect_eq(f.entry.mode, BOOT_LONG64);
    cr_expect_eq(f.entry.ip, 0x100000);
    cr_expect_eq(f.entry.si, PC_BOOT_PARAMS_GPA);
    const uint8_t *params = ram(PC_BOOT_PARAMS_GPA);
    cr_expect_arr_eq(params + 0x202, "HdrS", 4);
    cr_expect_eq(get_le16(params + 0x1fe), 0xaa55);
    cr_expect_geq(get_le16(params + 0x206), 0x020c);
    cr_expect_eq(params[0x1e8], f.map.count);
    cr_expect_arr_eq(ram(get_le32(params + 0x218)), "initrd", 6);
}

Test(elf, entry_outside_the_segments)
{
    make_elf(&k);
    put_le64(k.bytes + 24, 0x100300);
    expect_error("entry point 0x100300");
}

Test(elf, bss_is_cleared_unless_ram_is_known_to_be)
{
    memset(f.m.ram + 0x100000, 0xee, 0x400);
    f.req.ram_is_zero = false;
    cr_assert_eq(load(), 0);
    cr_expect_eq(*ram(0x100000 + ELF_CODE_SIZE), 0);
    cr_expect_eq(*ram(0x1002ff), 0);
    cr_expect_eq(*ram(0x100300), 0xee);
}

Test(elf, more_in_the_file_than_in_memory)
{
    put_le64(phdr(0) + P_MEMSZ, ELF_CODE_SIZE - 1);
    expect_error("more bytes in the file than in memory");
}

Test(elf, huge_or_wrapping_segments)
{
    put_le64(phdr(0) + P_MEMSZ, 1ULL << 62);
    expect_error("not RAM");
    put_le64(phdr(0) + P_MEMSZ, UINT64_MAX);
    expect_error("wraps");
    put_le64(phdr(0) + P_MEMSZ, 0x300);
    put_le64(phdr(0) + P_PADDR, UINT64_MAX - 0x2fe);
    expect_error("wraps");
    put_le64(phdr(0) + P_PADDR, UINT64_MAX - 0x2ff);
    expect_error("not RAM");
}

Test(elf, segment_past_the_end_of_ram)
{
    put_le64(phdr(0) + P_PADDR, (8 << 20) - 0x2ff);
    expect_error("--memory has 8 MiB");
    cr_expect(strstr(f.e.hint, "try --memory") != NULL);
    put_le64(phdr(0) + P_PADDR, (8 << 20) - 0x300);
    expect_error("entry point"); /* the segment itself is all right */
}

Test(elf, segment_past_the_end_of_the_file)
{
    put_le64(phdr(0) + P_OFFSET, k.len - ELF_CODE_SIZE + 1);
    expect_error("truncated");
    put_le64(phdr(0) + P_OFFSET, UINT64_MAX);
    expect_error("truncated");
}

Test(elf, segments_over_boot_tables)
{
    const uint64_t places[] = {0, 0x7c00, 0x2ffff, 0x9fb00, 0xe0000, 0xfff00};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        put_le64(phdr(0) + P_PADDR, places[i]);
        expect_error("boot tables");
    }
}

Test(elf, overlapping_segments)
{
    memcpy(phdr(1), phdr(0), 56);
    put_le64(phdr(1) + P_PADDR, 0x1002ff);
    expect_error("segments 0 and 1 overlap");
    put_le64(phdr(1) + P_PADDR, 0x100300);
    cr_expect_eq(load(), 0, "%s", f.e.what);
}

Test(elf, header_counts)
{
    put_le16(k.bytes + 56, 0);
    expect_error("0 program headers");
    put_le16(k.bytes + 56, 0xffff);
    expect_error("65535 program headers");
    put_le16(k.bytes + 56, 2);
    put_le16(k.bytes + 54, 8);
    expect_error("program headers of 8 bytes");
    put_le16(k.bytes + 54, 56);
    put_le64(k.bytes + 32, UINT64_MAX - 10);
    expect_error("truncated");
}

Test(elf, nothing_to_load)
{
    put_le32(phdr(0) + P_TYPE, PT_NULL);
    expect_error("no segment to load");
}

Test(elf, files_that_are_no_kernels)
{
    put_le16(k.bytes + 16, ET_REL);
    expect_error("object file");
    put_le16(k.bytes + 16, ET_CORE);
    expect_error("core dump");
    put_le16(k.bytes + 16, ET_DYN);
    put_le32(phdr(1), PT_INTERP);
    expect_error("program for an operating system");
}

Test(elf, cut_anywhere_is_an_error)
{
    for (size_t len = 4; len < k.len; len += len < 0x300 ? 1 : 61) {
        boot_expect_error(&f, k.bytes, len, "truncated");
    }
}

Test(elf, initrd_keeps_clear_of_the_kernel)
{
    static uint8_t bytes[7 << 20];
    boot_fixture_initrd(&f, bytes, sizeof(bytes)); /* would begin at 1 MiB */
    expect_error("do not fit behind the kernel");
    memory_file_set(&f.initrd[0], bytes, sizeof(bytes) - 4096);
    cr_expect_eq(load(), 0, "%s", f.e.what);
}
