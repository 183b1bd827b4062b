/*
 * The console in memory: see memory.h.
 */
#include "src/console/memory.h"

#include "src/base/log.h"
#include "src/console/backend.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 256

struct memory_console {
    struct chardev chardev;

    /* output */
    pthread_mutex_t lock;
    char *text;        /* room bytes; NUL behind the last byte. NULL: none yet */
    size_t len, first; /* bytes in it; the first `first` are forgotten */
    size_t room;
    bool full; /* output was lost, and warned of */
    void (*watch)(void *opaque, const char *text, size_t len);
    void *opaque;

    /* input */
    struct bh in_bh;
    const struct chardev_frontend *frontend;
    _Atomic bool stalled; /* input waits for room in the front end */
    uint8_t *in;
    size_t in_first, in_len; /* in[]: what was sent and not delivered */
};

static struct memory_console *of(struct chardev *chardev)
{
    return (struct memory_console *)(void *)chardev;
}

/* --- output ----------------------------------------------------------- */

static void drop_forgotten(struct memory_console *c)
{
    c->len -= c->first;
    memmove(c->text, c->text + c->first, c->len + 1);
    c->first = 0;
}

/* Room for n more bytes and NUL. */
static bool make_room(struct memory_console *c, size_t n)
{
    size_t room = c->room != 0 ? c->room : FIRST_ROOM;
    if (c->first > c->len / 2) {
        drop_forgotten(c);
    }
    if (n > MEMORY_CONSOLE_MAX - (c->len - c->first)) {
        return false;
    }
    while (room < c->len + n + 1) {
        room *= 2;
    }
    char *grown = room != c->room ? realloc(c->text, room) : c->text;
    if (grown == NULL) {
        return false;
    }
    c->text = grown;
    c->room = room;
    return true;
}

static size_t console_write(struct chardev *chardev, const uint8_t *data, size_t len)
{
    struct memory_console *c = of(chardev);
    bool tell = false;
    pthread_mutex_lock(&c->lock);
    if (make_room(c, len)) {
        memcpy(c->text + c->len, data, len);
        c->len += len;
        c->text[c->len] = '\0';
        if (c->watch != NULL) {
            c->watch(c->opaque, c->text + c->first, c->len - c->first);
        }
    } else {
        tell = !c->full;
        c->full = true;
    }
    pthread_mutex_unlock(&c->lock);
    if (tell) {
        log_warn("console: output is lost, %lu bytes wait to be looked at", MEMORY_CONSOLE_MAX);
    }
    return len;
}

const char *memory_console_text(struct chardev *chardev, size_t *len)
{
    struct memory_console *c = of(chardev);
    pthread_mutex_lock(&c->lock);
    const char *text = c->text != NULL ? c->text + c->first : "";
    *len = c->len - c->first;
    pthread_mutex_unlock(&c->lock);
    return text;
}

void memory_console_forget(struct chardev *chardev, size_t n)
{
    struct memory_console *c = of(chardev);
    pthread_mutex_lock(&c->lock);
    c->first += n;
    pthread_mutex_unlock(&c->lock);
}

void memory_console_watch(struct chardev *chardev,
                          void (*fn)(void *opaque, const char *text, size_t len), void *opaque)
{
    struct memory_console *c = of(chardev);
    pthread_mutex_lock(&c->lock);
    c->watch = fn;
    c->opaque = opaque;
    pthread_mutex_unlock(&c->lock);
}

/* --- input ------------------------------------------------------------ */

static void deliver(void *opaque)
{
    struct memory_console *c = opaque;
    /* Before the question, so that room made after the answer schedules us again. */
    atomic_store(&c->stalled, true);
    while (c->in_len > 0 && c->frontend != NULL) {
        const size_t room = c->frontend->can_receive(c->frontend->opaque);
        const size_t n = room < c->in_len ? room : c->in_len;
        if (n == 0) {
            return;
        }
        const uint8_t *data = c->in + c->in_first;
        c->in_first += n;
        c->in_len -= n;
        c->frontend->receive(c->frontend->opaque, data, n);
    }
    atomic_store(&c->stalled, c->in_len > 0);
}

int memory_console_send(struct chardev *chardev, const void *data, size_t len)
{
    struct memory_console *c = of(chardev);
    if (len > MEMORY_CONSOLE_INPUT_MAX - c->in_len) {
        return -ENOSPC;
    }
    uint8_t *in = malloc(c->in_len + len + 1); /* never of size 0 */
    if (in == NULL) {
        return -ENOMEM;
    }
    if (c->in_len != 0) {
        memcpy(in, c->in + c->in_first, c->in_len);
    }
    if (len != 0) {
        memcpy(in + c->in_len, data, len);
    }
    free(c->in);
    c->in = in;
    c->in_first = 0;
    c->in_len += len;
    bh_schedule(&c->in_bh);
    return 0;
}

static void console_accept_input(struct chardev *chardev)
{
    struct memory_console *c = of(chardev);
    if (atomic_load(&c->stalled)) {
        bh_schedule(&c->in_bh);
    }
}

/* --- the whole -------------------------------------------------------- */

static void console_attach(struct chardev *chardev, const struct chardev_frontend *frontend)
{
    struct memory_console *c = of(chardev);
    c->frontend = frontend;
    if (frontend != NULL && c->in_len > 0) {
        bh_schedule(&c->in_bh);
    }
}

static void console_flush(struct chardev *chardev)
{
    (void)chardev;
}

static void console_free(struct chardev *chardev)
{
    struct memory_console *c = of(chardev);
    bh_cancel(&c->in_bh);
    pthread_mutex_destroy(&c->lock);
    free(c->text);
    free(c->in);
    free(c);
}

struct chardev *memory_open(struct loop *loop, struct err *e)
{
    static const struct chardev_ops ops = {
        .free = console_free,
        .attach = console_attach,
        .write = console_write,
        .accept_input = console_accept_input,
        .flush = console_flush,
    };
    struct memory_console *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        err_set(e, ENOMEM, "cannot make a console, out of memory");
        return NULL;
    }
    c->chardev.ops = &ops;
    pthread_mutex_init(&c->lock, NULL);
    bh_init(&c->in_bh, loop, deliver, c);
    return &c->chardev;
}
