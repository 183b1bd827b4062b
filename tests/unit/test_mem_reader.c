/*
 * Views under readers: what a reader pins stays, what nobody pins goes, and
 * threads that read, move regions and call devices do not get in each other's
 * way (under ThreadSanitizer as well).
 */
#include "tests/unit/fake_mem.h"

#include "src/mem/internal.h"

#include <criterion/criterion.h>
#include <pthread.h>

#define REGIONS 8
#define STRIDE  0x1000

static struct topology *topo;
static struct region root;
static struct region box;
static struct fake_io io[REGIONS];
static struct aspace *as;

static void setup(void)
{
    topo = topology_new();
    region_init_container(&root, topo, "root", REGION_ALL);
    region_init_container(&box, topo, "box", REGIONS * STRIDE);
    as = aspace_new(topo, "memory", &root);
    region_add(&root, 0, &box, 0);
    for (unsigned i = 0; i < REGIONS; i++) {
        fake_io_init(&io[i], topo, "io", STRIDE);
        region_add(&box, i * STRIDE, &io[i].region, 0);
    }
}

static void teardown(void)
{
    aspace_free(as);
    for (unsigned i = 0; i < REGIONS; i++) {
        fake_io_fini(&io[i]);
    }
    region_fini(&box);
    region_fini(&root);
    topology_free(topo);
}

TestSuite(mem_reader, .init = setup, .fini = teardown);

static unsigned retired(void)
{
    unsigned n = 0;

    for (struct flatview *v = topo->retired; v != NULL; v = v->retired_next) {
        n++;
    }
    return n;
}

Test(mem_reader, without_readers_views_go_at_once)
{
    struct mem_reader r;

    region_set_offset(&box, STRIDE);
    cr_assert_eq(retired(), 0);
    mem_reader_register(&r, topo);
    region_set_offset(&box, 0);
    cr_assert_eq(retired(), 0);
    mem_reader_unregister(&r);
}

Test(mem_reader, a_view_lives_as_long_as_its_readers_look)
{
    struct mem_reader early, late;
    const struct flatview *v;

    mem_reader_register(&early, topo);
    mem_reader_register(&late, topo);
    mem_reader_online(&early);
    v = aspace_view(as);
    region_set_offset(&box, STRIDE);
    cr_assert_eq(retired(), 1);
    cr_assert_eq(flatview_find(v, 0)->region, &io[0].region); /* ASan: still there */

    mem_reader_online(&late); /* sees the second view, and so not the first */
    region_set_offset(&box, 2 * STRIDE);
    cr_assert_eq(retired(), 2);
    mem_reader_offline(&early);
    region_set_offset(&box, 3 * STRIDE);
    cr_assert_eq(retired(), 2); /* the second and the third */
    mem_reader_unregister(&late);
    cr_assert_eq(retired(), 0);
    mem_reader_unregister(&early);
}

Test(mem_reader, going_online_again_lets_the_old_go)
{
    struct mem_reader r;

    mem_reader_register(&r, topo);
    mem_reader_online(&r);
    region_set_offset(&box, STRIDE);
    mem_reader_offline(&r);
    mem_reader_online(&r);
    cr_assert_eq(retired(), 1);
    region_set_offset(&box, 0);
    cr_assert_eq(retired(), 1);
    mem_reader_offline(&r);
    topology_begin(topo);
    topology_commit(topo); /* any commit, also of nothing */
    cr_assert_eq(retired(), 0);
    mem_reader_unregister(&r);
}

/* --- threads ---------------------------------------------------------- */

static void *join_and_leave(void *opaque)
{
    struct mem_reader *r = opaque;

    mem_reader_register(r, topo);
    mem_reader_unregister(r);
    return NULL;
}

/* An I/O thread does so while the thread that made it realizes a device, in a transaction. */
Test(mem_reader, joining_and_leaving_do_not_wait_for_a_transaction)
{
    struct mem_reader r;
    pthread_t thread;

    topology_begin(topo);
    cr_assert_eq(pthread_create(&thread, NULL, join_and_leave, &r), 0);
    pthread_join(thread, NULL);
    topology_commit(topo);
}

