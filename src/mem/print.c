/*
 * Listings of a region tree and of a view, for people who know QEMU's
 * `info mtree` and `info mtree -f`: the same lines.
 *
 * Locking: holds the topology's lock while printing.
 */
#include "src/mem/internal.h"

#include <inttypes.h>
#include <stdlib.h>

/* readonly: something between the address space and r is. */
static const char *type_name(const struct region *r, bool readonly)
{
    for (; r->kind == REGION_ALIAS; r = r->target) {
        readonly = readonly || r->readonly;
    }
    if (r->kind == REGION_ROM) {
        return "rom";
    }
    if (r->kind == REGION_RAM) {
        return readonly || r->readonly ? "rom" : "ram";
    }
    return "i/o";
}

/* Targets of aliases, each once, in the order they were met. */
struct targets {
    uint64_t mark;
    struct region *first, **end;
};

static void note_target(struct targets *t, struct region *r)
{
    if (r->mark != t->mark) {
        r->mark = t->mark;
        r->todo = NULL;
        *t->end = r;
        t->end = &r->todo;
    }
}

static int by_address(const void *a, const void *b)
{
    const struct region *x = *(const struct region *const *)a;
    const struct region *y = *(const struct region *const *)b;

    if (x->offset != y->offset) {
        return x->offset < y->offset ? -1 : 1;
    }
    return (y->priority > x->priority) - (y->priority < x->priority);
}

/* The children of r by address, NULL-terminated, to be freed; NULL when out of memory. */
static struct region **sorted_children(const struct region *r)
{
    struct region **list;
    size_t n = 0;

    for (struct region *c = r->children; c != NULL; c = c->sibling) {
        n++;
    }
    list = calloc(n + 1, sizeof(*list));
    if (list != NULL) {
        n = 0;
        for (struct region *c = r->children; c != NULL; c = c->sibling) {
            list[n++] = c;
        }
        qsort(list, n, sizeof(*list), by_address);
    }
    return list;
}

static void print_region(const struct region *r, uint64_t first, FILE *out)
{
    uint64_t last = r->last <= UINT64_MAX - first ? first + r->last : UINT64_MAX;

    fprintf(out, "%016" PRIx64 "-%016" PRIx64 " (prio %d, %s): ", first, last, r->priority,
            type_name(r, false));
    if (r->kind == REGION_ALIAS) {
        uint64_t room = UINT64_MAX - r->target_offset;
        fprintf(out, "alias %s @%s %016" PRIx64 "-%016" PRIx64 "\n", r->name, r->target->name,
                r->target_offset, r->target_offset + (r->last < room ? r->last : room));
    } else {
        fprintf(out, "%s\n", r->name);
    }
}

static void print_tree(struct region *r, uint64_t first, unsigned level, struct targets *targets,
                       FILE *out)
{
    struct region **children;

    if (!r->enabled || level > FLATVIEW_MAX_DEPTH) {
        return;
    }
    fprintf(out, "%*s", 2 * (int)level, "");
    print_region(r, first, out);
    if (r->kind == REGION_ALIAS) {
        note_target(targets, r->target);
    }
    children = sorted_children(r);
    for (struct region **c = children; c != NULL && *c != NULL; c++) {
        print_tree(*c, first + (*c)->offset, level + 1, targets, out);
    }
    free(children);
}

void aspace_print_tree(const struct aspace *as, FILE *out)
{
    struct targets targets = {.end = &targets.first};

    topology_begin(as->topo);
    targets.mark = ++as->topo->mark;
    fprintf(out, "address-space: %s\n", as->name);
    if (as->root != NULL) {
        print_tree(as->root, 0, 1, &targets, out);
    }
    fputc('\n', out);
    for (struct region *r = targets.first; r != NULL; r = r->todo) {
        fprintf(out, "memory-region: %s\n", r->name);
        print_tree(r, 0, 1, &targets, out);
        fputc('\n', out);
    }
    topology_commit(as->topo);
}

/* Number of as among the address spaces of its topology. */
static unsigned view_number(const struct aspace *as)
{
    unsigned n = 0;

    for (const struct aspace *a = as->topo->aspaces; a != as; a = a->next) {
        n++;
    }
    return n;
}

void aspace_print_view(const struct aspace *as, FILE *out)
{
    const char *root = as->root != NULL ? as->root->name : "(none)";
    bool alias = as->root != NULL && as->root->kind == REGION_ALIAS;
    const struct flatview *v;

    topology_begin(as->topo);
    v = current_view(as);
    fprintf(out, "FlatView #%u\n AS \"%s\", root: %s%s%s\n Root memory region: %s\n",
            view_number(as), as->name, root, alias ? ", alias " : "",
            alias ? as->root->target->name : "", root);
    for (const struct flat_range *r = v->ranges; r < v->ranges + v->count; r++) {
        fprintf(out, "  %016" PRIx64 "-%016" PRIx64 " (prio %d, %s): %s", r->addr.first,
                r->addr.last, r->region->priority, type_name(r->region, r->readonly),
                r->region->name);
        if (r->offset != 0) {
            fprintf(out, " @%016" PRIx64, r->offset);
        }
        fputc('\n', out);
    }
    if (v->count == 0) {
        fputs("  No rendered FlatView\n", out);
    }
    fputc('\n', out);
    topology_commit(as->topo);
}
