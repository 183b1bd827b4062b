#include "tests/unit/boot_fixture.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* --- files ------------------------------------------------------------- */

void memory_file_init(struct memory_file *f, const void *bytes, size_t len)
{
    f->fd = memfd_create("test", MFD_CLOEXEC);
    cr_assert_geq(f->fd, 0);
    snprintf(f->path, sizeof(f->path), "/proc/self/fd/%d", f->fd);
    memory_file_set(f, bytes, len);
}

void memory_file_set(struct memory_file *f, const void *bytes, size_t len)
{
    cr_assert_eq(ftruncate(f->fd, 0), 0);
    cr_assert_eq(pwrite(f->fd, bytes, len, 0), (ssize_t)len);
}

void memory_file_close(struct memory_file *f)
{
    close(f->fd);
}

/* --- fixture ----------------------------------------------------------- */

void boot_fixture_init(struct boot_fixture *f, unsigned ram_mib)
{
    memset(f, 0, sizeof(*f));
    fake_machine_init(&f->m, ram_mib);
    f->e = ERR_INIT;
    cr_assert_eq(memmap_init(&f->map, (uint64_t)ram_mib << 20, false, &f->e), 0);
    memory_file_init(&f->kernel, "", 0);
    f->req = (struct boot_request){
        .arch = &boot_x86,
        .kernel = f->kernel.path,
        .initrds = f->initrds,
        .cmdline = "console=ttyS0",
        .append = "user=yes",
        .mem = f->m.mem,
        .map = f->map.areas,
        .map_count = f->map.count,
        .low_ram_end = f->map.low_size,
        .rsdp = 0xe0000,
    };
}

void boot_fixture_free(struct boot_fixture *f)
{
    for (size_t i = 0; i < f->req.initrd_count; i++) {
        memory_file_close(&f->initrd[i]);
    }
    memory_file_close(&f->kernel);
    fake_machine_free(&f->m);
}

void boot_fixture_initrd(struct boot_fixture *f, const void *bytes, size_t len)
{
    const size_t n = f->req.initrd_count++;
    cr_assert_lt(n, BOOT_INITRDS_MAX);
    memory_file_init(&f->initrd[n], bytes, len);
    f->initrds[n] = f->initrd[n].path;
}

int boot_fixture_load(struct boot_fixture *f, const void *kernel, size_t len)
{
    memory_file_set(&f->kernel, kernel, len);
    f->e = ERR_INIT;
    return boot_load(&f->req, &f->entry, &f->e);
}

void boot_expect_error(struct boot_fixture *f, const void *kernel, size_t len, const char *text)
{
    cr_expect_lt(boot_fixture_load(f, kernel, len), 0, "loaded, wanted: %s", text);
    cr_expect(strstr(f->e.what, text) != NULL || strstr(f->e.hint, text) != NULL,
              "wanted \"%s\" in \"%s\" / \"%s\"", text, f->e.what, f->e.hint);
}

/* --- kernels ----------------------------------------------------------- */

void make_bzimage(struct test_kernel *k)
{
    memset(k, 0, sizeof(*k));
    uint8_t *b = k->bytes;
    b[0x1f1] = 1; /* setup sectors */
    put_le32(b + 0x1f4, BZ_CODE_SIZE / 16);
    put_le16(b + 0x1fe, 0xaa55);
    b[0x201] = 0x6a; /* header ends at 0x26c */
    memcpy(b + 0x202, "HdrS", 4);
    put_le16(b + 0x206, 0x020f);
    b[0x211] = 1;                        /* loaded high */
    put_le32(b + 0x22c, 0x7fffffff);     /* initrd_addr_max */
    put_le32(b + 0x230, 0x100000);       /* alignment */
    b[0x234] = 1;                        /* relocatable */
    put_le16(b + 0x236, 1);              /* 64-bit entry */
    put_le32(b + 0x238, 255);            /* command line */
    put_le64(b + 0x250, 0xbadbadbadbad); /* setup_data: the loader's */
    put_le64(b + 0x258, 0x200000);       /* pref_address */
    put_le32(b + 0x260, 0x10000);        /* init_size */
    memset(b + BZ_CODE_OFFSET, 0xc5, BZ_CODE_SIZE);
    k->len = BZ_CODE_OFFSET + BZ_CODE_SIZE;
}

