/*
 * A watched console: see watch.h.
 *
 * The text is looked for byte by byte: `matched` is how many of its first bytes the line
 * ends with. When the next byte does not fit, the longest shorter beginning that the line ends
 * with as well is tried; those are worked out once, in `shorter` (Knuth, Morris and Pratt).
 */
#include "src/console/watch.h"

#include "src/console/backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct watch {
    struct chardev chardev; /* first */
    struct chardev *inner;
    void (*seen)(void *opaque);
    void *opaque;
    size_t matched, len;
    size_t *shorter; /* of a match of n bytes: element n - 1 */
    char text[];
};

static struct watch *watch_of(struct chardev *c)
{
    return (struct watch *)(void *)c;
}

/* How many bytes of the text match after one more byte, `matched` having matched before. */
static size_t extend(const struct watch *w, size_t matched, char byte)
{
    while (matched > 0 && (matched == w->len || w->text[matched] != byte)) {
        matched = w->shorter[matched - 1];
    }
    return w->text[matched] == byte ? matched + 1 : 0;
}

static void watch_free(struct chardev *c)
{
    struct watch *w = watch_of(c);

    chardev_free(w->inner);
    free(w->shorter);
    free(w);
}

static void watch_attach(struct chardev *c, const struct chardev_frontend *frontend)
{
    chardev_attach(watch_of(c)->inner, frontend);
}

/* What the inner console took: the rest comes again. */
static size_t watch_write(struct chardev *c, const uint8_t *data, size_t len)
{
    struct watch *w = watch_of(c);
    const size_t taken = chardev_write(w->inner, data, len);

    for (size_t i = 0; i < taken; i++) {
        w->matched = data[i] == '\n' ? 0 : extend(w, w->matched, (char)data[i]);
        if (w->matched == w->len) {
            w->seen(w->opaque);
        }
    }
    return taken;
}

static void watch_accept_input(struct chardev *c)
{
    chardev_accept_input(watch_of(c)->inner);
}

static void watch_flush(struct chardev *c)
{
    chardev_flush(watch_of(c)->inner);
}

struct chardev *chardev_watch(struct chardev *c, const char *text, void (*seen)(void *opaque),
                              void *opaque, struct err *e)
{
    static const struct chardev_ops ops = {
        .free = watch_free,
        .attach = watch_attach,
        .write = watch_write,
        .accept_input = watch_accept_input,
        .flush = watch_flush,
    };
    const size_t len = strlen(text);
    struct watch *w = calloc(1, sizeof(*w) + len + 1);

    if (w != NULL) {
        w->shorter = calloc(len, sizeof(w->shorter[0]));
    }
    if (w == NULL || w->shorter == NULL) {
        free(w);
        chardev_free(c);
        err_set(e, ENOMEM, "cannot watch the console, out of memory");
        return NULL;
    }
    w->chardev.ops = &ops;
    w->inner = c;
    w->seen = seen;
    w->opaque = opaque;
    w->len = len;
    memcpy(w->text, text, len + 1);
    for (size_t n = 1; n < len; n++) {
        w->shorter[n] = extend(w, w->shorter[n - 1], text[n]);
    }
    return &w->chardev;
}
