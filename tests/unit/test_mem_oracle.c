/*
 * Random region trees and random changes of them, checked after each commit
 * against the model of mem_model.h. What is impossible (cycles also through
 * aliases, a second parent, a posted write past the end) must be refused, and
 * nothing else.
 *
 * Most trees lie on a grid of 64 cells, of single bytes up to 2^58 bytes, which
 * make all of 2^64. The others have odd offsets and sizes, some of them extreme.
 */
#include "tests/unit/fake_mem.h"
#include "tests/unit/mem_model.h"

#include <errno.h>

#ifdef SANITIZED
#define TREES 1500
#else
#define TREES 25600 /* in each of four tests */
#endif

static uint64_t rng;

static uint64_t random64(void) /* splitmix64 */
{
    uint64_t z = rng += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static unsigned below(unsigned n)
{
    return (unsigned)((random64() >> 32) % n);
}

/* --- random numbers that make sense for a tree ------------------------ */

/* Mostly one that lies inside node n. */
static uint64_t any_offset(const struct model *m, int n)
{
    uint64_t cells = m->nodes[n].last / m->cell + 1;
    uint64_t offset = below(cells < MODEL_CELLS ? (unsigned)cells + 1 : MODEL_CELLS) * m->cell;

    if (m->on_grid) {
        return offset;
    }
    switch (below(8)) {
    case 0:
        return UINT64_MAX - below(4);
    case 1:
        return random64() >> below(64);
    default:
        return offset + below(3) - 1;
    }
}

/* Sizes as region_init and region_set_size take them: REGION_ALL stands for 2^64. */
static uint64_t last_to_size(uint64_t last)
{
    return last == UINT64_MAX ? REGION_ALL : last + 1;
}

static uint64_t size_to_last(uint64_t size)
{
    return size == REGION_ALL ? UINT64_MAX : size - 1;
}

static uint64_t any_size(const struct model *m, enum region_kind kind)
{
    bool leaf = kind == REGION_RAM || kind == REGION_ROM || kind == REGION_IO;
    uint64_t cells = leaf && below(4) != 0 ? 1 + below(12) : 1 + below(MODEL_CELLS);
    uint64_t last = cells * m->cell - 1; /* cells that make 2^64 wrap to the right value */

    if (!m->on_grid) {
        last = below(16) == 0 ? UINT64_MAX : last + below(3);
    }
    return last_to_size(last);
}

/* --- building --------------------------------------------------------- */

static uint64_t no_read(void *opaque, uint64_t offset, unsigned size)
{
    (void)opaque, (void)offset, (void)size;
    return 0;
}

static void no_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    (void)opaque, (void)offset, (void)value, (void)size;
}

static const struct region_ops ops = {.read = no_read, .write = no_write};

static void init_node(struct model *m, enum region_kind kind, uint64_t size)
{
    int i = m->count++;
    struct region *r = &m->regions[i];
    struct node *n = &m->nodes[i];

    *n = (struct node){.kind = kind, .last = size_to_last(size), .parent = -1, .enabled = true};
    switch (kind) {
    case REGION_CONTAINER:
        region_init_container(r, m->topo, "container", size);
        break;
    case REGION_RAM:
        region_init_ram(r, m->topo, "ram", size, NULL);
        break;
    case REGION_ROM:
        region_init_rom(r, m->topo, "rom", size, NULL);
        break;
    case REGION_IO:
        region_init_io(r, m->topo, "io", size, &ops, NULL, NULL);
        break;
    case REGION_ALIAS:
        n->target = (int)below((unsigned)i);
        n->target_offset = below(2) == 0 ? 0 : any_offset(m, n->target);
        region_init_alias(r, m->topo, "alias", size, &m->regions[n->target], n->target_offset);
        break;
    }
}

/* A node that can have children; the root is a good one. */
static int any_parent(const struct model *m)
{
    for (unsigned tries = below(6); tries > 0; tries--) {
        int i = (int)below((unsigned)m->count);
        if (m->nodes[i].kind == REGION_CONTAINER || m->nodes[i].kind == REGION_IO) {
            return i;
        }
    }
    return 0;
}

static void add_anywhere(struct model *m, int child)
{
    int parent = any_parent(m);
    struct node *n = &m->nodes[child];
    uint64_t offset = any_offset(m, parent);
    int priority = (int)below(4) - 1;
    int expected = 0;

    if (n->parent != -1) {
        expected = -EBUSY;
    } else if (model_reaches(m, child, parent)) {
        expected = -ELOOP;
    }
    must(m, region_add(&m->regions[parent], offset, &m->regions[child], priority) == expected,
         "region_add");
    if (expected == 0) {
        n->parent = parent;
        n->offset = offset;
        n->priority = priority;
        n->added = ++m->adds;
    }
}

static void del(struct model *m, int i)
{
    struct node *n = &m->nodes[i];

    must(m, region_del(&m->regions[i]) == (n->parent == -1 ? -ENOENT : 0), "region_del");
    n->parent = -1;
}

/* --- changing --------------------------------------------------------- */

