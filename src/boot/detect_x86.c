/*
 * What a kernel file for x86 is, by its first bytes. Whatever nobody recognises
 * is a real-mode image.
 */
#include "src/base/le.h"
#include "src/boot/loader.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>

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
    return detect_foreign_elf(l, big_endian, machine);
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

static int detect(struct loader *l, int (**load)(struct loader *l))
{
    if (detect_bytes(l, 0x1fe, "\x55\xaa", 2) && detect_bytes(l, 0x202, "HdrS", 4)) {
        *load = load_bzimage;
        return 0;
    }
    if (detect_bytes(l, 0, ELFMAG, SELFMAG)) {
        return detect_elf(l, load);
    }
    if (multiboot_find_header(l->head, l->head_len) >= 0) {
        *load = load_multiboot;
        return 0;
    }
    *load = load_flat;
    return detect_other(l);
}

const struct boot_arch boot_x86 = {
    .name = "x86-64",
    .kernels = "a bzImage, vmlinux, multiboot or real-mode image",
    .detect = detect,
};
