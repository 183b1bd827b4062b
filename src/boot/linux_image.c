/*
 * Linux Images: the header that arm64 and RISC-V share, and where image, initrd and
 * device tree go; plain or packed by gzip. A file without the header is a flat image.
 *
 * Source: Linux Documentation/arch/arm64/booting.rst and
 * Documentation/riscv/boot-image-header.rst; Microsoft PE format (the section table of
 * an Image with EFI stub); RFC 1952 (gzip).
 */
#include "src/base/le.h"
#include "src/base/trace.h"
#include "src/boot/loader.h"
#include "src/mem/dma.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Offsets in the header. */
enum {
    IMAGE_TEXT_OFFSET = 8,
    IMAGE_SIZE = 16,
    IMAGE_FLAGS = 24,
    IMAGE_MAGIC = 56,
    IMAGE_PE = 60,
};

#define IMAGE_BIG_ENDIAN 1U

#define FDT_ALIGN 0x200000ULL /* and the most a tree may have */

/* A kernel in memory. */
struct layout {
    enum boot_format format;
    uint64_t gpa;
    uint64_t memory;   /* bytes it says it needs, with BSS; 0: it does not say */
    uint64_t file_end; /* bytes it has by its section table; 0: it has none */
};

/* --- the header ----------------------------------------------------------- */

bool linux_image_detect(const struct loader *l)
{
    return detect_bytes(l, IMAGE_MAGIC, l->req->arch->image->magic, 4);
}

/* Where the last section of an Image with EFI stub ends in the file; 0: not to be had. */
static uint64_t pe_end(const struct loader *l)
{
    enum {
        SECTION_COUNT = 6,
        OPTIONAL_SIZE = 20,
        HEADER = 24,
        SECTION = 40,
        RAW = 16,
        RAW_AT = 20
    };
    const uint64_t pe = get_le32(l->head + IMAGE_PE);
    uint64_t end = 0;
    if (!detect_bytes(l, 0, "MZ", 2) || pe > LOADER_HEAD_SIZE - HEADER ||
        !detect_bytes(l, pe, "PE\0\0", 4)) {
        return 0;
    }
    const unsigned count = get_le16(l->head + pe + SECTION_COUNT);
    uint64_t at = pe + HEADER + get_le16(l->head + pe + OPTIONAL_SIZE);
    for (unsigned i = 0; i < count && at + SECTION <= LOADER_HEAD_SIZE; i++, at += SECTION) {
        const uint64_t section_end =
            (uint64_t)get_le32(l->head + at + RAW) + get_le32(l->head + at + RAW_AT);
        end = section_end > end ? section_end : end;
    }
    return end;
}

/* --- where it goes ---------------------------------------------------------- */

static uint64_t align_up(uint64_t n, uint64_t align)
{
    return (n + align - 1) & ~(align - 1);
}

static int no_room(struct loader *l, uint64_t offset, uint64_t size)
{
    const uint64_t need = (offset >> 20) + (size >> 20) + 1 + (FDT_ALIGN >> 20);
    int rc = loader_err(l, ENOMEM, "needs %" PRIu64 " MiB of memory, --memory has %" PRIu64 " MiB",
                        need, loader_ram_mib(l));
    err_hint(l->e, "try --memory %" PRIu64 "M or more", need < 128 ? 128 : need * 2);
    return rc;
}

static int check_image(struct loader *l)
{
    const struct image_rules *rules = l->req->arch->image;
    if (get_le64(l->head + IMAGE_FLAGS) & IMAGE_BIG_ENDIAN) {
        int rc = loader_err(l, ENOEXEC, "is a big-endian %s kernel", l->req->arch->name);
        err_hint(l->e, "pass one built without CONFIG_CPU_BIG_ENDIAN");
        return rc;
    }
    if (get_le64(l->head + IMAGE_TEXT_OFFSET) % 4 != 0) {
        return loader_err(l, ENOEXEC, "its header makes no sense");
    }
    if (strlen(l->req->cmdline) > rules->cmdline_max) {
        return loader_err(l, E2BIG, "takes a command line of %u bytes, this one has %zu",
                          rules->cmdline_max, strlen(l->req->cmdline));
    }
    return 0;
}

/* From the head; file_size 0: unknown, it is packed. */
static int lay_out(struct loader *l, uint64_t file_size, struct layout *k)
{
    const struct image_rules *rules = l->req->arch->image;
    const uint64_t ram = l->req->low_ram_end - l->req->ram_base;
    uint64_t offset = rules->flat_offset, memory = file_size;
    *k = (struct layout){.format = BOOT_FLAT};
    if (linux_image_detect(l)) {
        int rc = check_image(l);
        if (rc < 0) {
            return rc;
        }
        k->format = BOOT_IMAGE;
        k->file_end = pe_end(l);
        k->memory = get_le64(l->head + IMAGE_SIZE);
        offset = k->memory != 0 ? get_le64(l->head + IMAGE_TEXT_OFFSET) : rules->old_offset;
        memory = k->memory > memory ? k->memory : memory;
    }
    if (offset > ram || memory > ram - offset) {
        return no_room(l, offset, memory);
    }
    k->gpa = l->req->ram_base + offset;
    return 0;
}

