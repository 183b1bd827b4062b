/*
 * Byte streams over descriptors: see stream.h.
 */
#include "src/console/stream.h"

#include "src/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FLUSH_DELAY_NS    (20 * NS_PER_MS)
#define LAST_FLUSH_MS     1000
#define HALF_FULL(buffer) (sizeof(buffer) / 2)

int stream_private_fd(int fd, int flags)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        return -1;
    }
    if (S_ISFIFO(st.st_mode) || isatty(fd)) {
        char path[32];
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        int own = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (own >= 0) {
            return own;
        }
    }
    return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* Would read() or write() on fd return at once? For descriptors that may block. */
static bool is_ready(int fd, short events, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = events};
    return poll(&p, 1, timeout_ms) > 0;
}

/* --- output ----------------------------------------------------------- */

/*
 * Write out as much of the buffer as the reader takes without waiting. The lock
 * is held. poll() comes first because the descriptor may be one that blocks:
 * then a pipe that is ready takes up to PIPE_BUF bytes.
 */
static void write_some(struct stream *s)
{
    int fd = s->out_watch.fd;
    bool dropped = fd < 0 || s->out_error != 0 ||
                   (s->hooks->absent != NULL && s->out_len > 0 && s->hooks->absent(s));
    while (!dropped && s->out_len > 0 && !s->blocked) {
        if (!is_ready(fd, POLLOUT, 0)) {
            s->blocked = true;
            break;
        }
        ssize_t n = write(fd, s->out, s->out_len);
        if (n >= 0) {
            s->out_len -= (size_t)n;
            memmove(s->out, s->out + n, s->out_len);
        } else if (errno == EAGAIN) {
            s->blocked = true;
        } else if (errno != EINTR) {
            s->out_error = errno;
            dropped = true;
        }
    }
    if (dropped) {
        s->out_len = 0;
        s->blocked = false;
    }
    if (s->blocked || s->starved || (s->out_error != 0 && !s->told_failed)) {
        bh_schedule(&s->out_bh);
    }
}

static size_t stream_write(struct chardev *c, const uint8_t *data, size_t len)
{
    struct stream *s = (struct stream *)c;
    pthread_mutex_lock(&s->lock);
    size_t room = sizeof(s->out) - s->out_len;
    size_t n = len < room ? len : room;
    memcpy(s->out + s->out_len, data, n);
    s->out_len += n;
    s->starved |= n < len;
    if (s->blocked) { /* EPOLLOUT will come */
        pthread_mutex_unlock(&s->lock);
        return n;
    }
    if (s->out_len >= HALF_FULL(s->out) || memchr(data, '\n', n) != NULL) {
        write_some(s);
    }
    if (s->out_len > 0 && !s->blocked && !timer_armed(&s->flush_timer)) {
        timer_arm(&s->flush_timer, clock_now(loop_clock(s->loop)) + FLUSH_DELAY_NS);
    }
    pthread_mutex_unlock(&s->lock);
    return n;
}

static void stream_flush(struct chardev *c)
{
    struct stream *s = (struct stream *)c;
    pthread_mutex_lock(&s->lock);
    write_some(s);
    pthread_mutex_unlock(&s->lock);
}

static void flush_timer_fired(void *opaque)
{
    stream_flush(opaque);
}

/* The one warning, unless the kind knows better. On the loop's thread, no lock held. */
static void tell_failed(struct stream *s, int error)
{
    if (s->hooks->output_failed != NULL) {
        s->hooks->output_failed(s);
    } else {
        log_warn("%s: output is lost from here on, %s", s->name, strerror(error));
    }
}

/* On the loop's thread: act on what write_some() found. */
static void out_news(void *opaque)
{
    struct stream *s = opaque;
    pthread_mutex_lock(&s->lock);
    if (s->out_watch.fd >= 0) {
        loop_mod_fd(s->loop, &s->out_watch, s->blocked ? EPOLLOUT : 0);
    }
    bool failed = s->out_error != 0 && !s->told_failed;
    int error = s->out_error;
    s->told_failed |= failed;
    bool tell_room = s->starved && s->out_len < sizeof(s->out);
    s->starved &= !tell_room;
    pthread_mutex_unlock(&s->lock);

    if (failed) {
        tell_failed(s, error);
    }
    if (tell_room && s->frontend != NULL && s->frontend->writable != NULL) {
        s->frontend->writable(s->frontend->opaque);
    }
}

static void out_ready(void *opaque, uint32_t events)
{
    (void)events;
    struct stream *s = opaque;
    pthread_mutex_lock(&s->lock);
    s->blocked = false;
    write_some(s);
    pthread_mutex_unlock(&s->lock);
    out_news(s);
}

void stream_set_output(struct stream *s, int fd)
{
    pthread_mutex_lock(&s->lock);
    if (s->out_watch.fd >= 0) {
        loop_del_fd(s->loop, &s->out_watch);
        close(s->out_watch.fd);
    }
    s->out_watch.fd = fd;
    s->out_error = 0;
    s->told_failed = false;
    s->blocked = false;
    write_some(s); /* nobody there: drops what is left, so that nobody waits for room */
    pthread_mutex_unlock(&s->lock);
}

