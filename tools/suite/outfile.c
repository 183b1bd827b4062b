/*
 * Files that appear complete: see outfile.h.
 */
#include "tools/suite/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* 0 or a negative errno. */
static int write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, data, length);
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        data += n > 0 ? n : 0;
        length -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int write_and_close(int fd, const char *data, size_t length)
{
    int ret = write_all(fd, data, length);
    if (close(fd) < 0 && ret == 0) {
        ret = -errno;
    }
    return ret;
}

/* Through a file beside it, which has the permissions that a new one has. */
static int replace(const char *path, const char *data, size_t length)
{
    mode_t mask = umask(0);
    char *temporary;
    int ret;

    umask(mask);
    if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
        return -ENOMEM;
    }
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        ret = -errno;
    } else {
        fchmod(fd, 0666 & ~mask);
        ret = write_and_close(fd, data, length);
        if (ret == 0 && rename(temporary, path) < 0) {
            ret = -errno;
        }
        if (ret < 0) {
            unlink(temporary);
        }
    }
    free(temporary);
    return ret;
}

int outfile_write(const char *path, const char *data, size_t length, struct err *e)
{
    struct stat st;
    int ret;

    if (strcmp(path, "-") == 0) {
        ret = write_all(STDOUT_FILENO, data, length);
    } else if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        ret = fd < 0 ? -errno : write_and_close(fd, data, length);
    } else {
        ret = replace(path, data, length);
    }
    return ret < 0 ? err_set(e, -ret, "cannot write %s: %s", path, strerror(-ret)) : 0;
}
