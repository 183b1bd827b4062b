/*
 * vmm's standard streams: see streams.h.
 */
#include "src/exec/streams.h"

#include "src/base/log.h"
#include "src/console/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* --- output ------------------------------------------------------------------------------ */

static void sink_close(struct sink *s)
{
    if (s->watch.fd >= 0) {
        loop_del_fd(s->loop, &s->watch);
        close(s->watch.fd);
        s->watch.fd = -1;
    }
}

static void sink_failed(struct sink *s, int error)
{
    s->error = error == EPIPE ? 0 : error;
    s->ring.count = 0;
    sink_close(s);
}

/* No more than this at once to what may not be O_NONBLOCK: a pipe that is ready has room for it. */
#define AT_ONCE 4096

static void sink_write(struct sink *s)
{
    while (s->ring.count > 0 && s->watch.fd >= 0) {
        struct pollfd p = {.fd = s->watch.fd, .events = POLLOUT};
        size_t len;
        const uint8_t *data = ring_piece(&s->ring, &len);

        if (poll(&p, 1, 0) == 0) {
            return;
        }
        const ssize_t n = write(s->watch.fd, data, len < AT_ONCE ? len : AT_ONCE);
        if (n >= 0) {
            ring_drop(&s->ring, (size_t)n);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            sink_failed(s, errno);
        }
    }
}

static void sink_turn(struct sink *s)
{
    sink_write(s);
    if (s->watch.fd >= 0) { /* of a file, which is always ready, nothing is left */
        loop_mod_fd(s->loop, &s->watch, s->ring.count > 0 ? EPOLLOUT : 0);
    }
    s->changed(s->opaque);
}

static void sink_ready(void *opaque, uint32_t events)
{
    (void)events;
    sink_turn(opaque);
}

void sink_put(struct sink *s, const uint8_t *data, size_t len)
{
    if (s->watch.fd < 0) {
        return;
    }
    ring_put(&s->ring, data, len);
    sink_turn(s);
}

void sink_init(struct sink *s, struct loop *loop, int fd, void (*changed)(void *opaque),
               void *opaque)
{
    s->loop = loop;
    s->changed = changed;
    s->opaque = opaque;
    s->ring = (struct ring){.data = s->bytes, .size = sizeof(s->bytes)};
    s->watch =
        (struct loop_fd){.fd = stream_private_fd(fd, O_WRONLY), .ready = sink_ready, .opaque = s};
}

void sink_destroy(struct sink *s)
{
    if (s->loop != NULL) {
        sink_write(s);
        sink_close(s);
    }
}

/* --- input -------------------------------------------------------------------------------- */

void source_close(struct source *s)
{
    if (s->loop != NULL && s->watch.fd >= 0) {
        loop_del_fd(s->loop, &s->watch);
        bh_cancel(&s->again);
        close(s->watch.fd);
        s->watch.fd = -1;
    }
}

static void source_read(struct source *s)
{
    uint8_t bytes[FRAME_PAYLOAD_MAX];
    const size_t room = s->room(s->opaque);
    const size_t most = room < sizeof(bytes) ? room : sizeof(bytes);
    const ssize_t n = most > 0 ? read(s->watch.fd, bytes, most) : -1;

    if (n > 0) {
        s->take(s->opaque, bytes, (size_t)n);
    } else if (most > 0 && (n == 0 || (errno != EAGAIN && errno != EINTR))) {
        if (n < 0 && errno != EBADF) { /* that is input that was closed before vmm began */
            log_warn("cannot read standard input, %s: for the program it ends here",
                     strerror(errno));
        }
        source_close(s);
        s->take(s->opaque, NULL, 0);
    }
    source_update(s);
}

static void source_ready(void *opaque, uint32_t events)
{
    (void)events;
    source_read(opaque);
}

static void source_again(void *opaque)
{
    struct source *s = opaque;

    if (s->watch.fd >= 0) {
        source_read(s);
    }
}

void source_update(struct source *s)
{
    if (s->watch.fd < 0) {
        return;
    }
    const uint32_t events = s->room(s->opaque) > 0 ? EPOLLIN : 0;
    if (loop_mod_fd(s->loop, &s->watch, events) < 0) { /* a file */
        bh_schedule(&s->again);
    }
}

void source_init(struct source *s, struct loop *loop, int fd, size_t (*room)(void *opaque),
                 void (*take)(void *opaque, const uint8_t *data, size_t len), void *opaque)
{
    s->loop = loop;
    s->room = room;
    s->take = take;
    s->opaque = opaque;
    s->watch =
        (struct loop_fd){.fd = stream_private_fd(fd, O_RDONLY), .ready = source_ready, .opaque = s};
    bh_init(&s->again, loop, source_again, s);
}
