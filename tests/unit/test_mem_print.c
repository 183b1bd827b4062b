/*
 * Listings of trees and views.
 */
#include "tests/unit/fake_mem.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct topology *topo;
static struct region root;
static struct aspace *as;

static void setup(void)
{
    topo = topology_new();
    region_init_container(&root, topo, "root", REGION_ALL);
    as = aspace_new(topo, "memory", &root);
    cr_assert_not_null(as);
}

static void teardown(void)
{
    aspace_free(as);
    region_fini(&root);
    topology_free(topo);
}

TestSuite(mem_print, .init = setup, .fini = teardown);

static void assert_printed(void (*print)(const struct aspace *, FILE *), const struct aspace *what,
                           const char *expected)
{
    char *text;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    print(what, f);
    fclose(f);
    cr_assert_str_eq(text, expected);
    free(text);
}

static const char tree[] =
    "address-space: memory\n"
    "  0000000000000000-ffffffffffffffff (prio 0, i/o): root\n"
    "    0000000000000000-0000000000001fff (prio 0, ram): alias ram-low @ram "
    "0000000000001000-0000000000002fff\n"
    "    0000000000001000-0000000000001007 (prio 7, i/o): serial\n"
    "    fffffffffffff000-ffffffffffffffff (prio -1, rom): bios\n"
    "\n"
    "memory-region: ram\n"
    "  0000000000000000-0000000000003fff (prio 0, ram): ram\n"
    "\n";

static const char view[] =
    "FlatView #0\n"
    " AS \"memory\", root: root\n"
    " Root memory region: root\n"
    "  0000000000000000-0000000000000fff (prio 0, ram): ram @0000000000001000\n"
    "  0000000000001000-0000000000001007 (prio 7, i/o): serial\n"
    "  0000000000001008-0000000000001fff (prio 0, ram): ram @0000000000002008\n"
    "  fffffffffffff000-ffffffffffffffff (prio -1, rom): bios\n"
    "\n";

Test(mem_print, a_machine)
{
    struct fake_ram ram, rom;
    struct fake_io io;
    struct region low, off;

    fake_ram_init(&ram, topo, REGION_RAM, "ram", 0x4000);
    fake_ram_init(&rom, topo, REGION_ROM, "bios", 0x1000);
    fake_io_init(&io, topo, "serial", 8);
    region_init_alias(&low, topo, "ram-low", 0x2000, &ram.region, 0x1000);
    region_init_alias(&off, topo, "off", 0x2000, &rom.region, 0);
    region_set_enabled(&off, false); /* not listed, and so is what only it shows */
    region_add(&root, 0x1000, &io.region, 7);
    region_add(&root, 0, &low, 0);
    region_add(&root, 0, &off, 0);
    region_add(&root, UINT64_MAX - 0xfff, &rom.region, -1);
    assert_printed(aspace_print_tree, as, tree);
    assert_printed(aspace_print_view, as, view);
    region_fini(&low);
    region_fini(&off);
    fake_io_fini(&io);
    fake_ram_fini(&ram);
    fake_ram_fini(&rom);
}

Test(mem_print, readonly_ram_is_rom_where_it_is_so)
{
    struct fake_ram ram;
    struct region shadow;

    fake_ram_init(&ram, topo, REGION_RAM, "ram", 0x1000);
    region_init_alias(&shadow, topo, "shadow", 0x800, &ram.region, 0);
    region_set_readonly(&shadow, true);
    region_add(&root, 0, &ram.region, 0);
    region_add(&root, 0x1000, &shadow, 0);
    assert_printed(aspace_print_view, as,
                   "FlatView #0\n"
                   " AS \"memory\", root: root\n"
                   " Root memory region: root\n"
                   "  0000000000000000-0000000000000fff (prio 0, ram): ram\n"
                   "  0000000000001000-00000000000017ff (prio 0, rom): ram\n"
                   "\n");
    region_fini(&shadow);
    fake_ram_fini(&ram);
}

Test(mem_print, nothing_and_an_alias_as_roots)
{
    struct region window;
    struct aspace *none = aspace_new(topo, "none", NULL);
    struct aspace *alias;

    region_init_alias(&window, topo, "window", 16, &root, 0);
    alias = aspace_new(topo, "bus", &window);
    assert_printed(aspace_print_tree, none, "address-space: none\n\n");
    assert_printed(aspace_print_view, none,
                   "FlatView #1\n"
                   " AS \"none\", root: (none)\n"
                   " Root memory region: (none)\n"
                   "  No rendered FlatView\n"
                   "\n");
    assert_printed(aspace_print_view, alias,
                   "FlatView #2\n"
                   " AS \"bus\", root: window, alias root\n"
                   " Root memory region: window\n"
                   "  No rendered FlatView\n"
                   "\n");
    aspace_free(alias);
    aspace_free(none);
    region_fini(&window);
}
