/*
 * See mem_model.h.
 */
#include "tests/unit/mem_model.h"

#include <string.h>

/* --- the oracle ------------------------------------------------------- */

static bool wins(const struct node *a, const struct node *b)
{
    return a->priority != b->priority ? a->priority > b->priority : a->added > b->added;
}

static void rank_nodes(struct model *m)
{
    for (int i = 0; i < m->count; i++) {
        int at = i;
        for (; at > 0 && wins(&m->nodes[i], &m->nodes[m->by_rank[at - 1]]); at--) {
            m->by_rank[at] = m->by_rank[at - 1];
        }
        m->by_rank[at] = i;
    }
}

/* What lies at offset `at` of node n? Fills offset, node and readonly of *p. */
static bool oracle(const struct model *m, int n, uint64_t at, bool readonly, struct piece *p)
{
    const struct node *node = &m->nodes[n];

    if (!node->enabled || at > node->last) {
        return false;
    }
    readonly = readonly || node->readonly || node->kind == REGION_ROM;
    if (node->kind == REGION_ALIAS) {
        return at <= UINT64_MAX - node->target_offset &&
               oracle(m, node->target, at + node->target_offset, readonly, p);
    }
    for (int i = 0; i < m->count; i++) {
        int child = m->by_rank[i];
        const struct node *c = &m->nodes[child];
        if (c->parent == n && at >= c->offset && oracle(m, child, at - c->offset, readonly, p)) {
            return true;
        }
    }
    p->node = n;
    p->offset = at;
    p->readonly = readonly;
    return node->kind != REGION_CONTAINER;
}

bool model_reaches(const struct model *m, int from, int wanted)
{
    const struct node *node = &m->nodes[from];
    bool found =
        from == wanted || (node->kind == REGION_ALIAS && model_reaches(m, node->target, wanted));

    for (int c = 0; c < m->count && !found; c++) {
        found = m->nodes[c].parent == from && model_reaches(m, c, wanted);
    }
    return found;
}

/* --- the listener ----------------------------------------------------- */

static struct piece to_piece(const struct model *m, const struct flat_range *r)
{
    return (struct piece){r->addr, r->offset, (int)(r->region - m->regions), r->readonly};
}

static bool same_piece(const struct piece *a, const struct piece *b)
{
    return range_equal(a->addr, b->addr) && a->offset == b->offset && a->node == b->node &&
           a->readonly == b->readonly;
}

static int on_add(struct aspace_listener *l, const struct flat_range *r)
{
    struct space *s = (struct space *)l;
    size_t at = 0;

    while (at < s->count && s->map[at].addr.last < r->addr.first) {
        at++;
    }
    must(s->model, s->count < MODEL_MAP, "listener");
    must(s->model, at == s->count || s->map[at].addr.first > r->addr.last, "add over something");
    memmove(&s->map[at + 1], &s->map[at], (s->count++ - at) * sizeof(s->map[0]));
    s->map[at] = to_piece(s->model, r);
    return 0;
}

static void on_del(struct aspace_listener *l, const struct flat_range *r)
{
    struct space *s = (struct space *)l;
    struct piece gone = to_piece(s->model, r);
    size_t at = 0;

    while (at < s->count && !same_piece(&s->map[at], &gone)) {
        at++;
    }
    must(s->model, at < s->count, "delete of what is not there");
    memmove(&s->map[at], &s->map[at + 1], (--s->count - at) * sizeof(s->map[0]));
}

static bool same_posted(const struct flat_posted *a, const struct flat_posted *b)
{
    const struct posted_write *x = &a->write, *y = &b->write;

    return a->addr == b->addr && x->kind == y->kind && x->offset == y->offset &&
           x->size == y->size && x->match == y->match && x->value == y->value && x->fd == y->fd;
}

/* Index of p in what the listener knows, or posted_count. */
static size_t posted_index(const struct space *s, const struct flat_posted *p)
{
    size_t i = 0;

    while (i < s->posted_count && !same_posted(&s->posted[i], p)) {
        i++;
    }
    return i;
}

static int on_posted_add(struct aspace_listener *l, const struct flat_posted *p)
{
    struct space *s = (struct space *)l;

    must(s->model, posted_index(s, p) == s->posted_count, "posted twice");
    must(s->model, s->posted_count < MODEL_MAP, "listener");
    s->posted[s->posted_count++] = *p;
    return 0;
}

static void on_posted_del(struct aspace_listener *l, const struct flat_posted *p)
{
    struct space *s = (struct space *)l;
    size_t at = posted_index(s, p);

    must(s->model, at < s->posted_count, "delete of a posted write that is not there");
    s->posted[at] = s->posted[--s->posted_count];
}

void model_open_space(struct model *m, unsigned i, int root)
{
    struct space *s = &m->spaces[i];

    *s = (struct space){
        .listener = {.add = on_add,
                     .del = on_del,
                     .posted_add = on_posted_add,
                     .posted_del = on_posted_del},
        .as = aspace_new(m->topo, "space", &m->regions[root]),
        .model = m,
        .root = root,
    };
    must(m, s->as != NULL, "aspace_new");
    must(m, aspace_listen(s->as, &s->listener) == 0, "aspace_listen");
}

