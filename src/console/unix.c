/*
 * The console on a unix socket: unix:PATH. Listens; one client at a time, the
 * next waits until the first has gone. Output without a client is dropped.
 *
 * A client that has said all it will say (shut its writing side) still gets
 * output until it closes.
 */
#include "src/console/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct unix_server {
    struct stream stream;
    struct loop_fd listener;
    struct loop_fd hang_up; /* fd -1: the client has not ended its input */
    struct sockaddr_un address;
    dev_t dev; /* of our socket file: another's is not removed at the end */
    ino_t ino;
};

/* --- clients ---------------------------------------------------------- */

static void drop_client(struct unix_server *u)
{
    stream_set_input(&u->stream, -1, 0);
    stream_set_output(&u->stream, -1);
    if (u->hang_up.fd >= 0) {
        loop_del_fd(u->stream.loop, &u->hang_up);
        close(u->hang_up.fd);
        u->hang_up.fd = -1;
    }
    loop_mod_fd(u->stream.loop, &u->listener, EPOLLIN | EPOLLET);
}

static void client_hung_up(void *opaque, uint32_t events)
{
    (void)events;
    drop_client(opaque);
}

static void client_input_ended(struct stream *s)
{
    struct unix_server *u = (struct unix_server *)s;
    u->hang_up.fd = fcntl(s->in_watch.fd, F_DUPFD_CLOEXEC, 0);
    stream_set_input(s, -1, 0);
    if (u->hang_up.fd < 0 || loop_add_fd(s->loop, &u->hang_up, EPOLLHUP) < 0) {
        drop_client(u);
    }
}

/* The client has closed. What it said before is still read; the end of that drops it. */
static void client_output_failed(struct stream *s)
{
    stream_set_output(s, -1);
}

static void client_waits(void *opaque, uint32_t events)
{
    struct unix_server *u = opaque;
    (void)events;
    int in = accept4(u->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (in < 0) {
        return; /* it has gone again, or descriptors are short; the next one is a new event */
    }
    int out = fcntl(in, F_DUPFD_CLOEXEC, 0);
    if (out < 0) {
        close(in);
        return;
    }
    loop_mod_fd(u->stream.loop, &u->listener, 0);
    stream_set_input(&u->stream, in, EPOLLIN);
    stream_set_output(&u->stream, out);
}

/* --- the socket file -------------------------------------------------- */

/* Does somebody listen at the address? */
static bool is_served(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
                   errno == ECONNREFUSED;
    if (fd >= 0) {
        close(fd);
    }
    return !refused;
}

/* Something has the name already: remove it if it is a socket left behind. */
static int remove_stale(const struct sockaddr_un *address, struct err *e)
{
    const char *path = address->sun_path;
    struct stat st;
    if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
        int ret = err_set(e, EEXIST, "cannot listen on '%s', it exists and is no socket", path);
        err_hint(e, "remove it, or choose another path");
        return ret;
    }
    if (is_served(address)) {
        int ret = err_set(e, EADDRINUSE, "cannot listen on '%s', another process does", path);
        err_hint(e, "choose another path");
        return ret;
    }
    unlink(path);
    return 0;
}

static int bind_and_listen(struct unix_server *u, struct err *e)
{
    const struct sockaddr *address = (const struct sockaddr *)&u->address;
    int fd = u->listener.fd;
    int ret = bind(fd, address, sizeof(u->address));
    if (ret < 0 && errno == EADDRINUSE) {
        ret = remove_stale(&u->address, e);
        if (ret < 0) {
            return ret;
        }
        ret = bind(fd, address, sizeof(u->address));
    }
    struct stat st;
    if (ret < 0 || listen(fd, 1) < 0 || stat(u->address.sun_path, &st) < 0) {
        return err_set(e, errno, "cannot listen on '%s', %s", u->address.sun_path, strerror(errno));
    }
    u->dev = st.st_dev;
    u->ino = st.st_ino;
    return 0;
}

static void stop_serving(struct stream *s)
{
    struct unix_server *u = (struct unix_server *)s;
    struct stat st;
    drop_client(u);
    loop_del_fd(s->loop, &u->listener);
    close(u->listener.fd);
    if (stat(u->address.sun_path, &st) == 0 && st.st_dev == u->dev && st.st_ino == u->ino) {
        unlink(u->address.sun_path);
    }
}

/* A server that listens; NULL with e set. */
static struct unix_server *make_server(const char *path, struct err *e)
{
    struct unix_server *u = calloc(1, sizeof(*u));
    if (u == NULL) {
        err_set(e, ENOMEM, "cannot make a console, out of memory");
        return NULL;
    }
    u->address.sun_family = AF_UNIX;
    memcpy(u->address.sun_path, path, strlen(path) + 1);
    u->hang_up = (struct loop_fd){.fd = -1, .ready = client_hung_up, .opaque = u};
    u->listener = (struct loop_fd){.ready = client_waits, .opaque = u};
    u->listener.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (u->listener.fd < 0) {
        err_set(e, errno, "cannot make a socket, %s", strerror(errno));
    } else if (bind_and_listen(u, e) == 0) {
        return u;
    } else {
        close(u->listener.fd);
    }
    free(u);
    return NULL;
}

struct chardev *unix_open(struct loop *loop, const char *path, struct err *e)
{
    static const struct stream_hooks hooks = {
        .input_ended = client_input_ended,
        .output_failed = client_output_failed,
        .release = stop_serving,
    };
    const size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
    if (strlen(path) > max) {
        err_set(e, ENAMETOOLONG, "cannot listen on '%s', the path is too long", path);
        err_hint(e, "a socket's path has at most %zu bytes", max);
        return NULL;
    }
    struct unix_server *u = make_server(path, e);
    if (u == NULL) {
        return NULL;
    }
    stream_init(&u->stream, "unix socket", &hooks, loop);
    int ret = loop_add_fd(loop, &u->listener, EPOLLIN | EPOLLET);
    if (ret < 0) {
        err_set(e, -ret, "cannot watch '%s', %s", path, strerror(-ret));
        chardev_free(&u->stream.chardev);
        return NULL;
    }
    return &u->stream.chardev;
}
