/*
 * Region trees and the views they render to, example by example. Random trees
 * against an oracle: test_mem_oracle.c.
 */
#include "tests/unit/fake_mem.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A root of all 2^64 bytes and an address space on it. */
static struct topology *topo;
static struct region root;
static struct aspace *as;

static void setup(void)
{
    topo = topology_new();
    cr_assert_not_null(topo);
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

TestSuite(mem_region, .init = setup, .fini = teardown);

/* The view as text, one "first-last name@offset" (hex) for each range, " ro" if read-only. */
static const char *view_text(void)
{
    static char text[4096];
    const struct flatview *v = aspace_view(as);
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < v->count; i++) {
        const struct flat_range *r = &v->ranges[i];
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "%s%" PRIx64 "-%" PRIx64 " %s@%" PRIx64 "%s", i > 0 ? ", " : "",
                                r->addr.first, r->addr.last, r->region->name, r->offset,
                                r->readonly ? " ro" : "");
        cr_assert_lt(len, sizeof(text));
    }
    return text;
}

#define assert_view(expected) cr_assert_str_eq(view_text(), expected)

Test(mem_region, empty_root_has_an_empty_view)
{
    assert_view("");
    cr_assert_null(flatview_find(aspace_view(as), 0));
    cr_assert_eq(flatview_hole_last(aspace_view(as), 5), UINT64_MAX);
}

Test(mem_region, address_space_without_a_root)
{
    struct aspace *none = aspace_new(topo, "none", NULL);
    uint8_t byte = 0;

    cr_assert_eq(aspace_read(none, 0, &byte, 1), ACCESS_UNASSIGNED);
    cr_assert_eq(byte, 0xff);
    aspace_free(none);
}

/* The picture in region.h. */
Test(mem_region, example_of_the_header)
{
    struct region a, b;
    struct fake_ram c;
    struct fake_io d;

    region_init_container(&a, topo, "A", 0x6000);
    region_init_container(&b, topo, "B", 0x2000);
    fake_ram_init(&c, topo, REGION_RAM, "C", 0x1000);
    fake_io_init(&d, topo, "D", 0x3000);
    cr_assert_eq(region_add(&b, 0, &c.region, 0), 0);
    cr_assert_eq(region_add(&a, 0x1000, &b, 1), 0);
    cr_assert_eq(region_add(&a, 0, &d.region, 0), 0);
    cr_assert_eq(region_add(&root, 0x10000, &a, 0), 0);
    assert_view("10000-10fff D@0, 11000-11fff C@0, 12000-12fff D@2000");
    cr_assert_eq(region_set_offset(&b, 0x2000), 0);
    assert_view("10000-11fff D@0, 12000-12fff C@0");
    cr_assert_eq(region_set_enabled(&b, false), 0);
    assert_view("10000-12fff D@0");
    cr_assert_eq(region_del(&a), 0);
    assert_view("");
    fake_ram_fini(&c);
    region_fini(&b);
    fake_io_fini(&d);
    region_fini(&a);
}

/* The machine of docs/memory.md. */
Test(mem_region, example_of_the_documentation)
{
    struct region bus, boot;
    struct fake_ram ram, flash;
    struct fake_io dev;

    fake_ram_init(&ram, topo, REGION_RAM, "ram", 0x3000);
    fake_ram_init(&flash, topo, REGION_ROM, "flash", 0x8000);
    fake_io_init(&dev, topo, "dev", 0x800);
    region_init_container(&bus, topo, "bus", 0x2000);
    region_init_alias(&boot, topo, "boot", 0x1000, &flash.region, 0x7000);
    region_add(&root, 0, &ram.region, 0);
    region_add(&bus, 0x400, &dev.region, 0);
    region_add(&root, 0x1000, &bus, 1);
    region_add(&root, 0xf000, &boot, 0);
    assert_view("0-13ff ram@0, 1400-1bff dev@0, 1c00-2fff ram@1c00, f000-ffff flash@7000 ro");
    region_set_offset(&bus, 0x8000);
    assert_view("0-2fff ram@0, 8400-8bff dev@0, f000-ffff flash@7000 ro");
    region_fini(&boot);
    fake_io_fini(&dev);
    region_fini(&bus);
    fake_ram_fini(&ram);
    fake_ram_fini(&flash);
}

Test(mem_region, among_equals_the_last_added_wins)
{
    struct fake_io x, y;

    fake_io_init(&x, topo, "x", 4);
    fake_io_init(&y, topo, "y", 4);
    region_add(&root, 0, &x.region, 0);
    region_add(&root, 2, &y.region, 0);
    assert_view("0-1 x@0, 2-5 y@0");
    region_set_offset(&x.region, 1); /* a move does not change who is on top */
    assert_view("1-1 x@0, 2-5 y@0");
    region_del(&x.region);
    region_add(&root, 0, &x.region, 0);
    assert_view("0-3 x@0, 4-5 y@2");
    region_del(&y.region);
    region_add(&root, 2, &y.region, -1);
    assert_view("0-3 x@0, 4-5 y@2");
    fake_io_fini(&x);
    fake_io_fini(&y);
}

