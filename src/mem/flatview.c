/*
 * FlatViews: looking addresses up, comparing, and the posted writes of a view.
 * How the ranges come about: render.c.
 *
 * Locking: none for a finished view, it is immutable.
 */
#include "src/mem/internal.h"

#include <errno.h>
#include <stdlib.h>

/*
 * How many ranges begin at or below addr. The compiler makes a conditional move
 * of the choice, so random addresses cost no mispredicted branches.
 */
static size_t begun(const struct flatview *v, uint64_t addr)
{
    const uint64_t *base = v->firsts;
    size_t n = v->count;

    while (n > 1) {
        size_t half = n / 2;
        base = base[half] <= addr ? base + half : base;
        n -= half;
    }
    return (size_t)(base - v->firsts) + (n == 1 && *base <= addr);
}

const struct flat_range *flatview_find(const struct flatview *v, uint64_t addr)
{
    size_t n = begun(v, addr);

    if (n == 0 || v->ranges[n - 1].addr.last < addr) {
        return NULL;
    }
    return &v->ranges[n - 1];
}

uint64_t flatview_hole_last(const struct flatview *v, uint64_t addr)
{
    size_t n = begun(v, addr);

    return n == v->count ? UINT64_MAX : v->firsts[n] - 1;
}

bool flat_range_equal(const struct flat_range *a, const struct flat_range *b)
{
    return range_equal(a->addr, b->addr) && a->offset == b->offset && a->region == b->region &&
           a->readonly == b->readonly;
}

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

int flat_posted_compare(const struct flat_posted *a, const struct flat_posted *b)
{
    const uint64_t keys[][2] = {
        {a->addr, b->addr},
        {a->write.size, b->write.size},
        {a->write.value, b->write.value},
        {a->write.kind, b->write.kind},
        {a->write.match, b->write.match},
        {(uint64_t)a->write.fd, (uint64_t)b->write.fd},
        {a->write.offset, b->write.offset},
    };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (keys[i][0] != keys[i][1]) {
            return compare(keys[i][0], keys[i][1]);
        }
    }
    return 0;
}

static int compare_posted(const void *a, const void *b)
{
    return flat_posted_compare(a, b);
}

/* Append p if all its bytes are seen in range r. The list grows to powers of two. */
static int add_posted(struct flatview *v, const struct flat_range *r, const struct posted_write *p)
{
    struct range bytes = {p->offset, p->offset + (p->size != 0 ? p->size - 1 : 0)};
    struct range seen = {r->offset, r->offset + (r->addr.last - r->addr.first)};
    size_t n = v->posted_count;

    if (bytes.first < seen.first || bytes.last > seen.last) {
        return 0;
    }
    if (n == FLATVIEW_MAX_RANGES) {
        return -E2BIG;
    }
    if ((n & (n - 1)) == 0) {
        struct flat_posted *list = realloc(v->posted, (n == 0 ? 1 : 2 * n) * sizeof(*list));
        if (list == NULL) {
            return -ENOMEM;
        }
        v->posted = list;
    }
    v->posted[v->posted_count++] = (struct flat_posted){
        .addr = r->addr.first + (p->offset - r->offset),
        .write = *p,
    };
    return 0;
}

/* A guest's writes to a read-only range are refused, so none of them is posted. */
static int render_posted(struct flatview *v)
{
    uint64_t steps = 0;

    for (const struct flat_range *r = v->ranges; r < v->ranges + v->count; r++) {
        size_t n = r->readonly ? 0 : r->region->posted_count;
        steps += n;
        if (steps > FLATVIEW_MAX_STEPS) {
            return -E2BIG;
        }
        for (size_t i = 0; i < n; i++) {
            int err = add_posted(v, r, &r->region->posted[i]);
            if (err != 0) {
                return err;
            }
        }
    }
    if (v->posted_count != 0) {
        qsort(v->posted, v->posted_count, sizeof(*v->posted), compare_posted);
    }
    return 0;
}

static int render_firsts(struct flatview *v)
{
    v->firsts = malloc((v->count + 1) * sizeof(*v->firsts));
    if (v->firsts == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < v->count; i++) {
        v->firsts[i] = v->ranges[i].addr.first;
    }
    return 0;
}

int flatview_render(struct region *root, struct flatview **out)
{
    struct flatview *v = calloc(1, sizeof(*v));
    int err;

    if (v == NULL) {
        return -ENOMEM;
    }
    err = render_ranges(root, v);
    if (err == 0) {
        err = render_firsts(v);
    }
    if (err == 0) {
        err = render_posted(v);
    }
    if (err != 0) {
        flatview_free(v);
        return err;
    }
    *out = v;
    return 0;
}

void flatview_free(struct flatview *v)
{
    if (v == NULL) {
        return;
    }
    free(v->ranges);
    free(v->firsts);
    free(v->posted);
    free(v);
}
