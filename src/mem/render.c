/*
 * Rendering a region tree into the ranges of a FlatView.
 *
 * A region is rendered through a window: the part of it that can be seen, in
 * its own offsets. Going down, the window shrinks to what child and parent (or
 * alias and target) share, and the address of offset 0 moves along; that address
 * is modulo 2^64, since an alias may show a target whose offset 0 lies "below 0".
 *
 * Pieces lie on a stack. The pieces of one region (or of a run of siblings) are
 * its top part, sorted and free of overlap; overlay() makes one part of two.
 *
 * Locking: the topology's lock is held.
 */
#include "src/mem/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct render {
    struct flat_range *pieces; /* the stack */
    size_t count;
    struct flat_range *scratch; /* of the same capacity, for overlay() */
    size_t capacity;
    unsigned visits, steps; /* work done so far */
};

struct window {
    struct range seen; /* in the region's offsets */
    uint64_t base;     /* address of its offset 0, modulo 2^64 */
    bool readonly;     /* something above is */
    unsigned depth;
};

/* Make room for `count` pieces in all. */
static int reserve(struct render *s, size_t count)
{
    size_t capacity = s->capacity == 0 ? 64 : s->capacity;
    struct flat_range *p;

    while (capacity < count) {
        capacity *= 2;
    }
    if (capacity == s->capacity) {
        return 0;
    }
    p = realloc(s->pieces, capacity * sizeof(*p));
    if (p == NULL) {
        return -ENOMEM;
    }
    s->pieces = p;
    p = realloc(s->scratch, capacity * sizeof(*p));
    if (p == NULL) {
        return -ENOMEM;
    }
    s->scratch = p;
    s->capacity = capacity;
    return 0;
}

static bool continues(const struct flat_range *a, const struct flat_range *b)
{
    return b->region == a->region && b->readonly == a->readonly &&
           b->addr.first - 1 == a->addr.last &&
           b->offset - a->offset == b->addr.first - a->addr.first;
}

/* Push [first, last] of piece p; pieces from `start` on are its neighbours. There is room. */
static void push(struct render *s, size_t start, const struct flat_range *p, struct range part)
{
    struct flat_range piece = *p;

    piece.addr = part;
    piece.offset += part.first - p->addr.first;
    if (s->count > start && continues(&s->pieces[s->count - 1], &piece)) {
        s->pieces[s->count - 1].addr.last = part.last;
    } else {
        s->pieces[s->count++] = piece;
    }
}

/*
 * The pieces at [high, low) lie over those at [low, end) of scratch: push what is
 * seen of both. `rest` is what is not done yet of the lower piece.
 */
static void merge(struct render *s, size_t high, size_t low, size_t end)
{
    const struct flat_range *top = &s->scratch[high], *top_end = &s->scratch[low];
    const struct flat_range *under = top_end, *under_end = &s->scratch[end];
    struct range rest = under->addr;

    while (under < under_end) {
        bool done = false;
        if (top == top_end || rest.last < top->addr.first) {
            push(s, high, under, rest);
            done = true;
        } else if (rest.first < top->addr.first) {
            push(s, high, under, (struct range){rest.first, top->addr.first - 1});
            rest.first = top->addr.first;
        } else if (rest.first > top->addr.last) {
            push(s, high, top, top->addr);
            top++;
        } else if (rest.last > top->addr.last) {
            rest.first = top->addr.last + 1;
        } else {
            done = true; /* the rest is hidden */
        }
        if (done && ++under < under_end) {
            rest = under->addr;
        }
    }
    for (; top < top_end; top++) {
        push(s, high, top, top->addr);
    }
}

