/*
 * A FlatView: one address space as a sorted array of ranges that do not
 * overlap, immutable once rendered.
 *
 * Rendering: each region yields a sorted list of pieces; a container overlays
 * its children's lists, the higher over the lower, pairwise, so that n siblings
 * cost O(n log n). Adjacent pieces that continue one another are merged.
 *
 * Aliases can make a small tree show exponentially much, so a rendering gives up
 * with -E2BIG at any of the limits below.
 */
#ifndef MEM_FLATVIEW_H
#define MEM_FLATVIEW_H

#include "src/base/range.h"
#include "src/mem/region.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ranges of a view, and its posted writes. */
#define FLATVIEW_MAX_RANGES 1000000u
/* Regions looked at, once for each alias that leads there. */
#define FLATVIEW_MAX_VISITS 2000000u
/* Pieces handled while overlaying, and posted writes looked at. */
#define FLATVIEW_MAX_STEPS 32000000u
/* Containers and aliases in one another. */
#define FLATVIEW_MAX_DEPTH 64u

struct flat_range {
    struct range addr;
    uint64_t offset;       /* in region of addr.first */
    struct region *region; /* ram, rom or io; never a container or alias */
    bool readonly;         /* region, or anything above it in the tree, is read-only */
};

/* A posted write at the address where it is visible. */
struct flat_posted {
    uint64_t addr;
    struct posted_write write;
};

struct flatview {
    size_t count;
    struct flat_range *ranges; /* by address */
    uint64_t *firsts;          /* ranges[i].addr.first, dense for the search */
    size_t posted_count;
    struct flat_posted *posted; /* by address, then the other fields */
    struct flatview *retired_next;
    uint64_t retired_epoch;
};

/* Render the tree at root. NULL root: an empty view. -ENOMEM, -E2BIG. The caller frees. */
int flatview_render(struct region *root, struct flatview **out);
void flatview_free(struct flatview *v);

/* The range that holds addr, or NULL. O(log n), does not allocate. */
const struct flat_range *flatview_find(const struct flatview *v, uint64_t addr);

/* The last address of the hole that addr is in (addr itself is in no range). O(log n). */
uint64_t flatview_hole_last(const struct flatview *v, uint64_t addr);

/* Do both describe the same bytes, in the same way? */
bool flat_range_equal(const struct flat_range *a, const struct flat_range *b);

/* The order of flatview.posted: negative, 0 (equal in all fields) or positive. */
int flat_posted_compare(const struct flat_posted *a, const struct flat_posted *b);

#endif
