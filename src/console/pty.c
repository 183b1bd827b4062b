/*
 * The console on a new pseudo-terminal. Its name is printed on stderr; programs
 * come and go at the other end, and output while nobody is there is dropped.
 *
 * Linux reports "nobody has the other end open" as a hang-up of this end, for
 * as long as that lasts and without an event when it ends: hence the
 * edge-triggered watch, and a look before each output.
 */
#include "src/base/log.h"
#include "src/console/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <termios.h>
#include <unistd.h>

static bool nobody_there(struct stream *s)
{
    struct pollfd p = {.fd = s->out_watch.fd, .events = POLLOUT};
    return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP) != 0;
}

/* A hang-up: somebody may come (again). */
static void keep_waiting(struct stream *s)
{
    (void)s;
}

/*
 * Open the other end once: raw, so that nothing is echoed back as input, and so
 * that its close begins the state of hang-up.
 */
static int prepare_other_end(int fd, char *name, size_t size)
{
    if (grantpt(fd) < 0 || unlockpt(fd) < 0) {
        return -1;
    }
    int error = ptsname_r(fd, name, size);
    if (error != 0) {
        errno = error;
        return -1;
    }
    int other = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (other < 0) {
        return -1;
    }
    struct termios mode;
    int ret = tcgetattr(other, &mode);
    if (ret == 0) {
        cfmakeraw(&mode);
        ret = tcsetattr(other, TCSANOW, &mode);
    }
    close(other);
    return ret;
}

struct chardev *pty_open(struct loop *loop, struct err *e)
{
    static const struct stream_hooks hooks = {.input_ended = keep_waiting, .absent = nobody_there};
    char name[64];
    struct stream *s = calloc(1, sizeof(*s));
    int in = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    int out = in >= 0 ? fcntl(in, F_DUPFD_CLOEXEC, 0) : -1;
    if (s == NULL || out < 0 || prepare_other_end(in, name, sizeof(name)) < 0) {
        err_set(e, errno, "cannot make a pseudo-terminal, %s", strerror(errno));
        err_hint(e, "/dev/pts must be mounted and /proc/sys/kernel/pty/nr below pty/max");
        if (in >= 0) {
            close(in);
        }
        if (out >= 0) {
            close(out);
        }
        free(s);
        return NULL;
    }
    stream_init(s, "pty", &hooks, loop);
    stream_set_input(s, in, EPOLLIN | EPOLLET);
    stream_set_output(s, out);
    log_info("console is on %s", name);
    return &s->chardev;
}