/* Make one list of the pieces from `high` and those from `low`, which lie below them. */
static int overlay(struct render *s, size_t high, size_t low)
{
    size_t end = s->count;
    int err;

    if (high == low || low == end) {
        return 0;
    }
    s->steps += (unsigned)(end - high);
    if (s->steps > FLATVIEW_MAX_STEPS) {
        return -E2BIG;
    }
    err = reserve(s, end + (low - high)); /* each upper piece can cut a lower one in two */
    if (err != 0) {
        return err;
    }
    memcpy(&s->scratch[high], &s->pieces[high], (end - high) * sizeof(*s->pieces));
    s->count = high;
    merge(s, high, low, end);
    return s->count > FLATVIEW_MAX_RANGES ? -E2BIG : 0;
}

static int render_region(struct render *s, struct region *r, struct window w);

/* What is seen of child through the window of its parent. */
static int render_child(struct render *s, struct region *child, struct window w)
{
    uint64_t room = UINT64_MAX - child->offset;
    struct range place = {child->offset, child->offset + (child->last < room ? child->last : room)};

    if (!range_intersect(place, w.seen, &w.seen)) {
        return ++s->visits > FLATVIEW_MAX_VISITS ? -E2BIG : 0;
    }
    w.seen.first -= child->offset;
    w.seen.last -= child->offset;
    w.base += child->offset;
    return render_region(s, child, w);
}

/* *next and the n - 1 siblings after it (n is not 0); *next moves on. */
static int render_children(struct render *s, struct region **next, size_t n, struct window w)
{
    size_t high = s->count, low;
    int err;

    if (n == 1) {
        struct region *child = *next;
        *next = child->sibling;
        return render_child(s, child, w);
    }
    err = render_children(s, next, n / 2, w);
    if (err != 0) {
        return err;
    }
    low = s->count;
    err = render_children(s, next, n - n / 2, w);
    return err != 0 ? err : overlay(s, high, low);
}

static int render_alias(struct render *s, struct region *alias, struct window w)
{
    uint64_t room = UINT64_MAX - alias->target_offset;

    if (w.seen.first > room) {
        return 0;
    }
    w.seen.first += alias->target_offset;
    w.seen.last = alias->target_offset + (w.seen.last < room ? w.seen.last : room);
    w.base -= alias->target_offset;
    if (!range_intersect(w.seen, (struct range){0, alias->target->last}, &w.seen)) {
        return 0;
    }
    return render_region(s, alias->target, w);
}

static int push_leaf(struct render *s, struct region *r, const struct window *w)
{
    struct flat_range piece = {
        .addr = {w->base + w->seen.first, w->base + w->seen.last},
        .offset = w->seen.first,
        .region = r,
        .readonly = w->readonly,
    };
    int err = reserve(s, s->count + 1);

    if (err == 0) {
        push(s, s->count, &piece, piece.addr);
    }
    return err;
}

static int render_region(struct render *s, struct region *r, struct window w)
{
    size_t high = s->count, low, n = 0;
    struct region *next = r->children;
    int err = 0;

    if (w.depth++ == FLATVIEW_MAX_DEPTH || ++s->visits > FLATVIEW_MAX_VISITS) {
        return -E2BIG;
    }
    if (!r->enabled) {
        return 0;
    }
    w.readonly = w.readonly || r->readonly || r->kind == REGION_ROM;
    if (r->kind == REGION_ALIAS) {
        return render_alias(s, r, w);
    }
    for (struct region *c = r->children; c != NULL; c = c->sibling) {
        n++;
    }
    if (n != 0) {
        err = render_children(s, &next, n, w);
    }
    if (err != 0 || r->kind == REGION_CONTAINER) {
        return err;
    }
    low = s->count;
    err = push_leaf(s, r, &w);
    return err != 0 ? err : overlay(s, high, low);
}

int render_ranges(struct region *root, struct flatview *v)
{
    struct render s = {0};
    int err = reserve(&s, 1);

    if (err == 0 && root != NULL) {
        err = render_region(&s, root, (struct window){.seen = {0, root->last}});
    }
    free(s.scratch);
    if (err != 0) {
        free(s.pieces);
        return err;
    }
    v->count = s.count;
    v->ranges = s.pieces;
    return 0;
}