/* --- loading ----------------------------------------------------------------- */

/* The head is unpacked. What follows goes straight into RAM, as far as the kernel's own size, or
 * else RAM, goes. */
static int unpack(struct gunzip *gz, struct loader *l, const struct layout *k, uint64_t *size)
{
    const uint64_t room = k->memory != 0 ? k->memory : l->req->low_ram_end - k->gpa;
    uint8_t *ram = dma_ptr(l->req->mem, k->gpa, room, true);
    uint8_t beyond;
    uint64_t rest, more = l->head_len > room;
    if (ram == NULL) {
        return loader_err(l, ENOMEM, "no guest memory at 0x%" PRIx64, k->gpa);
    }
    trace(TRACE_boot_load, "kernel gpa 0x%" PRIx64 " at most %" PRIu64, k->gpa, room);
    if (more == 0) {
        memcpy(ram, l->head, l->head_len);
        int rc = gunzip(gz, ram + l->head_len, room - l->head_len, &rest);
        rc = rc < 0 ? rc : gunzip(gz, &beyond, 1, &more);
        if (rc < 0) {
            return rc;
        }
        *size = l->head_len + rest;
    }
    return more == 0
               ? 0
               : loader_err(l, ENOEXEC,
                            k->memory != 0
                                ? "unpacks to more than the %" PRIu64 " bytes its header says"
                                : "unpacks to more than the %" PRIu64 " bytes there are for it",
                            room);
}

static int load_packed(struct loader *l, struct layout *k, uint64_t *size)
{
    struct gunzip *gz = gunzip_start(l);
    uint64_t got;
    if (gz == NULL) {
        return -ENOMEM;
    }
    memset(l->head, 0, sizeof(l->head));
    int rc = gunzip(gz, l->head, sizeof(l->head), &got);
    l->head_len = got;
    rc = rc < 0 ? rc : l->req->arch->image->reject(l);
    rc = rc < 0 ? rc : lay_out(l, 0, k);
    rc = rc < 0 ? rc : unpack(gz, l, k, size);
    gunzip_end(gz);
    return rc;
}

static int load_plain(struct loader *l, struct layout *k, uint64_t *size)
{
    *size = l->kernel.size;
    int rc = lay_out(l, *size, k);
    return rc < 0 ? rc : image_load(&l->kernel, 0, l->req->mem, k->gpa, *size, l->e);
}

/*
 * The device tree of a flat image: nobody knows how much memory it uses behind its file, so high,
 * where x0 says; and, for firmware that looks nowhere else, at the start of RAM. In little RAM
 * only there.
 */
static void place_flat_tree(const struct loader *l, uint64_t kernel_end, uint64_t limit)
{
    struct boot_entry *entry = l->entry;
    const uint64_t high = limit & ~(FDT_ALIGN - 1);
    const bool room = high > kernel_end && high - kernel_end >= 2 * FDT_ALIGN;
    entry->fdt = room ? high - FDT_ALIGN : l->req->ram_base;
    entry->fdt_max = l->req->arch->image->flat_offset;
    entry->fdt_copy = room ? l->req->ram_base : 0;
}

/* Initrd and device tree around a kernel that ends at kernel_end: the initrd as high as it can be
 * below 4 GiB; below that the tree. */
static int place_rest(struct loader *l, const struct layout *k, uint64_t kernel_end)
{
    const struct image_rules *rules = l->req->arch->image;
    struct boot_entry *entry = l->entry;
    const uint64_t ram_end = l->req->low_ram_end;
    const uint64_t after =
        k->format == BOOT_FLAT ? kernel_end : align_up(kernel_end, FDT_ALIGN) + FDT_ALIGN;
    if (after > ram_end) {
        return no_room(l, k->gpa - l->req->ram_base, kernel_end - k->gpa);
    }
    const struct initrd_rule rule = {.floor = after, .max = ram_end - 1};
    int rc = initrd_load(l, &rule, &entry->initrd, &entry->initrd_size);
    if (rc < 0) {
        return rc;
    }
    uint64_t limit = entry->initrd_size != 0 ? entry->initrd : ram_end;
    if (limit > l->req->ram_base + rules->fdt_limit &&
        after <= l->req->ram_base + rules->fdt_limit) {
        limit = l->req->ram_base + rules->fdt_limit;
    }
    if (k->format == BOOT_FLAT) {
        place_flat_tree(l, kernel_end, limit);
    } else {
        entry->fdt = (limit & ~(FDT_ALIGN - 1)) - FDT_ALIGN;
        entry->fdt_max = FDT_ALIGN;
    }
    entry->format = k->format;
    entry->ip = k->gpa;
    return 0;
}

int load_linux_image(struct loader *l)
{
    struct layout k;
    uint64_t size = 0;
    int rc = gunzip_can(l) ? load_packed(l, &k, &size) : load_plain(l, &k, &size);
    if (rc < 0) {
        return rc;
    }
    if (k.file_end > size) {
        return loader_err(l, ENOEXEC,
                          "truncated, its header promises %" PRIu64 " bytes, there are %" PRIu64,
                          k.file_end, size);
    }
    return place_rest(l, &k, k.gpa + (k.memory > size ? k.memory : size));
}