#ifdef SANITIZED
#define ROUNDS 300
#else
#define ROUNDS 3000
#endif

/* The box moves and its regions change size in one transaction: no view has them apart. */
static bool view_is_whole(const struct flatview *v)
{
    const struct flat_range *first = &v->ranges[0];

    if (v->count != REGIONS || first->addr.first % STRIDE != 0) {
        return false;
    }
    for (unsigned i = 0; i < REGIONS; i++) {
        const struct flat_range *r = flatview_find(v, first->addr.first + i * STRIDE + 5);
        if (r != first + i || r->region != &io[i].region ||
            r->addr.last - r->addr.first != first->addr.last - first->addr.first) {
            return false;
        }
    }
    return true;
}

struct looker {
    pthread_t thread;
    _Atomic unsigned looks;
    _Atomic bool stop, failed;
};

static void *look(void *opaque)
{
    struct looker *self = opaque;
    struct mem_reader r;

    mem_reader_register(&r, topo);
    while (!self->stop) {
        mem_reader_online(&r);
        if (!view_is_whole(aspace_view(as))) {
            self->failed = true;
        }
        mem_reader_offline(&r);
        self->looks++;
    }
    mem_reader_unregister(&r);
    return NULL;
}

Test(mem_reader, readers_see_whole_views_while_regions_move)
{
    struct looker lookers[2] = {0};

    for (unsigned i = 0; i < 2; i++) {
        pthread_create(&lookers[i].thread, NULL, look, &lookers[i]);
    }
    for (unsigned n = 1; n <= ROUNDS || lookers[0].looks + lookers[1].looks < ROUNDS; n++) {
        topology_begin(topo);
        for (unsigned i = 0; i < REGIONS; i++) {
            region_set_size(&io[i].region, STRIDE - n % 16);
        }
        region_set_offset(&box, n % 64 * STRIDE);
        cr_assert_eq(topology_commit(topo), 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        lookers[i].stop = true;
        pthread_join(lookers[i].thread, NULL);
        cr_assert_not(lookers[i].failed);
    }
}

/* A device that moves itself from its callback, as a guest moves a BAR. */
static void move_self(struct fake_io *self)
{
    unsigned n = self->call_count;

    region_set_offset(&self->region, (uint64_t)(self - io + (n % 2) * REGIONS) * STRIDE);
}

/* One vCPU: finds "its" device where it is, makes it move, and sweeps over all the others. */
static void *run_vcpu(void *opaque)
{
    struct fake_io *own = opaque;
    uint64_t places[2] = {(uint64_t)(own - io) * STRIDE, (uint64_t)(own - io + REGIONS) * STRIDE};
    struct mem_reader r;
    uint8_t data[8];

    mem_reader_register(&r, topo);
    for (unsigned n = 0; n < ROUNDS / 4; n++) {
        mem_reader_online(&r);
        aspace_write(as, places[n % 2], "movemove", 8);
        mem_reader_offline(&r);
        mem_reader_online(&r);
        aspace_read(as, n % (2 * REGIONS) * STRIDE, data, 4);
        mem_reader_offline(&r);
    }
    mem_reader_unregister(&r);
    return NULL;
}

Test(mem_reader, vcpus_move_devices_from_callbacks_without_deadlock)
{
    pthread_t threads[3];

    region_set_size(&box, 2 * REGIONS * STRIDE);
    for (unsigned i = 0; i < 3; i++) {
        io[i].on_call = move_self;
    }
    for (unsigned i = 0; i < 3; i++) {
        pthread_create(&threads[i], NULL, run_vcpu, &io[i]);
    }
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_gt(io[i].call_count, 0);
        cr_assert_eq(io[i].guard.refused, 0);
    }
    topology_begin(topo);
    topology_commit(topo);
    cr_assert_eq(retired(), 0);
}
