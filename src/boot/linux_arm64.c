/*
 * Kernels for arm64: a Linux Image by its header, plain or packed by gzip, or a
 * flat image, which is anything else and may be packed too.
 *
 * A flat image is loaded 512 KiB into RAM, as QEMU's virt does with a file it
 * does not know. A copy of its device tree is at the start of RAM, where QEMU puts
 * it for firmware, so that a guest without regard for x0 finds it.
 *
 * Source: Linux Documentation/arch/arm64/booting.rst.
 */
#include "src/base/le.h"
#include "src/boot/loader.h"

#include <elf.h>
#include <errno.h>

static int reject_elf(struct loader *l)
{
    const bool big_endian = l->head[EI_DATA] == ELFDATA2MSB;
    const uint8_t *field = l->head + offsetof(Elf64_Ehdr, e_machine);
    const unsigned machine = big_endian ? field[0] << 8 | field[1] : get_le16(field);
    if (machine != EM_AARCH64 || big_endian) {
        int rc = detect_foreign_elf(l, big_endian, machine);
        if (machine == EM_AARCH64) {
            err_hint(l->e, "pass a kernel built without CONFIG_CPU_BIG_ENDIAN");
        }
        return rc;
    }
    int rc = loader_err(l, ENOEXEC, "is an ELF file, vmm takes the Image made from it");
    err_hint(l->e, "objcopy -O binary vmlinux Image; or pass the kernel the distribution ships");
    return rc;
}

/* What the head is not: a file for something else. */
static int reject_others(struct loader *l)
{
    if (detect_bytes(l, 0, ELFMAG, SELFMAG)) {
        return reject_elf(l);
    }
    if (detect_bytes(l, 0x1fe, "\x55\xaa", 2) && detect_bytes(l, 0x202, "HdrS", 4)) {
        int rc = loader_err(l, ENOEXEC, "is an x86 Linux bzImage");
        detect_hint_arch(l);
        return rc;
    }
    return linux_image_detect(l) ? 0 : detect_other(l);
}

static const struct image_rules rules = {
    .magic = "ARMd",
    .old_offset = 0x80000, /* before Linux 3.17, which has no image_size */
    .flat_offset = 0x80000,
    .fdt_limit = 0x20000000, /* before Linux 4.2: the tree is in the first 512 MiB */
    .cmdline_max = 2047,
    .reject = reject_others,
};

static int detect(struct loader *l, int (**loader)(struct loader *l))
{
    *loader = load_linux_image;
    return gunzip_can(l) ? 0 : reject_others(l);
}

const struct boot_arch boot_arm64 = {
    .name = "arm64",
    .kernels = "an Image, Image.gz or flat image",
    .detect = detect,
    .image = &rules,
};
