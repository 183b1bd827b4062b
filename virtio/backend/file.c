/*
 * Files that hold disks: opening, size and locking. See block.h.
 *
 * The lock is an open file description lock (fcntl(2), F_OFD_SETLK) on the
 * whole file: it belongs to this opening, not to the process, so that a disk
 * given twice to one vmm is found too, and it vanishes with the process.
 */
#include "src/base/log.h"
#include "virtio/backend/block.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a file of this kind is called if it cannot be a disk, else NULL. */
static const char *wrong_kind(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
    case S_IFBLK:
        return NULL;
    case S_IFDIR:
        return "a directory";
    case S_IFCHR:
        return "a character device";
    case S_IFIFO:
        return "a pipe";
    default:
        return "no file";
    }
}

static int check_kind(const char *path, const struct stat *st, struct err *e)
{
    const char *kind = wrong_kind(st->st_mode);
    if (kind == NULL) {
        return 0;
    }
    int ret = err_set(e, S_ISDIR(st->st_mode) ? EISDIR : EINVAL, "disk '%s' is %s", path, kind);
    err_hint(e, "a disk is a regular file or a block device");
    return ret;
}

static int open_error(const char *path, bool readonly, int code, struct err *e)
{
    int ret = err_set(e, code, "cannot open disk '%s', %s", path, strerror(code));
    if (code == ENOENT) {
        err_hint(e, "truncate -s 1G FILE makes an empty disk of 1 GiB");
    } else if (!readonly && (code == EACCES || code == EPERM || code == EROFS) &&
               faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0) {
        err_hint(e, "it can be read: add ',ro' for a read-only disk");
    }
    return ret;
}

/* Opening some devices has effects, and a pipe would wait: look first, and again after it. */
static int open_fd(const char *path, bool readonly, struct stat *st, struct err *e)
{
    if (stat(path, st) < 0) {
        return open_error(path, readonly, errno, e);
    }
    int ret = check_kind(path, st, e);
    if (ret < 0) {
        return ret;
    }
    int fd = open(path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return open_error(path, readonly, errno, e);
    }
    ret = fstat(fd, st) < 0 ? open_error(path, readonly, errno, e) : check_kind(path, st, e);
    if (ret < 0) {
        close(fd);
        return ret;
    }
    return fd;
}

static int find_size(struct block_file *f, const char *path, const struct stat *st, struct err *e)
{
    f->device = S_ISBLK(st->st_mode);
    f->size = (uint64_t)st->st_size;
    if (f->device && ioctl(f->fd, BLKGETSIZE64, &f->size) < 0) {
        return err_set(e, errno, "cannot find the size of disk '%s', %s", path, strerror(errno));
    }
    return 0;
}

static int lock(const struct block_file *f, const char *path, bool readonly, struct err *e)
{
    struct flock whole = {.l_type = readonly ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(f->fd, F_OFD_SETLK, &whole) == 0) {
        return 0;
    }
    if (errno != EAGAIN && errno != EACCES) {
        log_warn("cannot lock disk '%s', %s; see to it that nothing else writes it", path,
                 strerror(errno));
        return 0;
    }
    int ret = err_set(e, EBUSY, "disk '%s' is in use already", path);
    err_hint(e, "a disk can be shared only if all of its users open it with ',ro'");
    return ret;
}

int block_file_open(struct block_file *f, const char *path, bool readonly, struct err *e)
{
    struct stat st;
    *f = (struct block_file){.fd = open_fd(path, readonly, &st, e)};
    if (f->fd < 0) {
        return f->fd;
    }
    int ret = find_size(f, path, &st, e);
    if (ret == 0) {
        ret = lock(f, path, readonly, e);
    }
    if (ret < 0) {
        block_file_close(f);
    }
    return ret;
}

void block_file_close(struct block_file *f)
{
    close(f->fd); /* gives the lock back */
}