void model_close_space(struct model *m, unsigned i)
{
    struct space *s = &m->spaces[i];

    if (s->as != NULL) {
        aspace_unlisten(s->as, &s->listener);
        must(m, s->count == 0 && s->posted_count == 0, "listener at its end");
        aspace_free(s->as);
        s->as = NULL;
    }
}

/* --- checks ----------------------------------------------------------- */

static bool continues(const struct piece *a, const struct piece *b)
{
    return a->addr.last + 1 == b->addr.first && a->node == b->node &&
           a->offset + (b->addr.first - a->addr.first) == b->offset && a->readonly == b->readonly;
}

/* The map of a tree on the grid, cell by cell. */
static size_t oracle_map(const struct model *m, int root, struct piece *map)
{
    size_t count = 0;

    for (uint64_t i = 0; i < MODEL_CELLS; i++) {
        struct piece p = {.addr = {i * m->cell, i * m->cell + (m->cell - 1)}};
        if (!oracle(m, root, p.addr.first, false, &p)) {
            continue;
        }
        if (count > 0 && continues(&map[count - 1], &p)) {
            map[count - 1].addr.last = p.addr.last;
        } else {
            map[count++] = p;
        }
    }
    return count;
}

static void check_address(const struct space *s, uint64_t addr)
{
    const struct model *m = s->model;
    const struct flat_range *r = flatview_find(aspace_view(s->as), addr);
    struct piece p;

    if (oracle(m, s->root, addr, false, &p)) {
        must(m, r != NULL && r->region == &m->regions[p.node], "address");
        must(m, r->offset + (addr - r->addr.first) == p.offset, "address");
        must(m, r->readonly == p.readonly, "address");
    } else {
        must(m, r == NULL, "address");
    }
}

/* A hole that the search reports must end where the next range begins. */
static void check_hole_after(const struct space *s, size_t i)
{
    bool last = i + 1 == s->count;
    uint64_t end = last ? UINT64_MAX : s->map[i + 1].addr.first - 1;
    uint64_t addr = s->map[i].addr.last + 1;

    if (addr != 0 && addr <= end) {
        must(s->model, flatview_hole_last(aspace_view(s->as), addr) == end, "hole");
    }
}

/* Off the grid: the boundaries of the view, and places where it may have missed one. */
static void check_odd_map(const struct space *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct range r = s->map[i].addr;
        must(s->model, i == 0 || !continues(&s->map[i - 1], &s->map[i]), "not merged");
        check_address(s, r.first - 1);
        check_address(s, r.first);
        check_address(s, r.first + (r.last - r.first) / 2);
        check_address(s, r.last);
        check_address(s, r.last + 1);
    }
    for (uint64_t i = 0; i < 3 * MODEL_CELLS; i++) {
        check_address(s, i / 3 * s->model->cell + i % 3 - 1);
    }
}

static void check_posted(const struct space *s)
{
    const struct flatview *v = aspace_view(s->as);
    size_t expected = 0;

    for (const struct piece *piece = s->map; piece < s->map + s->count; piece++) {
        const struct node *n = &s->model->nodes[piece->node];
        for (unsigned k = 0; k < n->posted_count && !piece->readonly; k++) {
            struct flat_posted p = {.write = n->posted[k]};
            uint64_t last = p.write.offset + (p.write.size != 0 ? p.write.size - 1 : 0);
            p.addr = piece->addr.first + (p.write.offset - piece->offset);
            if (p.write.offset >= piece->offset &&
                last - piece->offset <= piece->addr.last - piece->addr.first) {
                expected++;
                must(s->model, posted_index(s, &p) < s->posted_count, "posted write missing");
            }
        }
    }
    must(s->model, s->posted_count == expected && v->posted_count == expected, "posted");
    for (size_t i = 1; i < expected; i++) {
        must(s->model, v->posted[i - 1].addr <= v->posted[i].addr, "posted order");
        must(s->model, posted_index(s, &v->posted[i]) < expected, "posted");
    }
}

static void check_space(const struct space *s)
{
    const struct model *m = s->model;
    const struct flatview *v = aspace_view(s->as);
    struct piece map[MODEL_CELLS];

    must(m, v->count == s->count, "listener against view");
    for (size_t i = 0; i < s->count; i++) {
        struct piece p = to_piece(m, &v->ranges[i]);
        must(m, same_piece(&s->map[i], &p), "listener against view");
        check_address(s, p.addr.first);
        check_hole_after(s, i);
    }
    if (m->on_grid) {
        must(m, oracle_map(m, s->root, map) == s->count, "map");
        for (size_t i = 0; i < s->count; i++) {
            must(m, same_piece(&s->map[i], &map[i]), "map");
        }
    } else {
        check_odd_map(s);
    }
    check_posted(s);
}

void model_check(struct model *m)
{
    rank_nodes(m);
    for (unsigned i = 0; i < 2; i++) {
        if (m->spaces[i].as != NULL) {
            check_space(&m->spaces[i]);
        }
    }
}
