/*
 * Writing snapshot files: see file.h.
 */
#include "src/snapshot/file.h"

#include "src/base/le.h"
#include "src/base/xxh64.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* With its end and anything left behind gone, e being set. Returns ret. */
static int give_up(struct snapshot_writer *w, int ret)
{
    snapshot_abandon(w);
    return ret;
}

static int failed(const struct snapshot_writer *w, int code, struct err *e)
{
    const int ret = err_set(e, code, "cannot write snapshot '%s', %s", w->path, strerror(code));

    if (code == ENOSPC || code == EDQUOT) {
        err_hint(e, "it takes as much room as the RAM that the guest uses; nothing of it was left");
    }
    return ret;
}

int snapshot_create(struct snapshot_writer *w, const char *path, struct err *e)
{
    struct stat st;

    *w = (struct snapshot_writer){.path = path, .fd = -1, .at = SNAPSHOT_HEADER_SIZE};
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) { /* its name is to be the file's */
        return err_set(e, EINVAL, "cannot write snapshot '%s', it is there and no regular file",
                       path);
    }
    if (asprintf(&w->temporary, "%s.XXXXXX", path) < 0) {
        w->temporary = NULL;
        return failed(w, ENOMEM, e);
    }
    w->fd = mkostemp(w->temporary, O_CLOEXEC); /* the owner's alone: RAM holds secrets */
    if (w->fd < 0) {
        const int code = errno;
        free(w->temporary);
        w->temporary = NULL;
        return failed(w, code, e);
    }
    return 0;
}

void snapshot_abandon(struct snapshot_writer *w)
{
    if (w->temporary != NULL) {
        unlink(w->temporary);
        free(w->temporary);
        w->temporary = NULL;
    }
    if (w->fd >= 0) {
        close(w->fd);
        w->fd = -1;
    }
    pack_free(&w->table);
}

static int write_at(struct snapshot_writer *w, const void *data, size_t len, uint64_t at,
                    struct err *e)
{
    const uint8_t *p = data;

    while (len > 0) {
        const ssize_t n = pwrite(w->fd, p, len, (off_t)at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return failed(w, n < 0 ? errno : EIO, e);
        }
        p += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

static int put(struct snapshot_writer *w, enum snapshot_type type, uint32_t index, uint64_t address,
               const void *data, size_t len, struct err *e)
{
    const uint64_t align = type == SECTION_RAM ? SNAPSHOT_RAM_ALIGN : SNAPSHOT_ALIGN;
    const uint64_t at = (w->at + align - 1) / align * align;
    const int ret = write_at(w, data, len, at, e);

    if (ret < 0) {
        return ret;
    }
    w->at = at + len;
    w->count++;
    pack_u32(&w->table, type);
    pack_u32(&w->table, SNAPSHOT_SECTION_VERSION);
    pack_u32(&w->table, index);
    pack_u32(&w->table, 0);
    pack_u64(&w->table, at);
    pack_u64(&w->table, len);
    pack_u64(&w->table, address);
    pack_u64(&w->table, xxh64(data, len));
    return 0;
}

int snapshot_put(struct snapshot_writer *w, enum snapshot_type type, uint32_t index,
                 const struct pack *data, struct err *e)
{
    return data->failed ? failed(w, ENOMEM, e) : put(w, type, index, 0, data->data, data->len, e);
}

int snapshot_put_ram(struct snapshot_writer *w, uint64_t address, const void *data, size_t len,
                     struct err *e)
{
    return put(w, SECTION_RAM, 0, address, data, len, e);
}

static int write_ends(struct snapshot_writer *w, struct err *e)
{
    uint8_t header[SNAPSHOT_HEADER_SIZE] = SNAPSHOT_MAGIC;
    const uint64_t at = (w->at + SNAPSHOT_ALIGN - 1) / SNAPSHOT_ALIGN * SNAPSHOT_ALIGN;

    if (w->table.failed) {
        return failed(w, ENOMEM, e);
    }
    const int ret = write_at(w, w->table.data, w->table.len, at, e);
    put_le32(header + HEADER_VERSION, SNAPSHOT_VERSION);
    put_le32(header + HEADER_ARCH, SNAPSHOT_ARCH);
    put_le64(header + HEADER_FILE_SIZE, at + w->table.len);
    put_le64(header + HEADER_TABLE, at);
    put_le32(header + HEADER_SECTIONS, w->count);
    put_le64(header + HEADER_TABLE_SUM, xxh64(w->table.data, w->table.len));
    put_le64(header + HEADER_SUM, xxh64(header, HEADER_SUM));
    return ret < 0 ? ret : write_at(w, header, sizeof(header), 0, e);
}

/* A rename is on stable storage when its directory is. */
static void sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    const int fd = dir != NULL ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(dir);
}

int snapshot_commit(struct snapshot_writer *w, struct err *e)
{
    int ret = write_ends(w, e);

    if (ret == 0 && fsync(w->fd) < 0) {
        ret = failed(w, errno, e);
    }
    if (ret == 0 && rename(w->temporary, w->path) < 0) {
        ret = failed(w, errno, e);
    }
    if (ret < 0) {
        return give_up(w, ret);
    }
    free(w->temporary); /* there is no such file any more */
    w->temporary = NULL;
    sync_directory(w->path);
    snapshot_abandon(w);
    return 0;
}
