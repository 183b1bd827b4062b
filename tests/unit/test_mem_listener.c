/*
 * Listeners and posted writes: order, errors, what is told and what is not.
 */
#include "tests/unit/fake_mem.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct topology *topo;
static struct region root;
static struct aspace *as;
static struct fake_io x, y;

/* What the listeners heard, in order: "1+x@0 2-p10 ..." */
static char heard[1024];
static int refuse; /* what add callbacks return */

struct named_listener {
    struct aspace_listener listener;
    char name;
};

static void hear(const struct aspace_listener *l, const char *what, const char *name, uint64_t at)
{
    size_t len = strlen(heard);
    const struct named_listener *self = (const struct named_listener *)l;

    snprintf(heard + len, sizeof(heard) - len, "%s%c%s%s@%" PRIx64, len > 0 ? " " : "", self->name,
             what, name, at);
}

static int on_add(struct aspace_listener *l, const struct flat_range *r)
{
    hear(l, "+", r->region->name, r->addr.first);
    return refuse;
}

static void on_del(struct aspace_listener *l, const struct flat_range *r)
{
    hear(l, "-", r->region->name, r->addr.first);
}

static int on_posted_add(struct aspace_listener *l, const struct flat_posted *p)
{
    hear(l, "+", "post", p->addr);
    return 0;
}

static void on_posted_del(struct aspace_listener *l, const struct flat_posted *p)
{
    hear(l, "-", "post", p->addr);
}

#define LISTENER(letter)                                                                           \
    {                                                                                              \
        .listener = {.add = on_add,                                                                \
                     .del = on_del,                                                                \
                     .posted_add = on_posted_add,                                                  \
                     .posted_del = on_posted_del},                                                 \
        .name = (letter)                                                                           \
    }
static struct named_listener one = LISTENER('1'), two = LISTENER('2');

#define assert_heard(expected)                                                                     \
    do {                                                                                           \
        cr_assert_str_eq(heard, expected);                                                         \
        heard[0] = '\0';                                                                           \
    } while (0)

static void setup(void)
{
    topo = topology_new();
    region_init_container(&root, topo, "root", REGION_ALL);
    as = aspace_new(topo, "memory", &root);
    fake_io_init(&x, topo, "x", 16);
    fake_io_init(&y, topo, "y", 16);
    cr_assert_not_null(as);
}

static void teardown(void)
{
    aspace_free(as);
    fake_io_fini(&x);
    fake_io_fini(&y);
    region_fini(&root);
    topology_free(topo);
}

TestSuite(mem_listener, .init = setup, .fini = teardown);

static const struct posted_write doorbell = {
    .kind = POSTED_EVENTFD, .offset = 8, .size = 4, .match = true, .value = 7, .fd = 3};

Test(mem_listener, comes_and_goes_with_everything)
{
    region_add(&root, 0x10, &x.region, 0);
    region_add_posted(&x.region, &doorbell);
    cr_assert_eq(aspace_listen(as, &one.listener), 0);
    assert_heard("1+x@10 1+post@18");
    aspace_unlisten(as, &one.listener);
    assert_heard("1-post@18 1-x@10");
    region_set_offset(&x.region, 0);
    assert_heard("");
}

Test(mem_listener, deletions_first_and_in_reverse)
{
    aspace_listen(as, &one.listener);
    aspace_listen(as, &two.listener);
    region_add(&root, 0x10, &x.region, 0);
    assert_heard("1+x@10 2+x@10");
    region_add_posted(&x.region, &doorbell);
    assert_heard("1+post@18 2+post@18");
    region_set_offset(&x.region, 0x40);
    assert_heard("2-post@18 2-x@10 1-post@18 1-x@10 1+x@40 1+post@48 2+x@40 2+post@48");
    aspace_unlisten(as, &one.listener);
    assert_heard("1-post@48 1-x@40");
    region_del(&x.region);
    assert_heard("2-post@48 2-x@40");
    aspace_unlisten(as, &two.listener);
    assert_heard("");
}

Test(mem_listener, hears_only_of_what_changed)
{
    region_add(&root, 0x10, &x.region, 0);
    aspace_listen(as, &one.listener);
    heard[0] = '\0';
    region_add(&root, 0x100, &y.region, 0);
    assert_heard("1+y@100");
    region_set_readonly(&y.region, true);
    assert_heard("1-y@100 1+y@100");
    topology_begin(topo); /* there and back */
    region_set_offset(&y.region, 0x200);
    region_set_offset(&y.region, 0x100);
    topology_commit(topo);
    assert_heard("");
    region_set_offset(&y.region, 0x18); /* cuts x */
    assert_heard("1-x@10 1-y@100 1+x@10 1+y@18");
    aspace_unlisten(as, &one.listener);
}

Test(mem_listener, the_first_error_comes_back_and_all_is_balanced)
{
    region_add(&root, 0x10, &x.region, 0);
    refuse = -EIO;
    cr_assert_eq(aspace_listen(as, &one.listener), -EIO);
    cr_assert_eq(region_add(&root, 0x20, &y.region, 0), -EIO);
    assert_heard("1+x@10 1+y@20");
    topology_begin(topo);
    cr_assert_eq(region_set_offset(&x.region, 0), 0); /* an inner commit has no result */
    cr_assert_eq(topology_commit(topo), -EIO);
    assert_heard("1-x@10 1+x@0");
    refuse = 0;
    cr_assert_eq(region_del(&y.region), 0);
    aspace_unlisten(as, &one.listener);
    assert_heard("1-y@20 1-x@0");
    cr_assert_not_null(flatview_find(aspace_view(as), 0)); /* the view is published all the same */
}

