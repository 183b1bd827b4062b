/*
 * bzImage through the 64-bit entry of the Linux/x86 boot protocol. The file is
 * setup sectors (real-mode code we never run, with the setup header in them)
 * and the protected-mode part, which unpacks itself. Source: Linux
 * Documentation/arch/x86/boot.rst.
 */
#include "src/arch/x86/map.h"
#include "src/base/le.h"
#include "src/boot/loader.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Offsets in the file, and the same in boot_params. */
enum {
    HDR_START = 0x1f1,
    HDR_SETUP_SECTS = 0x1f1,
    HDR_SYSSIZE = 0x1f4, /* in units of 16 bytes */
    HDR_JUMP = 0x201,    /* the header ends this many bytes behind the jump */
    HDR_VERSION = 0x206,
    HDR_LOADER = 0x210,
    HDR_CODE32 = 0x214,
    HDR_INITRD_MAX = 0x22c,
    HDR_ALIGNMENT = 0x230,
    HDR_RELOCATABLE = 0x234,
    HDR_XLOADFLAGS = 0x236,
    HDR_CMDLINE_SIZE = 0x238,
    HDR_SETUP_DATA = 0x250,
    HDR_PREF_ADDRESS = 0x258,
    HDR_INIT_SIZE = 0x260,
    HDR_MIN_END = 0x264, /* of version 2.12 */
    HDR_MAX_END = 0x290, /* boot_params has other things from here */
};

#define VERSION_64BIT    0x020c
#define LOADER_UNDEFINED 0xff
#define XLF_KERNEL_64    1
#define XLF_ABOVE_4G     2
#define ENTRY64_OFFSET   0x200
#define SECTOR           512
#define PARAGRAPH        16

/* The parts of the setup header that decide where things go. */
struct bzimage {
    uint64_t code_offset, code_size; /* protected-mode part in the file */
    uint64_t pref_address, init_size, alignment;
    bool relocatable;
    uint16_t xloadflags;
    uint32_t initrd_max, cmdline_size;
    size_t header_end;
};

static int check_protocol(struct loader *l)
{
    const unsigned version = get_le16(l->head + HDR_VERSION);
    if (version < VERSION_64BIT) {
        return loader_err(l, ENOEXEC,
                          "speaks boot protocol %u.%02u, vmm needs 2.12 or later (Linux 3.8)",
                          version >> 8, version & 0xff);
    }
    if (!(get_le16(l->head + HDR_XLOADFLAGS) & XLF_KERNEL_64)) {
        int rc = loader_err(l, ENOEXEC, "is a 32-bit x86 kernel (it has no 64-bit entry)");
        err_hint(l->e, "pass a kernel built with CONFIG_64BIT");
        return rc;
    }
    return 0;
}

static int parse_header(struct loader *l, struct bzimage *bz)
{
    const uint8_t *h = l->head;
    if (l->head_len < HDR_MIN_END) {
        return loader_err(l, ENOEXEC, "truncated inside its setup header");
    }
    int rc = check_protocol(l);
    if (rc < 0) {
        return rc;
    }
    const uint64_t sectors = h[HDR_SETUP_SECTS] == 0 ? 4 : h[HDR_SETUP_SECTS];
    *bz = (struct bzimage){
        .code_offset = (sectors + 1) * SECTOR,
        .code_size = (uint64_t)get_le32(h + HDR_SYSSIZE) * PARAGRAPH,
        .pref_address = get_le64(h + HDR_PREF_ADDRESS),
        .init_size = get_le32(h + HDR_INIT_SIZE),
        .alignment = get_le32(h + HDR_ALIGNMENT),
        .relocatable = h[HDR_RELOCATABLE] != 0,
        .xloadflags = get_le16(h + HDR_XLOADFLAGS),
        .initrd_max = get_le32(h + HDR_INITRD_MAX),
        .cmdline_size = get_le32(h + HDR_CMDLINE_SIZE),
        .header_end = 0x202U + h[HDR_JUMP],
    };
    if (bz->header_end < HDR_MIN_END || bz->alignment == 0 ||
        (bz->alignment & (bz->alignment - 1)) != 0 || bz->code_size <= ENTRY64_OFFSET) {
        return loader_err(l, ENOEXEC, "its setup header makes no sense");
    }
    return 0;
}

