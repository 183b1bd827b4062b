/*
 * The inside of a chardev: what each kind of back end implements. The functions
 * of chardev.h only pass on to these, under the same contracts.
 */
#ifndef CONSOLE_BACKEND_H
#define CONSOLE_BACKEND_H

#include "src/console/chardev.h"

struct chardev_ops {
    void (*free)(struct chardev *c);
    void (*attach)(struct chardev *c, const struct chardev_frontend *frontend);
    size_t (*write)(struct chardev *c, const uint8_t *data, size_t len);
    void (*accept_input)(struct chardev *c);
    void (*flush)(struct chardev *c);
};

/* A back end's own struct begins with this. */
struct chardev {
    const struct chardev_ops *ops;
};

/* The kinds. path: what follows the colon. All return NULL with e set on failure. */
struct chardev *stdio_open(struct loop *loop, const struct chardev_escape *escape, struct err *e);
struct chardev *file_open(struct loop *loop, const char *path, struct err *e);
struct chardev *pty_open(struct loop *loop, struct err *e);
struct chardev *unix_open(struct loop *loop, const char *path, struct err *e);

#endif
