/*
 * The console on stdin and stdout, with Ctrl-A keys if stdin is a terminal.
 */
#include "src/base/log.h"
#include "src/console/stream.h"
#include "src/console/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CTRL_A 0x01

struct stdio {
    struct stream stream;
    struct chardev_escape escape;
    bool after_ctrl_a; /* the next byte is a key */
};

static void help(void)
{
    log_info("Ctrl-A x      quit");
    log_info("Ctrl-A c      monitor");
    log_info("Ctrl-A Ctrl-A send a Ctrl-A to the guest");
    log_info("Ctrl-A h      this help");
}

/* The key after a Ctrl-A. True if it is to be sent to the guest. Unknown keys do nothing. */
static bool press(const struct chardev_escape *escape, uint8_t key)
{
    switch (key) {
    case CTRL_A:
        return true;
    case 'x':
        if (escape->quit != NULL) {
            escape->quit(escape->opaque);
        }
        return false;
    case 'c':
        if (escape->monitor != NULL) {
            escape->monitor(escape->opaque);
        } else {
            log_info("there is no monitor");
        }
        return false;
    case 'h':
        help();
        return false;
    default:
        return false;
    }
}

static size_t take_keys(struct stream *s, uint8_t *data, size_t len)
{
    struct stdio *d = (struct stdio *)s;
    size_t kept = 0;
    for (size_t i = 0; i < len; i++) {
        if (d->after_ctrl_a) {
            d->after_ctrl_a = false;
            if (press(&d->escape, data[i])) {
                data[kept++] = data[i];
            }
        } else if (data[i] == CTRL_A) {
            d->after_ctrl_a = true;
        } else {
            data[kept++] = data[i];
        }
    }
    return kept;
}

static void restore(struct stream *s)
{
    (void)s;
    chardev_restore_terminal();
}

struct chardev *stdio_open(struct loop *loop, const struct chardev_escape *escape, struct err *e)
{
    static const struct stream_hooks with_keys = {.filter = take_keys, .release = restore};
    static const struct stream_hooks plain = {.release = restore};
    struct stdio *d = calloc(1, sizeof(*d));
    if (d == NULL) {
        err_set(e, ENOMEM, "cannot make a console, out of memory");
        return NULL;
    }
    bool terminal = isatty(STDIN_FILENO);
    if (terminal && terminal_make_raw(e) < 0) {
        free(d);
        return NULL;
    }
    bool keys = terminal && escape != NULL;
    if (keys) {
        d->escape = *escape;
    }
    stream_init(&d->stream, "stdout", keys ? &with_keys : &plain, loop);
    stream_set_input(&d->stream, stream_private_fd(STDIN_FILENO, O_RDONLY), EPOLLIN);
    stream_set_output(&d->stream, stream_private_fd(STDOUT_FILENO, O_WRONLY));
    return &d->stream.chardev;
}
