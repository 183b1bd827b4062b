/*
 * What a kernel file is, by its first bytes; and what it is instead, so that
 * the message helps. Whatever nobody recognises is a real-mode image.
 */
#include "src/base/le.h"
#include "src/boot/loader.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

/* A file that some other program takes. Order matters: MZ begins several. */
struct known_file {
    size_t offset;
    const char *magic;
    size_t magic_len;
    const char *what;
    const char *hint; /* NULL: none */
};

#define MAGIC(text) text, sizeof(text) - 1

static const char hint_arch[] = "vmm runs guests of the host's architecture, x86-64 here";
static const char hint_unpack[] =
    "unpack it first; vmm takes a bzImage as the distribution ships it";
static const char hint_disk[] = "pass it with --disk, and a kernel with --kernel";
static const char hint_initrd[] = "pass it with --initrd, and a kernel with --kernel";

static const struct known_file known_files[] = {
    {0x38, MAGIC("ARMd"), "is an arm64 Linux Image", hint_arch},
    {0x38, MAGIC("RSC\x05"), "is a RISC-V Linux Image", hint_arch},
    {0x24, MAGIC("\x18\x28\x6f\x01"), "is a 32-bit Arm Linux zImage", hint_arch},
    {0, MAGIC("\x27\x05\x19\x56"), "is a U-Boot image", hint_arch},
    {0, MAGIC("\xd0\x0d\xfe\xed"), "is a device tree or U-Boot FIT image", hint_arch},
    {4, MAGIC("zimg"), "is a compressed EFI image of another architecture", hint_arch},
    {0, MAGIC("MZ"), "is an EFI or Windows program, not a Linux kernel",
     "pass a bzImage, vmlinux, multiboot or real-mode image"},
    {0, MAGIC("\x1f\x8b"), "is compressed with gzip", hint_unpack},
    {0,
     MAGIC("\xfd"
           "7zXZ"),
     "is compressed with xz", hint_unpack},
    {0, MAGIC("\x28\xb5\x2f\xfd"), "is compressed with zstd", hint_unpack},
    {0, MAGIC("\x02\x21\x4c\x18"), "is compressed with lz4", hint_unpack},
    {0, MAGIC("\x04\x22\x4d\x18"), "is compressed with lz4", hint_unpack},
    {0, MAGIC("BZh"), "is compressed with bzip2", hint_unpack},
    {0, MAGIC("07070"), "is a cpio archive, an initrd perhaps", hint_initrd},
    {0, MAGIC("QFI\xfb"), "is a qcow2 disk image", hint_disk},
    {0x200, MAGIC("EFI PART"), "is a disk image (GPT)", hint_disk},
    {0x438, MAGIC("\x53\xef"), "is an ext2, ext3 or ext4 filesystem", hint_disk},
    {0, MAGIC("hsqs"), "is a squashfs filesystem", hint_disk},
    {0, MAGIC("!<arch>\n"), "is an archive of object files or a Debian package", NULL},
};

static const struct {
    uint16_t machine;
    const char *name;
} elf_machines[] = {
    {EM_386, "32-bit x86"}, {EM_ARM, "32-bit Arm"}, {EM_AARCH64, "arm64"},
    {EM_RISCV, "RISC-V"},   {EM_PPC, "PowerPC"},    {EM_PPC64, "64-bit PowerPC"},
    {EM_MIPS, "MIPS"},      {EM_S390, "s390"},      {EM_SPARCV9, "64-bit SPARC"},
    {258, "LoongArch"},
};

static bool has_bytes(const struct loader *l, size_t offset, const char *bytes, size_t len)
{
    return offset + len <= l->head_len && memcmp(l->head + offset, bytes, len) == 0;
}

/* Printable ASCII and white space throughout: not a program. */
static bool is_text(const struct loader *l)
{
    for (size_t i = 0; i < l->head_len; i++) {
        const uint8_t c = l->head[i];
        if ((c < 0x20 || c > 0x7e) && c != '\n' && c != '\t' && c != '\r') {
            return false;
        }
    }
    return true;
}

static int reject_known(struct loader *l)
{
    for (size_t i = 0; i < sizeof(known_files) / sizeof(known_files[0]); i++) {
        const struct known_file *k = &known_files[i];
        if (has_bytes(l, k->offset, k->magic, k->magic_len)) {
            int rc = loader_err(l, ENOEXEC, "%s", k->what);
            if (k->hint != NULL) {
                err_hint(l->e, "%s", k->hint);
            }
            return rc;
        }
    }
    if (is_text(l)) {
        return loader_err(l, ENOEXEC, "is a text file");
    }
    return 0;
}

static int check_elf_machine(struct loader *l)
{
    if (l->head_len < offsetof(Elf32_Ehdr, e_phoff)) {
        return loader_err(l, ENOEXEC, "truncated inside its ELF header");
    }
    const uint8_t *field = l->head + offsetof(Elf32_Ehdr, e_machine);
    const bool big_endian = l->head[EI_DATA] == ELFDATA2MSB;
    const uint16_t machine = big_endian ? (uint16_t)(field[0] << 8 | field[1]) : get_le16(field);
    const uint8_t class = l->head[EI_CLASS];
    if (!big_endian && ((machine == EM_X86_64 && class == ELFCLASS64) ||
                        (machine == EM_386 && class == ELFCLASS32))) {
        return 0;
    }
    const char *name = "another architecture";
    for (size_t i = 0; i < sizeof(elf_machines) / sizeof(elf_machines[0]); i++) {
        if (elf_machines[i].machine == machine) {
            name = elf_machines[i].name;
        }
    }
    int rc = loader_err(l, ENOEXEC, "is an ELF file for %s (machine %u)", name, machine);
    err_hint(l->e, "%s", hint_arch);
    return rc;
}

static int detect_elf(struct loader *l, int (**load)(struct loader *l))
{
    int rc = check_elf_machine(l);
    if (rc < 0) {
        return rc;
    }
    /* Multiboot has no 64-bit ELF files; one with its own addresses is taken as flat. */
    const long header = multiboot_find_header(l->head, l->head_len);
    const bool as_multiboot =
        header >= 0 &&
        (l->head[EI_CLASS] == ELFCLASS32 || get_le32(l->head + header + 4) & MULTIBOOT_HAS_ADDRESS);
    *load = as_multiboot ? load_multiboot : load_elf;
    return 0;
}

int detect_format(struct loader *l, int (**load)(struct loader *l))
{
    if (has_bytes(l, 0x1fe, "\x55\xaa", 2) && has_bytes(l, 0x202, "HdrS", 4)) {
        *load = load_bzimage;
        return 0;
    }
    if (has_bytes(l, 0, ELFMAG, SELFMAG)) {
        return detect_elf(l, load);
    }
    if (multiboot_find_header(l->head, l->head_len) >= 0) {
        *load = load_multiboot;
        return 0;
    }
    *load = load_flat;
    return reject_known(l);
}
