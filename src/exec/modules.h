/*
 * Which kernel modules to load, and in which order, by a folder that depmod(8)
 * prepared: modules.dep and modules.builtin.
 *
 * Source: modules.dep(5).
 * Locking: none.
 */
#ifndef EXEC_MODULES_H
#define EXEC_MODULES_H

#include "src/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct module_want {
    const char *name; /* "virtio_blk"; - is the same as _ */
    bool optional;    /* a kernel without it is fine */
};

struct module_list {
    char **files; /* within the folder; each after those it needs */
    size_t count;
};

/* -ENOENT: the folder has no modules.dep, or neither module nor built-in of a name. Free in any
 * case. */
int modules_find(struct module_list *list, const char *dir, const struct module_want *wants,
                 size_t count, struct err *e);
void modules_free(struct module_list *list);

#endif
