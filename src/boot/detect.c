/*
 * What a kernel file is instead of a kernel, by its first bytes, so that the
 * message helps. Whatever nobody recognises may be a flat image.
 */
#include "src/boot/loader.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

enum hint {
    HINT_NONE,
    HINT_ARCH,    /* runs on another architecture */
    HINT_UNPACK,  /* a kernel, perhaps, when unpacked */
    HINT_KERNELS, /* what would be taken */
    HINT_DISK,
    HINT_INITRD,
};

/* A file that some other program takes. Order matters: MZ begins several. */
struct known_file {
    size_t offset;
    const char *magic;
    size_t magic_len;
    const char *what;
    enum hint hint;
};

#define MAGIC(text) text, sizeof(text) - 1

static const struct known_file known_files[] = {
    {0x38, MAGIC("ARMd"), "is an arm64 Linux Image", HINT_ARCH},
    {0x38, MAGIC("RSC\x05"), "is a RISC-V Linux Image", HINT_ARCH},
    {0x24, MAGIC("\x18\x28\x6f\x01"), "is a 32-bit Arm Linux zImage", HINT_ARCH},
    {0, MAGIC("\x27\x05\x19\x56"), "is a U-Boot image", HINT_KERNELS},
    {0, MAGIC("\xd0\x0d\xfe\xed"), "is a device tree or U-Boot FIT image", HINT_KERNELS},
    {4, MAGIC("zimg"), "is a compressed EFI image (EFI zboot)", HINT_UNPACK},
    {0, MAGIC("MZ"), "is an EFI or Windows program, not a Linux kernel", HINT_KERNELS},
    {0, MAGIC("\x1f\x8b"), "is compressed with gzip", HINT_UNPACK},
    {0,
     MAGIC("\xfd"
           "7zXZ"),
     "is compressed with xz", HINT_UNPACK},
    {0, MAGIC("\x28\xb5\x2f\xfd"), "is compressed with zstd", HINT_UNPACK},
    {0, MAGIC("\x02\x21\x4c\x18"), "is compressed with lz4", HINT_UNPACK},
    {0, MAGIC("\x04\x22\x4d\x18"), "is compressed with lz4", HINT_UNPACK},
    {0, MAGIC("BZh"), "is compressed with bzip2", HINT_UNPACK},
    {0, MAGIC("07070"), "is a cpio archive, an initrd perhaps", HINT_INITRD},
    {0, MAGIC("QFI\xfb"), "is a qcow2 disk image", HINT_DISK},
    {0x200, MAGIC("EFI PART"), "is a disk image (GPT)", HINT_DISK},
    {0x438, MAGIC("\x53\xef"), "is an ext2, ext3 or ext4 filesystem", HINT_DISK},
    {0, MAGIC("hsqs"), "is a squashfs filesystem", HINT_DISK},
    {0, MAGIC("!<arch>\n"), "is an archive of object files or a Debian package", HINT_NONE},
};

static const struct {
    uint16_t machine;
    const char *name;
} elf_machines[] = {
    {EM_386, "32-bit x86"},       {EM_X86_64, "x86-64"}, {EM_ARM, "32-bit Arm"},
    {EM_AARCH64, "arm64"},        {EM_RISCV, "RISC-V"},  {EM_PPC, "PowerPC"},
    {EM_PPC64, "64-bit PowerPC"}, {EM_MIPS, "MIPS"},     {EM_S390, "s390"},
    {EM_SPARCV9, "64-bit SPARC"}, {258, "LoongArch"},
};

void detect_hint_arch(struct loader *l)
{
    err_hint(l->e, "vmm runs guests of the host's architecture, %s here", l->req->arch->name);
}

static void give_hint(struct loader *l, enum hint hint)
{
    switch (hint) {
    case HINT_NONE:
        break;
    case HINT_ARCH:
        detect_hint_arch(l);
        break;
    case HINT_UNPACK:
        err_hint(l->e, "unpack it first; vmm takes %s", l->req->arch->kernels);
        break;
    case HINT_KERNELS:
        err_hint(l->e, "pass %s", l->req->arch->kernels);
        break;
    case HINT_DISK:
        err_hint(l->e, "pass it with --disk, and a kernel with --kernel");
        break;
    case HINT_INITRD:
        err_hint(l->e, "pass it with --initrd, and a kernel with --kernel");
        break;
    }
}

bool detect_bytes(const struct loader *l, size_t offset, const char *bytes, size_t len)
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

int detect_other(struct loader *l)
{
    for (size_t i = 0; i < sizeof(known_files) / sizeof(known_files[0]); i++) {
        const struct known_file *k = &known_files[i];
        if (detect_bytes(l, k->offset, k->magic, k->magic_len)) {
            int rc = loader_err(l, ENOEXEC, "%s", k->what);
            give_hint(l, k->hint);
            return rc;
        }
    }
    if (is_text(l)) {
        return loader_err(l, ENOEXEC, "is a text file");
    }
    return 0;
}

int detect_foreign_elf(struct loader *l, bool big_endian, unsigned machine)
{
    const char *name = "another architecture";
    for (size_t i = 0; i < sizeof(elf_machines) / sizeof(elf_machines[0]); i++) {
        if (elf_machines[i].machine == machine) {
            name = elf_machines[i].name;
        }
    }
    int rc = loader_err(l, ENOEXEC, "is %s ELF file for %s (machine %u)",
                        big_endian ? "a big-endian" : "an", name, machine);
    detect_hint_arch(l);
    return rc;
}
