/*
 * Device trees: writing one node after the other, and what is the same on every
 * machine that has one: /chosen, and files. A tree is a block of TREE_MAX bytes on
 * the heap, of which tree_size() are in use; free() it.
 *
 * Source: Devicetree Specification 0.4; libfdt.
 * Locking: none.
 */
#ifndef ARCH_TREE_H
#define ARCH_TREE_H

#include "src/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREE_MAX 0x200000 /* the most that arm64's boot protocol takes */

/* --- writing: from the root down; the first failure is kept for tree_finish() --- */

struct tree {
    void *blob;
    int err; /* libfdt's */
};

int tree_start(struct tree *t, struct err *e);
int tree_finish(struct tree *t, void **blob, struct err *e);

void tree_begin(struct tree *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void tree_end(struct tree *t);

void tree_bytes(struct tree *t, const char *name, const void *value, size_t len);
void tree_flag(struct tree *t, const char *name);
void tree_string(struct tree *t, const char *name, const char *value);
void tree_cells(struct tree *t, const char *name, const uint32_t *cells, size_t count);

/* A list of strings: a literal with a \0 between each two. */
#define TREE_STRINGS(t, name, list) tree_bytes((t), (name), (list), sizeof(list))

#define TREE_CELLS(t, name, ...)                                                                   \
    tree_cells((t), (name), (const uint32_t[]){__VA_ARGS__},                                       \
               sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* An address or a size, as two cells. */
#define TREE_WIDE(n) (uint32_t)((uint64_t)(n) >> 32), (uint32_t)(n)

/* --- whole trees --- */

/* What a kernel is told besides the machine. */
struct tree_chosen {
    const char *bootargs;
    bool keep_bootargs;           /* those of the tree win, if it has any */
    uint64_t initrd, initrd_size; /* size 0: none */
};

/* Put it into /chosen, with fresh random seeds, in place of what is there. */
int tree_choose(void *blob, const struct tree_chosen *c, struct err *e);

/* From and to a file. What is read is checked to be a whole tree. */
int tree_read(const char *path, void **blob, struct err *e);
int tree_write(const void *blob, const char *path, struct err *e);

size_t tree_size(const void *blob);

#endif
