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

#endif
