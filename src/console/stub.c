/*
 * A console that only writes to standard output; src/console/chardev.c takes its place.
 */
#include "src/console/chardev.h"

#include <stdlib.h>
#include <unistd.h>

struct chardev {
    int fd;
};

struct chardev *chardev_open(const char *spec, struct loop *loop,
                             const struct chardev_escape *escape, struct err *e)
{
    (void)spec, (void)loop, (void)escape, (void)e;
    struct chardev *c = calloc(1, sizeof(*c));
    if (c != NULL) {
        c->fd = STDOUT_FILENO;
    }
    return c;
}

void chardev_free(struct chardev *c)
{
    free(c);
}

void chardev_attach(struct chardev *c, const struct chardev_frontend *frontend)
{
    (void)c, (void)frontend;
}

size_t chardev_write(struct chardev *c, const uint8_t *data, size_t len)
{
    ssize_t n = write(c->fd, data, len);
    return n > 0 ? (size_t)n : 0;
}

void chardev_accept_input(struct chardev *c)
{
    (void)c;
}

void chardev_flush(struct chardev *c)
{
    (void)c;
}
