/*
 * Files that come out of the guest: see out.h.
 */
#include "src/exec/out.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

int out_open(struct out_dir *o, const char *path, struct err *e)
{
    *o = (struct out_dir){.path = path, .fd = -1, .file_fd = -1, .parent_fd = -1};
    if (path == NULL) {
        return 0;
    }
    o->mask = umask(0);
    umask(o->mask);
    if (mkdir(path, 0777) < 0 && errno != EEXIST) {
        return err_set(e, errno, "--out %s: cannot make the folder, %s", path, strerror(errno));
    }
    o->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return o->fd >= 0 ? 0 : err_set(e, errno, "--out %s: %s", path, strerror(errno));
}

/* Let go of the file; what is not renamed is removed. */
static void end_file(struct out_dir *o)
{
    if (o->temporary[0] != '\0') {
        unlinkat(o->parent_fd, o->temporary, 0);
        o->temporary[0] = '\0';
    }
    if (o->file_fd >= 0) {
        close(o->file_fd);
    }
    if (o->parent_fd >= 0) {
        close(o->parent_fd);
    }
    o->file_fd = o->parent_fd = -1;
}

void out_close(struct out_dir *o)
{
    end_file(o);
    if (o->fd >= 0) {
        close(o->fd);
    }
    o->fd = -1;
}

/* --- paths from the guest ------------------------------------------------------------ */

static int refuse(const char *path, size_t len, const char *why, struct err *e)
{
    return err_set(e, EPERM, "--out: the guest's file name '%.*s' %s", (int)(len < 200 ? len : 200),
                   path, why);
}

static bool is_name(const char *name, size_t len)
{
    return len > 0 && len <= NAME_MAX && memchr(name, '\0', len) == NULL &&
           !(len == 1 && name[0] == '.') && !(len == 2 && memcmp(name, "..", 2) == 0);
}

/* Open the folder `name` in `at`, made if need be; closes at. */
static int enter(const struct out_dir *o, int at, const char *name, struct err *e)
{
    int fd = -1;

    if (mkdirat(at, name, 0777) == 0 || errno == EEXIST) {
        fd = openat(at, name, DIR_FLAGS);
    }
    if (fd < 0) {
        const bool link = errno == ELOOP || errno == ENOTDIR;
        fd = err_set(e, errno, "--out %s: cannot write to the folder '%s', %s", o->path, name,
                     link ? "it is a link or a file" : strerror(errno));
    }
    close(at);
    return fd;
}

/* The folder that holds the last component of path, which goes to name. */
static int open_parent(struct out_dir *o, const char *path, size_t len, char name[NAME_MAX + 1],
                       struct err *e)
{
    const char *end = path + len;
    unsigned depth = 0;
    int fd;

    if (++o->entries > OUT_ENTRIES_MAX) {
        return err_set(e, E2BIG, "--out %s: the guest sends more than %u files", o->path,
                       OUT_ENTRIES_MAX);
    }
    fd = fcntl(o->fd, F_DUPFD_CLOEXEC, 0);
    while (fd >= 0) {
        const char *slash = memchr(path, '/', (size_t)(end - path));
        const size_t part = (size_t)((slash != NULL ? slash : end) - path);

        if (!is_name(path, part) || ++depth > OUT_DEPTH_MAX) {
            close(fd);
            return refuse(end - len, len, "is not one within a folder", e);
        }
        memcpy(name, path, part);
        name[part] = '\0';
        if (slash == NULL) {
            return fd;
        }
        fd = enter(o, fd, name, e);
        path = slash + 1;
    }
    return fd;
}

/* --- entries ---------------------------------------------------------------------------- */

int out_add_dir(struct out_dir *o, const char *path, size_t len, struct err *e)
{
    char name[NAME_MAX + 1];
    int fd = open_parent(o, path, len, name, e);

    if (fd >= 0) {
        fd = enter(o, fd, name, e);
    }
    if (fd < 0) {
        return fd;
    }
    close(fd);
    return 0;
}

static int cannot_write(const struct out_dir *o, int error, struct err *e)
{
    err_set(e, error, "--out %s: cannot write '%s', %s", o->path, o->name, strerror(error));
    if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
        err_hint(e, "there is no room for it; nothing of this file was kept");
    }
    return -error;
}

/*
 * A new file in parent_fd, of a name that nobody has: what is there already, of another vmm or of
 * one that was killed, stays. -errno.
 */
static int open_temporary(struct out_dir *o)
{
    uint64_t number;

    do {
        if (getrandom(&number, sizeof(number), 0) != sizeof(number)) {
            return -errno;
        }
        snprintf(o->temporary, sizeof(o->temporary), ".vmm-out.%016" PRIx64, number);
        o->file_fd = openat(o->parent_fd, o->temporary,
                            O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    } while (o->file_fd < 0 && errno == EEXIST);
    if (o->file_fd < 0) {
        o->temporary[0] = '\0';
        return -errno;
    }
    return 0;
}

int out_begin_file(struct out_dir *o, const char *path, size_t len, unsigned mode, struct err *e)
{
    o->parent_fd = open_parent(o, path, len, o->name, e);
    if (o->parent_fd < 0) {
        return o->parent_fd;
    }
    o->mode = mode & 0777;
    const int ret = open_temporary(o);
    return ret < 0 ? cannot_write(o, -ret, e) : 0;
}

int out_data(struct out_dir *o, const void *data, size_t len, struct err *e)
{
    const char *at = data;

    o->bytes += len;
    if (o->bytes > OUT_BYTES_MAX) {
        return err_set(e, EFBIG, "--out %s: the guest sends more than %llu MiB", o->path,
                       OUT_BYTES_MAX >> 20);
    }
    while (len > 0) {
        const ssize_t n = write(o->file_fd, at, len);

        if (n < 0 && errno != EINTR) {
            return cannot_write(o, errno, e);
        }
        at += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int out_end_file(struct out_dir *o, struct err *e)
{
    int ret = fchmod(o->file_fd, o->mode & ~o->mask);

    if (ret == 0) {
        ret = close(o->file_fd); /* some file systems tell of a full disk only now */
        o->file_fd = -1;
    }
    if (ret < 0 || renameat(o->parent_fd, o->temporary, o->parent_fd, o->name) < 0) {
        return cannot_write(o, errno, e);
    }
    o->temporary[0] = '\0';
    end_file(o);
    return 0;
}
