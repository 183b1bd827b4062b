/*
 * A model of a region tree that knows one thing: what lies at one address, found
 * by walking down from the root (the oracle). It shares no code with the renderer
 * and does not look into struct region.
 *
 * model_check() holds it against address spaces on the tree: a view must be
 * exactly the oracle's map, and a listener's adds and deletes must have rebuilt
 * exactly that map; the same for posted writes.
 */
#ifndef TESTS_MEM_MODEL_H
#define TESTS_MEM_MODEL_H

#include "src/mem/aspace.h"
#include "src/mem/region.h"
#include "src/mem/topology.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_NODES  24
#define MODEL_CELLS  64 /* of the grid */
#define MODEL_POSTED 2  /* for each region */
#define MODEL_MAP    512

struct node {
    enum region_kind kind;
    uint64_t last, offset, target_offset;
    int parent, target; /* indices of nodes; parent -1: none */
    int priority;
    unsigned added; /* number of the region_add() that put it where it is */
    bool enabled, readonly;
    struct posted_write posted[MODEL_POSTED];
    unsigned posted_count;
};

/* What a view says of some addresses. */
struct piece {
    struct range addr;
    uint64_t offset;
    int node;
    bool readonly;
};

/* An address space, and what a listener made of what it was told. */
struct space {
    struct aspace_listener listener;
    struct aspace *as; /* NULL: none */
    const struct model *model;
    int root;
    struct piece map[MODEL_MAP];
    size_t count;
    struct flat_posted posted[MODEL_MAP];
    size_t posted_count;
};

struct model {
    uint64_t seed; /* printed when a check fails */
    struct topology *topo;
    struct region regions[MODEL_NODES]; /* what is tested: number n models as nodes[n] */
    struct node nodes[MODEL_NODES];
    int count;
    unsigned adds;
    /*
     * Bytes of a grid cell, if all offsets and sizes are multiples of it; a root has
     * MODEL_CELLS of them. One address in each cell then proves the whole view.
     * Off the grid the view is probed around its boundaries.
     */
    uint64_t cell;
    bool on_grid;
    struct space spaces[2];
    int by_rank[MODEL_NODES]; /* those that win among siblings first; set by model_check() */
};

/* Fails the test, naming the tree. Criterion's own macros are too slow to run by the million. */
#define must(model, condition, what)                                                               \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            cr_assert_fail("tree seed 0x%lx: %s: %s", (unsigned long)(model)->seed, what,          \
                           #condition);                                                            \
        }                                                                                          \
    } while (0)

/* Does node `from` contain or show node `wanted`? */
bool model_reaches(const struct model *m, int from, int wanted);

/* Make address space number i on node root, with a listener. */
void model_open_space(struct model *m, unsigned i, int root);
void model_close_space(struct model *m, unsigned i);

void model_check(struct model *m);

#endif
