/*
 * What the loader told, read from each protocol's own tables.
 * Sources: Xen start_info.h, Multiboot 0.6.96 section 3.3, Linux
 * Documentation/arch/x86/zero-page.rst.
 */
#include "guest.h"
#include "internal.h"
#include "start.h"
#include "x86.h"

#define START_INFO_MAGIC 0x336ec578

struct boot_info boot;

/* Where the memory map is. */
static const uint8_t *map;

static void read_pvh(const uint8_t *info)
{
    CHECK_EQ(get_le32(info), START_INFO_MAGIC);
    boot.protocol = "pvh";
    boot.cmdline = (const char *)get_le64(info + 24);
    boot.rsdp = get_le64(info + 32);
    map = (const uint8_t *)get_le64(info + 40);
    boot.areas = get_le32(info + 48);
    if (get_le32(info + 12) > 0) { /* modules */
        const uint8_t *module = (const uint8_t *)get_le64(info + 16);
        boot.initrd = get_le64(module);
        boot.initrd_size = get_le64(module + 8);
    }
}

static void read_multiboot(const uint8_t *info)
{
    boot.protocol = "multiboot";
    boot.cmdline = (const char *)(uintptr_t)get_le32(info + 16);
    map = (const uint8_t *)(uintptr_t)get_le32(info + 48);
    /* An entry gives its own size; every loader makes them 24 bytes long. */
    boot.areas = get_le32(info + 44) / 24;
    if (get_le32(info + 20) > 0) { /* modules */
        const uint8_t *module = (const uint8_t *)(uintptr_t)get_le32(info + 24);
        boot.initrd = get_le32(module);
        boot.initrd_size = get_le32(module + 4) - get_le32(module);
    }
}

static void read_linux64(const uint8_t *params)
{
    boot.protocol = "linux64";
    boot.cmdline =
        (const char *)(get_le32(params + 0x228) | (uint64_t)get_le32(params + 0x0c8) << 32);
    boot.rsdp = get_le64(params + 0x070);
    boot.initrd = get_le32(params + 0x218) | (uint64_t)get_le32(params + 0x0c0) << 32;
    boot.initrd_size = get_le32(params + 0x21c) | (uint64_t)get_le32(params + 0x0c4) << 32;
    map = params + 0x2d0;
    boot.areas = params[0x1e8];
}

void boot_info_init(void)
{
    switch (boot_protocol) {
    case BOOT_PVH:
        read_pvh(boot_data);
        break;
    case BOOT_MULTIBOOT:
        read_multiboot(boot_data);
        break;
    default:
        read_linux64(boot_data);
    }
    if (boot.cmdline == NULL) {
        boot.cmdline = "";
    }
}

struct mem_area boot_area(size_t i)
{
    const uint8_t *entry;
    switch (boot_protocol) {
    case BOOT_PVH:
        entry = map + i * 24;
        break;
    case BOOT_MULTIBOOT:
        entry = map + i * 24 + 4;
        break;
    default:
        entry = map + i * 20;
    }
    return (struct mem_area){get_le64(entry), get_le64(entry + 8), get_le32(entry + 16)};
}