static void put_phdr64(struct test_kernel *k, int n, uint32_t type, uint64_t offset, uint64_t paddr,
                       uint64_t filesz, uint64_t memsz)
{
    uint8_t *p = k->bytes + ELF_PHDR(n);
    put_le32(p, type);
    put_le64(p + 8, offset);
    put_le64(p + 16, paddr + 0xffffffff80000000); /* virtual: not used */
    put_le64(p + 24, paddr);
    put_le64(p + 32, filesz);
    put_le64(p + 40, memsz);
    put_le64(p + 48, 4);
}

void make_elf(struct test_kernel *k)
{
    memset(k, 0, sizeof(*k));
    uint8_t *b = k->bytes;
    memcpy(b,
           "\x7f"
           "ELF\x02\x01\x01",
           7); /* 64 bits, little-endian, version 1 */
    put_le16(b + 16, ET_EXEC);
    put_le16(b + 18, EM_X86_64);
    put_le64(b + 24, 0x100000); /* entry */
    put_le64(b + 32, ELF_PHDR(0));
    put_le16(b + 54, 56);
    put_le16(b + 56, 2);
    put_phdr64(k, 0, PT_LOAD, ELF_CODE_OFFSET, 0x100000, ELF_CODE_SIZE, 0x300);
    memset(b + ELF_CODE_OFFSET, 0xe1, ELF_CODE_SIZE);
    k->len = ELF_CODE_OFFSET + ELF_CODE_SIZE;
}

void make_elf_pvh(struct test_kernel *k)
{
    make_elf(k);
    put_phdr64(k, 1, PT_NOTE, ELF_NOTE_OFFSET, 0x100000, 40, 40);
    uint8_t *note = k->bytes + ELF_NOTE_OFFSET;
    put_le32(note, 4); /* another note first */
    put_le32(note + 4, 1);
    put_le32(note + 8, 1);
    memcpy(note + 12, "GNU", 4);
    note[16] = 0x77;
    note += 20;
    put_le32(note, 4);
    put_le32(note + 4, 4);
    put_le32(note + 8, 18);
    memcpy(note + 12, "Xen", 4);
    put_le32(note + 16, 0x100010);
}

void fix_multiboot(struct test_kernel *k, size_t offset)
{
    uint8_t *h = k->bytes + offset;
    put_le32(h, 0x1badb002);
    put_le32(h + 8, -(0x1badb002 + get_le32(h + 4)));
}

void make_multiboot_elf(struct test_kernel *k)
{
    memset(k, 0, sizeof(*k));
    uint8_t *b = k->bytes;
    memcpy(b,
           "\x7f"
           "ELF\x01\x01\x01",
           7);
    put_le16(b + 16, ET_EXEC);
    put_le16(b + 18, EM_386);
    put_le32(b + 24, 0x100000);
    put_le32(b + 28, 52);
    put_le16(b + 42, 32);
    put_le16(b + 44, 1);
    uint8_t *p = b + 52;
    put_le32(p, PT_LOAD);
    put_le32(p + 4, ELF_CODE_OFFSET);
    put_le32(p + 8, 0x100000);
    put_le32(p + 12, 0x100000);
    put_le32(p + 16, ELF_CODE_SIZE);
    put_le32(p + 20, 0x300);
    put_le32(b + MB_HEADER_OFFSET + 4, 3); /* page-aligned modules, memory information */
    fix_multiboot(k, MB_HEADER_OFFSET);
    memset(b + ELF_CODE_OFFSET, 0xe1, ELF_CODE_SIZE);
    k->len = ELF_CODE_OFFSET + ELF_CODE_SIZE;
}

void make_multiboot_flat(struct test_kernel *k)
{
    memset(k, 0, sizeof(*k));
    memset(k->bytes, 0xf1, MB_FLAT_SIZE);
    uint8_t *h = k->bytes + MB_FLAT_HEADER;
    put_le32(h + 4, 0x10000);
    put_le32(h + 12, 0x100000 + MB_FLAT_HEADER);
    put_le32(h + 16, 0x100000);
    put_le32(h + 20, 0); /* the whole file */
    put_le32(h + 24, 0x100000 + MB_FLAT_SIZE + MB_FLAT_BSS);
    put_le32(h + 28, 0x100080);
    fix_multiboot(k, MB_FLAT_HEADER);
    k->len = MB_FLAT_SIZE;
}
