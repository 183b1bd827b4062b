/*
 * Disks of a boot's own: see disks.h.
 */
#include "tools/suite/disks.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* read() and write(), where the kernel does not copy by itself. */
static ssize_t copy_some(int from, int to, off_t at, size_t length)
{
    static char buffer[65536];
    ssize_t n = pread(from, buffer, length < sizeof(buffer) ? length : sizeof(buffer), at);
    return n > 0 ? pwrite(to, buffer, (size_t)n, at) : n;
}

/* The bytes from at to end. A file that became shorter meanwhile ends there. */
static int copy_data(int from, int to, off_t at, off_t end)
{
    bool by_kernel = true;

    while (at < end) {
        off_t in = at;
        off_t out = at;
        size_t length = (size_t)(end - at);
        ssize_t n;
        if (by_kernel) {
            n = copy_file_range(from, &in, to, &out, length, 0);
            if (n <= 0 && (n == 0 || errno == EXDEV || errno == EINVAL || errno == ENOSYS ||
                           errno == EOPNOTSUPP)) {
                by_kernel = false;
                continue;
            }
        } else {
            n = copy_some(from, to, at, length);
        }
        if (n < 0) {
            return -errno;
        }
        if (n == 0) {
            return 0;
        }
        at += n;
    }
    return 0;
}

static int copy_file(int from, int to)
{
    off_t size = lseek(from, 0, SEEK_END);
    off_t at = 0;

    if (size < 0 || ftruncate(to, size) < 0) {
        return -errno;
    }
    while (at < size) {
        off_t data = lseek(from, at, SEEK_DATA);
        off_t hole = data < 0 ? size : lseek(from, data, SEEK_HOLE);
        if (data < 0 && errno == ENXIO) { /* a hole up to the end */
            return 0;
        }
        if (data < 0 || hole < 0) { /* the file system knows no holes */
            data = at;
            hole = size;
        }
        int ret = copy_data(from, to, data, hole);
        if (ret < 0) {
            return ret;
        }
        at = hole;
    }
    return 0;
}

static int copy_disk(const char *path, const char *name, struct err *e)
{
    struct stat st;
    int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (from < 0 || fstat(from, &st) < 0) {
        return err_set(e, errno, "cannot open the disk %s: %s", path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        return err_set(e, EINVAL, "the disk %s is no file and no block device", path);
    }
    int to = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int ret = to < 0 ? -errno : copy_file(from, to);
    if (ret < 0) {
        return err_set(e, -ret, "cannot copy the disk %s: %s", path, strerror(-ret));
    }
    close(from);
    close(to);
    return 0;
}

static int make_disk(const char *name, uint64_t size, struct err *e)
{
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)size) < 0) {
        return err_set(e, errno, "cannot make a disk: %s", strerror(errno));
    }
    close(fd);
    return 0;
}

int disks_make(const struct list *disks, struct err *e)
{
    int ret = 0;

    for (size_t i = 0; i < disks->count && ret == 0; i++) {
        const struct disk *d = list_at(disks, i);
        char name[32];
        snprintf(name, sizeof(name), "disk%zu", i);
        ret = d->copy_of != NULL ? copy_disk(d->copy_of, name, e) : make_disk(name, d->size, e);
    }
    return ret;
}