Test(mem_listener, callbacks_may_be_missing)
{
    struct aspace_listener deaf = {0};

    region_add(&root, 0, &x.region, 0);
    region_add_posted(&x.region, &doorbell);
    cr_assert_eq(aspace_listen(as, &deaf), 0);
    region_set_offset(&x.region, 0x100);
    aspace_unlisten(as, &deaf);
}

/* --- posted writes ---------------------------------------------------- */

Test(mem_listener, posted_writes_are_there_while_all_their_bytes_are)
{
    struct region window;

    region_add(&root, 0x100, &x.region, 0);
    region_add_posted(&x.region, &doorbell); /* offset 8..11 */
    aspace_listen(as, &one.listener);
    heard[0] = '\0';

    region_add(&root, 0x10b, &y.region, 1); /* hides the last byte */
    cr_assert_eq(aspace_view(as)->posted_count, 0);
    region_set_offset(&y.region, 0x10c);
    cr_assert_eq(aspace_view(as)->posted_count, 1);
    region_set_readonly(&x.region, true); /* writes are refused, so none is posted */
    cr_assert_eq(aspace_view(as)->posted_count, 0);
    region_set_readonly(&x.region, false);

    region_init_alias(&window, topo, "window", 8, &x.region, 6);
    region_add(&root, 0x1000, &window, 0);
    cr_assert_eq(aspace_view(as)->posted_count, 2);
    cr_assert_eq(aspace_view(as)->posted[1].addr, 0x1002);
    region_set_alias_offset(&window, 9); /* cuts the first byte off */
    cr_assert_eq(aspace_view(as)->posted_count, 1);
    region_fini(&window);
    heard[0] = '\0';
    aspace_unlisten(as, &one.listener);
    assert_heard("1-post@108 1-x@100 1-y@10c");
}

Test(mem_listener, posted_writes_are_sorted)
{
    static const struct posted_write list[] = {
        {.kind = POSTED_COALESCED, .offset = 8, .size = 8},
        {.kind = POSTED_EVENTFD, .offset = 8, .size = 0, .fd = 1},
        {.kind = POSTED_EVENTFD, .offset = 8, .size = 4, .match = true, .value = 2, .fd = 1},
        {.kind = POSTED_EVENTFD, .offset = 8, .size = 4, .match = true, .value = 1, .fd = 2},
        {.kind = POSTED_EVENTFD, .offset = 0, .size = 8, .fd = 1},
    };
    static const size_t order[] = {4, 1, 3, 2, 0};
    const struct flatview *v;

    region_add(&root, 0, &x.region, 0);
    for (size_t i = 0; i < 5; i++) {
        cr_assert_eq(region_add_posted(&x.region, &list[i]), 0);
    }
    v = aspace_view(as);
    cr_assert_eq(v->posted_count, 5);
    for (size_t i = 0; i < 5; i++) {
        const struct posted_write *p = &list[order[i]];
        cr_assert_eq(v->posted[i].addr, p->offset);
        cr_assert_eq(v->posted[i].write.size, p->size);
        cr_assert_eq(v->posted[i].write.value, p->value);
    }
}

Test(mem_listener, impossible_posted_writes_are_refused)
{
    struct posted_write p = doorbell;

    cr_assert_eq(region_del_posted(&x.region, &p), -ENOENT);
    cr_assert_eq(region_add_posted(&x.region, &p), 0);
    cr_assert_eq(region_add_posted(&x.region, &p), -EEXIST);
    p.value = 8;
    cr_assert_eq(region_del_posted(&x.region, &p), -ENOENT);
    cr_assert_eq(region_add_posted(&x.region, &p), 0);
    cr_assert_eq(region_del_posted(&x.region, &doorbell), 0);
    cr_assert_eq(region_del_posted(&x.region, &doorbell), -ENOENT);
    p.size = 3;
    cr_assert_eq(region_add_posted(&x.region, &p), -EINVAL);
    p = (struct posted_write){.kind = POSTED_EVENTFD, .offset = 13, .size = 4};
    cr_assert_eq(region_add_posted(&x.region, &p), -EINVAL);
    p = (struct posted_write){.kind = POSTED_EVENTFD, .offset = 16, .size = 0};
    cr_assert_eq(region_add_posted(&x.region, &p), -EINVAL);
    p = (struct posted_write){.kind = POSTED_EVENTFD, .offset = UINT64_MAX, .size = 8};
    cr_assert_eq(region_add_posted(&x.region, &p), -EINVAL);
    p = (struct posted_write){.kind = POSTED_COALESCED, .offset = 0, .size = 0};
    cr_assert_eq(region_add_posted(&x.region, &p), -EINVAL);
    p.size = 17;
    cr_assert_eq(region_add_posted(&x.region, &p), -EINVAL);
    p.size = 15;
    cr_assert_eq(region_add_posted(&x.region, &p), 0, "a zone may be of any size");
    cr_assert_eq(region_del_posted(&x.region, &p), 0);
}
