/*
 * A console that only writes, to a file: file:PATH.
 */
#include "src/console/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct chardev *file_open(struct loop *loop, const char *path, struct err *e)
{
    static const struct stream_hooks hooks = {0};
    /* O_NONBLOCK: a FIFO without a reader must be an error, not a wait. */
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644);
    if (fd < 0) {
        err_set(e, errno, "cannot write the console to '%s', %s", path, strerror(errno));
        if (errno == ENXIO) {
            err_hint(e, "start what reads this pipe first");
        }
        return NULL;
    }
    struct stream *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        close(fd);
        err_set(e, ENOMEM, "cannot make a console, out of memory");
        return NULL;
    }
    stream_init(s, "console file", &hooks, loop);
    stream_set_output(s, fd);
    return &s->chardev;
}