/* The size field counts paragraphs: the file may end up to 15 bytes before. */
static int check_length(struct loader *l, struct bzimage *bz)
{
    const uint64_t size = l->kernel.size;
    const uint64_t want = bz->code_offset + bz->code_size;
    if (size + PARAGRAPH <= want) {
        return loader_err(l, ENOEXEC,
                          "truncated, its header promises %" PRIu64 " bytes, the file has %" PRIu64,
                          want, size);
    }
    if (size < want) {
        bz->code_size = size - bz->code_offset;
    }
    if (bz->init_size < bz->code_size) {
        bz->init_size = bz->code_size;
    }
    return 0;
}

/* Where the kernel would like to be, or else the lowest place it can move to. */
static int choose_address(struct loader *l, const struct bzimage *bz, uint64_t *gpa)
{
    const uint64_t end = l->req->low_ram_end;
    const uint64_t lowest = (PC_KERNEL_GPA + bz->alignment - 1) & ~(bz->alignment - 1);
    const uint64_t places[] = {bz->pref_address, bz->relocatable ? lowest : bz->pref_address};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (places[i] >= PC_KERNEL_GPA && places[i] <= end && bz->init_size <= end - places[i]) {
            *gpa = places[i];
            return 0;
        }
    }
    const uint64_t need = (places[1] >> 20) + (bz->init_size >> 20) + 1;
    int rc = loader_err(l, ENOMEM,
                        "needs %" PRIu64 " MiB of memory to unpack, --memory has %" PRIu64 " MiB",
                        need, loader_ram_mib(l));
    err_hint(l->e, "try --memory %" PRIu64 "M or more", need < 128 ? 128 : need * 2);
    return rc;
}

static void fill_header(const struct loader *l, const struct bzimage *bz, uint64_t gpa,
                        uint8_t *params)
{
    size_t end = bz->header_end < HDR_MAX_END ? bz->header_end : HDR_MAX_END;
    memcpy(params + HDR_START, l->head + HDR_START, end - HDR_START);
    params[HDR_LOADER] = LOADER_UNDEFINED;
    put_le32(params + HDR_CODE32, (uint32_t)gpa);
    put_le64(params + HDR_SETUP_DATA, 0);
}

int load_bzimage(struct loader *l)
{
    struct bzimage bz = {0};
    uint64_t gpa = 0, initrd = 0, initrd_size = 0;
    int rc = parse_header(l, &bz);
    if (rc == 0) {
        rc = check_length(l, &bz);
    }
    if (rc == 0) {
        rc = choose_address(l, &bz, &gpa);
    }
    if (rc < 0) {
        return rc;
    }
    rc = image_load(&l->kernel, bz.code_offset, l->req->mem, gpa, bz.code_size, l->e);
    if (rc == 0) {
        rc = loader_cmdline(l, l->req->cmdline, bz.cmdline_size);
    }
    if (rc == 0) {
        const struct initrd_rule rule = {
            .floor = gpa + bz.init_size,
            .max = bz.initrd_max,
            .above_4g_ok = (bz.xloadflags & XLF_ABOVE_4G) != 0,
        };
        rc = initrd_load(l, &rule, &initrd, &initrd_size);
    }
    if (rc < 0) {
        return rc;
    }
    uint8_t params[BOOT_PARAMS_SIZE] = {0};
    fill_header(l, &bz, gpa, params);
    l->entry->format = BOOT_BZIMAGE;
    return boot_params_finish(l, params, initrd, initrd_size, gpa + ENTRY64_OFFSET);
}