static uint64_t host_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* The last chance of what is buffered: wait for a slow reader, though not for ever. */
static void flush_at_end(struct stream *s)
{
    uint64_t end = host_ms() + LAST_FLUSH_MS;
    uint64_t now;
    do {
        s->blocked = false;
        write_some(s);
        now = host_ms();
    } while (s->blocked && now < end && is_ready(s->out_watch.fd, POLLOUT, (int)(end - now)));
}

/* --- input ------------------------------------------------------------ */

static void end_input(struct stream *s)
{
    if (s->hooks->input_ended != NULL) {
        s->hooks->input_ended(s);
    } else {
        stream_set_input(s, -1, 0);
    }
}

/* Hand the front end what it has room for. */
static void deliver(struct stream *s)
{
    /*
     * The mark comes before the question: a front end that makes room after its
     * answer will see the mark and schedule us again.
     */
    atomic_store(&s->stalled, true);
    while (s->in_len > 0 && s->frontend != NULL) {
        size_t room = s->frontend->can_receive(s->frontend->opaque);
        size_t n = room < s->in_len ? room : s->in_len;
        if (n == 0) {
            return;
        }
        const uint8_t *data = s->in + s->in_first;
        s->in_first += n;
        s->in_len -= n;
        s->frontend->receive(s->frontend->opaque, data, n);
    }
    atomic_store(&s->stalled, s->in_len > 0);
}

/* Read ahead once. True if something came, so that more may wait. */
static bool read_some(struct stream *s)
{
    int fd = s->in_watch.fd;
    if (fd < 0 || s->in_len == sizeof(s->in) || !is_ready(fd, POLLIN, 0)) {
        return false;
    }
    memmove(s->in, s->in + s->in_first, s->in_len);
    s->in_first = 0;
    uint8_t *end = s->in + s->in_len;
    ssize_t n = read(fd, end, sizeof(s->in) - s->in_len);
    if (n > 0) {
        size_t kept = (size_t)n;
        s->in_len += s->hooks->filter != NULL ? s->hooks->filter(s, end, kept) : kept;
        return true;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        end_input(s);
    }
    return false;
}

static void pump_input(void *opaque)
{
    struct stream *s = opaque;
    deliver(s);
    bool more = read_some(s);
    deliver(s);
    bool space = s->in_len < sizeof(s->in);
    if (s->in_watch.fd < 0) {
        return;
    }
    if (s->in_unwatchable || (s->in_events & EPOLLET) != 0) {
        if (more && space) {
            bh_schedule(&s->in_bh);
        }
    } else if (space != s->in_watch.polled) {
        loop_mod_fd(s->loop, &s->in_watch, space ? s->in_events : 0);
    }
}

static void in_ready(void *opaque, uint32_t events)
{
    (void)events; /* read() tells more */
    pump_input(opaque);
}

void stream_set_input(struct stream *s, int fd, uint32_t events)
{
    if (s->in_watch.fd >= 0) {
        loop_del_fd(s->loop, &s->in_watch);
        close(s->in_watch.fd);
    }
    s->in_watch.fd = fd;
    s->in_events = events;
    s->in_unwatchable = false;
    if (fd < 0) {
        return;
    }
    int ret = loop_add_fd(s->loop, &s->in_watch, events);
    if (ret == -EPERM) {
        s->in_unwatchable = true;
        bh_schedule(&s->in_bh);
    } else if (ret < 0) {
        log_warn("%s: input is ignored, %s", s->name, strerror(-ret));
    }
}

static void stream_accept_input(struct chardev *c)
{
    struct stream *s = (struct stream *)c;
    if (atomic_load(&s->stalled)) {
        bh_schedule(&s->in_bh);
    }
}

/* --- the whole -------------------------------------------------------- */

static void stream_attach(struct chardev *c, const struct chardev_frontend *frontend)
{
    struct stream *s = (struct stream *)c;
    s->frontend = frontend;
    pthread_mutex_lock(&s->lock);
    s->starved = false; /* that was another's trouble */
    pthread_mutex_unlock(&s->lock);
    if (frontend != NULL) {
        bh_schedule(&s->in_bh);
    }
}

static void stream_free(struct chardev *c)
{
    struct stream *s = (struct stream *)c;
    flush_at_end(s);
    stream_set_input(s, -1, 0);
    stream_set_output(s, -1);
    timer_cancel(&s->flush_timer);
    bh_cancel(&s->in_bh);
    bh_cancel(&s->out_bh);
    if (s->hooks->release != NULL) {
        s->hooks->release(s);
    }
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void stream_init(struct stream *s, const char *name, const struct stream_hooks *hooks,
                 struct loop *loop)
{
    static const struct chardev_ops ops = {
        .free = stream_free,
        .attach = stream_attach,
        .write = stream_write,
        .accept_input = stream_accept_input,
        .flush = stream_flush,
    };
    s->chardev.ops = &ops;
    s->hooks = hooks;
    s->name = name;
    s->loop = loop;
    s->in_watch = (struct loop_fd){.fd = -1, .ready = in_ready, .opaque = s};
    s->out_watch = (struct loop_fd){.fd = -1, .ready = out_ready, .opaque = s};
    bh_init(&s->in_bh, loop, pump_input, s);
    bh_init(&s->out_bh, loop, out_news, s);
    timer_init(&s->flush_timer, loop, flush_timer_fired, s);
    pthread_mutex_init(&s->lock, NULL);
}
