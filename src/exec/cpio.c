/*
 * Writing an initramfs: see cpio.h. Each entry is a header of 110 characters, the
 * name with its NUL, and the data, the last two padded to a multiple of 4.
 */
#include "src/exec/cpio.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_SIZE 110

void cpio_begin(struct cpio *a, int fd, uint64_t limit)
{
    *a = (struct cpio){.fd = fd, .limit = limit};
}

static int broke(struct cpio *a, int error)
{
    if (a->error == 0) {
        a->error = -error;
    }
    return a->error;
}

/* Do len bytes more fit? If not they are counted, and all that follow. */
static bool fits(struct cpio *a, uint64_t len)
{
    if (!a->over && len <= a->limit - a->size) {
        return true;
    }
    a->over = true;
    a->size += len;
    return false;
}

static void put(struct cpio *a, const void *data, size_t len)
{
    const char *at = data;

    if (!fits(a, len)) {
        return;
    }
    while (len > 0 && a->error == 0) {
        const ssize_t n = write(a->fd, at, len);
        if (n < 0 && errno != EINTR) {
            broke(a, errno);
        } else if (n > 0) {
            at += n;
            len -= (size_t)n;
            a->size += (uint64_t)n;
        }
    }
}

static void pad(struct cpio *a)
{
    put(a, "\0\0\0", -a->size & 3);
}

struct entry {
    const char *path;
    unsigned mode;
    uint64_t size;
    unsigned major, minor; /* of a device */
};

static int begin(struct cpio *a, const struct entry *n)
{
    const size_t name = strlen(n->path) + 1;
    const unsigned links = S_ISDIR(n->mode) ? 2 : 1;
    char header[HEADER_SIZE + 1];

    if (a->error != 0) {
        return a->error;
    }
    if (name > CPIO_NAME_MAX) {
        return broke(a, ENAMETOOLONG);
    }
    if (n->size > CPIO_FILE_MAX) {
        return broke(a, EOVERFLOW);
    }
    a->inode++;
    snprintf(header, sizeof(header),
             "070701%08" PRIX32 "%08X%08X%08X%08X%08X%08" PRIX32 "%08X%08X%08X%08X%08X%08X",
             a->inode, n->mode, 0U, 0U, links, 0U, (uint32_t)n->size, 0U, 0U, n->major, n->minor,
             (unsigned)name, 0U);
    put(a, header, HEADER_SIZE);
    put(a, n->path, name);
    pad(a);
    return a->error;
}

int cpio_dir(struct cpio *a, const char *path, unsigned mode)
{
    return begin(a, &(struct entry){.path = path, .mode = S_IFDIR | mode});
}

int cpio_char_device(struct cpio *a, const char *path, unsigned mode, unsigned major,
                     unsigned minor)
{
    return begin(
        a, &(struct entry){.path = path, .mode = S_IFCHR | mode, .major = major, .minor = minor});
}

static int whole(struct cpio *a, const struct entry *n, const void *data)
{
    if (begin(a, n) == 0) {
        put(a, data, n->size);
        pad(a);
    }
    return a->error;
}

int cpio_symlink(struct cpio *a, const char *path, const char *target)
{
    const struct entry n = {.path = path, .mode = S_IFLNK | 0777, .size = strlen(target)};

    return whole(a, &n, target);
}

int cpio_bytes(struct cpio *a, const char *path, unsigned mode, const void *data, size_t len)
{
    return whole(a, &(struct entry){.path = path, .mode = S_IFREG | mode, .size = len}, data);
}

int cpio_file(struct cpio *a, const char *path, unsigned mode, int fd, uint64_t size)
{
    off_t at = 0;

    if (begin(a, &(struct entry){.path = path, .mode = S_IFREG | mode, .size = size}) < 0) {
        return a->error;
    }
    if (!fits(a, size)) {
        return 0;
    }
    while ((uint64_t)at < size && a->error == 0) {
        const ssize_t n = sendfile(a->fd, fd, &at, size - (uint64_t)at);
        if (n == 0) {
            broke(a, EIO); /* it has become shorter */
        } else if (n > 0) {
            a->size += (uint64_t)n;
        } else if (errno != EINTR) {
            broke(a, errno);
        }
    }
    pad(a);
    return a->error;
}

int cpio_end(struct cpio *a, struct err *e)
{
    begin(a, &(struct entry){.path = "TRAILER!!!", .mode = 0});
    if (a->error == 0 && a->over) {
        return err_set(e, EFBIG, "the initramfs has more than %" PRIu64 " MiB", a->limit >> 20);
    }
    return a->error < 0
               ? err_set(e, -a->error, "cannot write the initramfs, %s", strerror(-a->error))
               : 0;
}
