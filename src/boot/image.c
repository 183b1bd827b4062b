/*
 * Kernel and initrd files. They are read with pread(2), never mapped: a file
 * that shrinks meanwhile is a short read and not a SIGBUS. Large parts go
 * straight from the page cache into guest RAM.
 */
#include "src/base/trace.h"
#include "src/boot/loader.h"
#include "src/mem/dma.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int image_err(const struct image *img, struct err *e, int code, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(e, code, "%s %s: %s", img->role, img->path, text);
}

static int check_file(struct image *img, struct err *e)
{
    struct stat st;
    if (fstat(img->fd, &st) < 0) {
        return image_err(img, e, errno, "cannot be examined, %s", strerror(errno));
    }
    if (S_ISDIR(st.st_mode)) {
        return image_err(img, e, EISDIR, "is a directory");
    }
    if (!S_ISREG(st.st_mode)) {
        return image_err(img, e, EINVAL, "is not a regular file");
    }
    if (st.st_size == 0) {
        return image_err(img, e, ENOEXEC, "the file is empty");
    }
    img->size = (uint64_t)st.st_size;
    return 0;
}

int image_open(struct image *img, const char *role, const char *path, struct err *e)
{
    *img = (struct image){.role = role, .path = path};
    /* O_NONBLOCK: opening a pipe must not wait for its writer. */
    img->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (img->fd < 0) {
        return image_err(img, e, errno, "cannot be opened, %s", strerror(errno));
    }
    int rc = check_file(img, e);
    if (rc < 0) {
        image_close(img);
    }
    return rc;
}

void image_close(struct image *img)
{
    if (img->fd >= 0) {
        close(img->fd);
        img->fd = -1;
    }
}

/* pread(2) until iov is full. Uses up iov. */
static int read_fully(const struct image *img, uint64_t off, struct iovec *iov, int count,
                      struct err *e)
{
    while (count > 0) {
        ssize_t n = preadv(img->fd, iov, count, (off_t)off);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return image_err(img, e, errno, "cannot be read, %s", strerror(errno));
        }
        if (n == 0) {
            return image_err(img, e, EIO, "became shorter while it was read");
        }
        off += (uint64_t)n;
        while (count > 0 && (size_t)n >= iov->iov_len) {
            n -= (ssize_t)iov->iov_len;
            iov++;
            count--;
        }
        if (count > 0) {
            iov->iov_base = (uint8_t *)iov->iov_base + n;
            iov->iov_len -= (size_t)n;
        }
    }
    return 0;
}

static int check_span(const struct image *img, uint64_t off, uint64_t len, struct err *e)
{
    if (off > img->size || len > img->size - off) {
        return image_err(img, e, ENOEXEC,
                         "truncated, bytes %" PRIu64 " to %" PRIu64 " are wanted, the file has "
                         "%" PRIu64,
                         off, off + len, img->size);
    }
    return 0;
}

int image_read(const struct image *img, uint64_t off, void *buf, size_t len, struct err *e)
{
    int rc = check_span(img, off, len, e);
    if (rc < 0 || len == 0) {
        return rc;
    }
    struct iovec iov = {.iov_base = buf, .iov_len = len};
    return read_fully(img, off, &iov, 1, e);
}

int image_load(const struct image *img, uint64_t off, struct aspace *mem, uint64_t gpa,
               uint64_t len, struct err *e)
{
    int rc = check_span(img, off, len, e);
    if (rc < 0 || len == 0) {
        return rc;
    }
    struct iovec iov[LOADER_PIECES];
    int pieces = dma_map(mem, gpa, len, true, iov, LOADER_PIECES);
    if (pieces < 0) {
        return image_err(img, e, ENOMEM,
                         "%" PRIu64 " bytes do not fit into guest memory at 0x%" PRIx64, len, gpa);
    }
    trace(TRACE_boot_load, "%s gpa 0x%" PRIx64 " size %" PRIu64, img->role, gpa, len);
    return read_fully(img, off, iov, pieces, e);
}