static void add_posted(struct model *m, int i)
{
    static const unsigned sizes[] = {0, 1, 2, 4, 8};
    struct node *n = &m->nodes[i];
    struct posted_write p = {
        .kind = below(2) == 0 ? POSTED_EVENTFD : POSTED_COALESCED,
        .offset = any_offset(m, i) - below(2) * 4,
        .size = sizes[below(5)],
        .match = below(2),
        .value = random64(),
    };
    bool fits = (p.size != 0 || p.kind == POSTED_EVENTFD) && p.offset <= n->last &&
                (p.size == 0 || p.size - 1 <= n->last - p.offset);

    if (n->kind == REGION_IO && n->posted_count < MODEL_POSTED) {
        must(m, region_add_posted(&m->regions[i], &p) == (fits ? 0 : -EINVAL), "add_posted");
        if (fits) {
            n->posted[n->posted_count++] = p;
        }
    }
}

static void del_posted(struct model *m, int i)
{
    struct node *n = &m->nodes[i];

    if (n->posted_count > 0) {
        struct posted_write *p = &n->posted[below(n->posted_count)];
        must(m, region_del_posted(&m->regions[i], p) == 0, "del_posted");
        *p = n->posted[--n->posted_count];
    }
}

static void change_place(struct model *m, int i)
{
    struct region *r = &m->regions[i];
    struct node *n = &m->nodes[i];
    uint64_t size = any_size(m, n->kind);

    switch (below(3)) {
    case 0:
        n->offset = any_offset(m, n->parent == -1 ? 0 : n->parent);
        must(m, region_set_offset(r, n->offset) == 0, "set_offset");
        break;
    case 1:
        n->last = size_to_last(size);
        must(m, region_set_size(r, size) == 0, "set_size");
        break;
    default:
        if (n->kind == REGION_ALIAS) {
            n->target_offset = any_offset(m, n->target);
            must(m, region_set_alias_offset(r, n->target_offset) == 0, "set_alias_offset");
        }
    }
}

static void change(struct model *m)
{
    int i = 1 + (int)below((unsigned)m->count - 1);
    struct node *n = &m->nodes[i];

    switch (below(8)) {
    case 0:
        n->enabled = !n->enabled;
        must(m, region_set_enabled(&m->regions[i], n->enabled) == 0, "set_enabled");
        break;
    case 1:
        n->readonly = below(2);
        must(m, region_set_readonly(&m->regions[i], n->readonly) == 0, "set_readonly");
        break;
    case 2:
        del(m, i);
        break;
    case 3:
        add_anywhere(m, i);
        break;
    case 4:
        add_posted(m, i);
        break;
    case 5:
        del_posted(m, i);
        break;
    default:
        change_place(m, i);
    }
}

/* A few changes, in one transaction or each on its own, then a check. */
static void change_and_check(struct model *m)
{
    bool together = below(4) != 0;

    if (together) {
        topology_begin(m->topo);
    }
    for (unsigned n = 1 + below(6); n > 0; n--) {
        change(m);
    }
    if (together) {
        must(m, topology_commit(m->topo) == 0, "commit");
    }
    model_check(m);
}

/* --- trees ------------------------------------------------------------ */

static void build(struct model *m)
{
    static const enum region_kind kinds[] = {REGION_CONTAINER, REGION_CONTAINER, REGION_IO,
                                             REGION_IO,        REGION_RAM,       REGION_ROM,
                                             REGION_ALIAS,     REGION_ALIAS};
    unsigned count = 6 + below(MODEL_NODES - 5);

    topology_begin(m->topo);
    while (m->count < (int)count) {
        int i = m->count;
        enum region_kind kind = kinds[below(8)];
        init_node(m, kind, any_size(m, kind));
        add_anywhere(m, i);
        add_posted(m, i);
    }
    must(m, topology_commit(m->topo) == 0, "commit");
    if (below(4) == 0) {
        model_open_space(m, 1, (int)below(count)); /* somewhere in the midst of the tree */
    }
    model_check(m);
}

static void tear_down(struct model *m)
{
    model_close_space(m, 1);
    model_close_space(m, 0);
    for (int i = 0; i < m->count; i++) {
        del(m, i);
    }
    while (m->count > 0) { /* aliases come after what they show */
        region_fini(&m->regions[--m->count]);
    }
}

static void try_tree(struct model *m, uint64_t seed)
{
    static const unsigned cell_bits[] = {58, 58, 0, 12};

    rng = m->seed = seed;
    m->on_grid = below(4) != 0;
    m->cell = 1ULL << cell_bits[below(4)];
    init_node(m, REGION_CONTAINER, last_to_size(MODEL_CELLS * m->cell - 1));
    model_open_space(m, 0, 0);
    build(m);
    for (unsigned n = below(3); n > 0; n--) {
        change_and_check(m);
    }
    tear_down(m);
}

static void try_trees(unsigned test)
{
    static struct model m;

    m.topo = topology_new();
    for (uint64_t i = 0; i < TREES; i++) {
        try_tree(&m, (uint64_t)test << 32 | i);
    }
    topology_free(m.topo);
}

Test(mem_oracle, trees_1)
{
    try_trees(1);
}

Test(mem_oracle, trees_2)
{
    try_trees(2);
}

Test(mem_oracle, trees_3)
{
    try_trees(3);
}

Test(mem_oracle, trees_4)
{
    try_trees(4);
}