Test(mem_region, children_of_io_lie_over_it)
{
    struct fake_io bus, device;

    fake_io_init(&bus, topo, "bus", 16);
    fake_io_init(&device, topo, "device", 4);
    region_add(&bus.region, 4, &device.region, -5);
    region_add(&root, 0, &bus.region, 0);
    assert_view("0-3 bus@0, 4-7 device@0, 8-f bus@8");
    fake_io_fini(&device);
    fake_io_fini(&bus);
}

Test(mem_region, ends_past_the_parent_are_clipped)
{
    struct region box;
    struct fake_io io;

    region_init_container(&box, topo, "box", 8);
    fake_io_init(&io, topo, "io", REGION_ALL);
    region_add(&box, 4, &io.region, 0);
    region_add(&root, UINT64_MAX - 5, &box, 0);
    assert_view("fffffffffffffffe-ffffffffffffffff io@0");
    region_set_offset(&box, 0x100);
    assert_view("104-107 io@0");
    region_set_offset(&io.region, 8);
    assert_view("");
    fake_io_fini(&io);
    region_fini(&box);
}

Test(mem_region, all_of_2_to_the_64)
{
    struct fake_io io, hole;

    fake_io_init(&io, topo, "io", REGION_ALL);
    fake_io_init(&hole, topo, "hole", 1);
    region_add(&root, 0, &io.region, 0);
    assert_view("0-ffffffffffffffff io@0");
    region_add(&root, UINT64_MAX, &hole.region, 0);
    assert_view("0-fffffffffffffffe io@0, ffffffffffffffff-ffffffffffffffff hole@0");
    region_set_offset(&hole.region, 0);
    assert_view("0-0 hole@0, 1-ffffffffffffffff io@1");
    fake_io_fini(&hole);
    fake_io_fini(&io);
}

Test(mem_region, alias_shows_a_clipped_window)
{
    struct fake_io io;
    struct region low, high, far;

    fake_io_init(&io, topo, "io", 0x3000);
    region_init_alias(&low, topo, "low", 0x1000, &io.region, 0x1000);
    region_init_alias(&high, topo, "high", 0x9000, &io.region, 0x2000);
    region_init_alias(&far, topo, "far", REGION_ALL, &io.region, UINT64_MAX);
    region_add(&root, 0, &far, -1);
    region_add(&root, 0x8000, &low, 0);
    region_add(&root, 0x10000, &high, 0);
    assert_view("8000-8fff io@1000, 10000-10fff io@2000");
    region_set_offset(&high, 0x9000); /* now they continue each other: one range */
    assert_view("8000-9fff io@1000");
    region_set_readonly(&high, true);
    assert_view("8000-8fff io@1000, 9000-9fff io@2000 ro");
    region_set_alias_offset(&low, 0);
    region_set_size(&low, 1);
    assert_view("8000-8000 io@0, 9000-9fff io@2000 ro");
    cr_assert_eq(region_set_size(&low, 0), -EINVAL);
    region_fini(&low);
    region_fini(&high);
    region_fini(&far);
    fake_io_fini(&io);
}

Test(mem_region, readonly_goes_down_the_tree)
{
    struct region box, alias;
    struct fake_ram ram, rom;

    region_init_container(&box, topo, "box", 0x4000);
    fake_ram_init(&ram, topo, REGION_RAM, "ram", 0x1000);
    fake_ram_init(&rom, topo, REGION_ROM, "rom", 0x1000);
    region_init_alias(&alias, topo, "alias", 0x2000, &box, 0);
    region_add(&box, 0, &ram.region, 0);
    region_add(&box, 0x1000, &rom.region, 0);
    region_add(&root, 0, &box, 0);
    assert_view("0-fff ram@0, 1000-1fff rom@0 ro");
    region_add(&root, 0x8000, &alias, 0);
    region_set_readonly(&alias, true);
    assert_view("0-fff ram@0, 1000-1fff rom@0 ro, 8000-8fff ram@0 ro, 9000-9fff rom@0 ro");
    region_fini(&alias);
    fake_ram_fini(&ram);
    fake_ram_fini(&rom);
    region_fini(&box);
}

Test(mem_region, impossible_places_are_refused)
{
    struct region a, b, alias;

    region_init_container(&a, topo, "a", 16);
    region_init_container(&b, topo, "b", 16);
    region_init_alias(&alias, topo, "alias", 16, &a, 0);
    cr_assert_eq(region_del(&a), -ENOENT);
    cr_assert_eq(region_add(&a, 0, &a, 0), -ELOOP);
    cr_assert_eq(region_add(&a, 0, &b, 0), 0);
    cr_assert_eq(region_add(&root, 0, &b, 0), -EBUSY);
    cr_assert_eq(region_add(&b, 0, &a, 0), -ELOOP);
    cr_assert_eq(region_add(&a, 0, &alias, 0), -ELOOP);
    cr_assert_eq(region_add(&b, 0, &alias, 0), -ELOOP);
    cr_assert_eq(region_add(&root, 0, &alias, 0), 0);
    cr_assert_eq(region_add(&root, 0, &a, 0), 0);
    region_fini(&alias);
    region_fini(&b);
    region_fini(&a);
}

