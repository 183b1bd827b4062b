/*
 * What the loader told, from the device tree's /chosen, /memory and /cpus.
 */
#include "internal.h"
#include "virt.h"

struct boot_info boot;

static const uint8_t *memory; /* ranges: two cells of address, two of size */

/* Some loaders write one cell, some two. */
static uint64_t chosen_number(fdt_node *chosen, const char *name)
{
    size_t length;
    const uint8_t *p = fdt_property(chosen, name, &length);
    if (p == NULL) {
        return 0;
    }
    return length == 8 ? fdt_cells(p) : fdt_cell(p);
}

static fdt_node *find_chosen(void)
{
    fdt_node *node = fdt_root();
    while (node != NULL && memcmp(node + 4, "chosen", sizeof("chosen")) != 0) {
        node = fdt_next(node);
    }
    return node;
}

void boot_info_init(void)
{
    size_t length;
    fdt_node *ram = fdt_find("device_type", "memory", 0);
    CHECK(ram != NULL);
    memory = fdt_property(ram, "reg", &length);
    boot.areas = length / 16;
    boot.protocol = "arm64";
    boot.cmdline = "";
    fdt_node *chosen = find_chosen();
    if (chosen != NULL) {
        const uint8_t *bootargs = fdt_property(chosen, "bootargs", &length);
        boot.cmdline = bootargs != NULL ? (const char *)bootargs : "";
        boot.initrd = chosen_number(chosen, "linux,initrd-start");
        boot.initrd_size = chosen_number(chosen, "linux,initrd-end") - boot.initrd;
    }
}

struct mem_area boot_area(size_t i)
{
    const uint8_t *range = memory + i * 16;
    return (struct mem_area){fdt_cells(range), fdt_cells(range + 8), MEM_TYPE_RAM};
}

const char *boot_tables(void)
{
    return "device tree";
}
