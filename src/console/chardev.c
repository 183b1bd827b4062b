/*
 * Character back ends: see chardev.h. Picks the kind by its name; null, which
 * is the kind without descriptors, is here too.
 */
#include "src/console/chardev.h"

#include "src/base/opts.h"
#include "src/console/backend.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* --- null ------------------------------------------------------------- */

static void null_free(struct chardev *c)
{
    free(c);
}

static void null_attach(struct chardev *c, const struct chardev_frontend *frontend)
{
    (void)c;
    (void)frontend;
}

static size_t null_write(struct chardev *c, const uint8_t *data, size_t len)
{
    (void)c;
    (void)data;
    return len;
}

static void null_nothing(struct chardev *c)
{
    (void)c;
}

static struct chardev *null_open(struct err *e)
{
    static const struct chardev_ops ops = {
        .free = null_free,
        .attach = null_attach,
        .write = null_write,
        .accept_input = null_nothing,
        .flush = null_nothing,
    };
    struct chardev *c = malloc(sizeof(*c));
    if (c == NULL) {
        err_set(e, ENOMEM, "cannot make a console, out of memory");
        return NULL;
    }
    c->ops = &ops;
    return c;
}

/* --- kinds ------------------------------------------------------------ */

static struct chardev *unknown_kind(const char *spec, struct err *e)
{
    static const char *const kinds[] = {"stdio", "null", "file", "pty", "unix"};
    char kind[16];
    size_t len = strcspn(spec, ":");
    len = len < sizeof(kind) ? len : sizeof(kind) - 1;
    memcpy(kind, spec, len);
    kind[len] = '\0';

    err_set(e, EINVAL, "there is no console '%s'", spec);
    err_status(e, EXIT_USAGE);
    const char *nearest = opt_nearest(kind, kinds, sizeof(kinds) / sizeof(kinds[0]));
    if (nearest != NULL && strcmp(nearest, kind) == 0) {
        nearest = NULL; /* the name is right, its path is not */
    }
    err_hint(e, "%s%s%suse stdio, null, file:PATH, pty or unix:PATH",
             nearest != NULL ? "did you mean '" : "", nearest != NULL ? nearest : "",
             nearest != NULL ? "'? " : "");
    return NULL;
}

/* What follows "kind:" in spec, if there is something; else NULL. */
static const char *path_of(const char *spec, const char *kind)
{
    size_t len = strlen(kind);
    bool has_path = strncmp(spec, kind, len) == 0 && spec[len] == ':' && spec[len + 1] != '\0';
    return has_path ? spec + len + 1 : NULL;
}

struct chardev *chardev_open(const char *spec, struct loop *loop,
                             const struct chardev_escape *escape, struct err *e)
{
    const char *path;
    if (strcmp(spec, "null") == 0) {
        return null_open(e);
    }
    signal(SIGPIPE, SIG_IGN); /* a reader that went away is an error of write() */
    if (strcmp(spec, "stdio") == 0) {
        return stdio_open(loop, escape, e);
    }
    if (strcmp(spec, "pty") == 0) {
        return pty_open(loop, e);
    }
    if ((path = path_of(spec, "file")) != NULL) {
        return file_open(loop, path, e);
    }
    if ((path = path_of(spec, "unix")) != NULL) {
        return unix_open(loop, path, e);
    }
    return unknown_kind(spec, e);
}

void chardev_free(struct chardev *c)
{
    if (c != NULL) {
        c->ops->free(c);
    }
}

void chardev_attach(struct chardev *c, const struct chardev_frontend *frontend)
{
    c->ops->attach(c, frontend);
}

size_t chardev_write(struct chardev *c, const uint8_t *data, size_t len)
{
    return c->ops->write(c, data, len);
}

void chardev_accept_input(struct chardev *c)
{
    c->ops->accept_input(c);
}

void chardev_flush(struct chardev *c)
{
    c->ops->flush(c);
}