Test(mem_region, transactions_show_all_or_nothing)
{
    struct fake_io x, y;

    fake_io_init(&x, topo, "x", 1);
    fake_io_init(&y, topo, "y", 1);
    topology_begin(topo);
    region_add(&root, 0, &x.region, 0);
    topology_begin(topo);
    region_add(&root, 8, &y.region, 0);
    cr_assert_eq(topology_commit(topo), 0);
    assert_view("");
    region_set_offset(&x.region, 4);
    cr_assert_eq(topology_commit(topo), 0);
    assert_view("4-4 x@0, 8-8 y@0");
    fake_io_fini(&x);
    fake_io_fini(&y);
}

Test(mem_region, changes_that_cannot_show_render_nothing)
{
    struct region box, loose, alias;
    struct fake_io io;
    const struct flatview *before;

    region_init_container(&box, topo, "box", 16);
    region_init_container(&loose, topo, "loose", 16);
    fake_io_init(&io, topo, "io", 4);
    region_add(&root, 0, &box, 0);
    region_set_enabled(&box, false);
    before = aspace_view(as);
    region_add(&box, 0, &io.region, 0);
    region_set_offset(&io.region, 4);
    region_del(&io.region);
    region_add(&loose, 0, &io.region, 0);
    region_set_offset(&root, 0); /* no change at all */
    cr_assert_eq(aspace_view(as), before);

    region_init_alias(&alias, topo, "alias", 16, &loose, 0);
    region_add(&root, 0x100, &alias, 0);
    assert_view("100-103 io@0");
    region_set_offset(&io.region, 1); /* seen through the alias only */
    assert_view("101-104 io@0");
    fake_io_fini(&io);
    region_fini(&alias);
    region_fini(&loose);
    region_fini(&box);
}

/* n containers in one another. */
static struct region *nest(unsigned n)
{
    struct region *boxes = calloc(n, sizeof(*boxes));

    for (unsigned i = 0; i < n; i++) {
        region_init_container(&boxes[i], topo, "box", 16);
        if (i > 0) {
            cr_assert_eq(region_add(&boxes[i - 1], 0, &boxes[i], 0), 0);
        }
    }
    return boxes;
}

static void unnest(struct region *boxes, unsigned n)
{
    while (n-- > 0) {
        region_fini(&boxes[n]);
    }
    free(boxes);
}

Test(mem_region, depth_is_bounded)
{
    const unsigned max = FLATVIEW_MAX_DEPTH - 2; /* the root above, the device below */
    const unsigned deep_max = 5000;
    struct region *boxes = nest(max), *deep = nest(deep_max);
    struct fake_io io, other;

    fake_io_init(&io, topo, "io", 1);
    fake_io_init(&other, topo, "other", 1);
    region_add(&boxes[max - 1], 0, &io.region, 0);
    cr_assert_eq(region_add(&root, 0, &boxes[0], 0), 0);
    assert_view("0-0 io@0");
    cr_assert_eq(region_add(&root, 0x100, &deep[0], 0), -E2BIG);
    assert_view("0-0 io@0");
    cr_assert_eq(region_add(&deep[deep_max - 1], 0, &root, 0), -ELOOP);
    cr_assert_eq(region_add(&root, 8, &other.region, 0), -E2BIG); /* still too deep */
    cr_assert_eq(region_del(&deep[0]), 0);                        /* the change made meanwhile */
    assert_view("0-0 io@0, 8-8 other@0");
    fake_io_fini(&other);
    fake_io_fini(&io);
    unnest(boxes, max);
    unnest(deep, deep_max);
}

#define BOMB_LEVELS 28

/* Each level shows the one below twice: 2^28 times the leaf. */
Test(mem_region, alias_bombs_are_refused)
{
    struct region boxes[BOMB_LEVELS], aliases[BOMB_LEVELS][2];
    struct fake_io io;

    fake_io_init(&io, topo, "io", 1);
    for (unsigned i = 0; i < BOMB_LEVELS; i++) {
        struct region *below = i == 0 ? &io.region : &boxes[i - 1];
        region_init_container(&boxes[i], topo, "box", 1ULL << (i + 2));
        for (unsigned k = 0; k < 2; k++) {
            region_init_alias(&aliases[i][k], topo, "alias", 1ULL << (i + 1), below, 0);
            cr_assert_eq(region_add(&boxes[i], (uint64_t)k << (i + 1), &aliases[i][k], 0), 0);
        }
    }
    cr_assert_eq(region_add(&root, 0, &boxes[BOMB_LEVELS - 1], 0), -E2BIG);
    assert_view("");
    cr_assert_eq(region_del(&boxes[BOMB_LEVELS - 1]), 0);
    for (unsigned i = BOMB_LEVELS; i-- > 0;) {
        region_fini(&aliases[i][0]);
        region_fini(&aliases[i][1]);
        region_fini(&boxes[i]);
    }
    fake_io_fini(&io);
}
