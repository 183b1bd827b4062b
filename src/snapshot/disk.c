/*
 * Disks of a snapshot: see disk.h.
 */
#include "src/snapshot/disk.h"

#include "src/base/opts.h"
#include "virtio/blk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- texts ------------------------------------------------------------ */

/* Append from to the text of size bytes, commas doubled as --disk wants them. False: no room. */
static bool append_escaped(char *text, size_t size, const char *from)
{
    size_t len = strlen(text);

    for (; *from != '\0'; from++) {
        if (len + 3 > size) {
            return false;
        }
        text[len++] = *from;
        if (*from == ',') {
            text[len++] = ',';
        }
    }
    text[len] = '\0';
    return true;
}

/* What a guest can tell of a disk beside its contents: ",ro,serial=S". */
static bool guest_options(char *text, size_t size, bool ro, const char *serial)
{
    text[0] = '\0';
    if (ro) {
        strncat(text, ",ro", size - 1);
    }
    if (serial != NULL) {
        strncat(text, ",serial=", size - strlen(text) - 1);
        return append_escaped(text, size, serial);
    }
    return true;
}

/* --- saving ----------------------------------------------------------- */

static int look(const char *path, struct stat *st, struct err *e)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int ret = 0;

    if (fd < 0) {
        return err_set(e, errno, "cannot look at disk '%s', %s", path, strerror(errno));
    }
    if (fdatasync(fd) < 0 || fstat(fd, st) < 0) {
        ret = err_set(e, errno, "cannot look at disk '%s', %s", path, strerror(errno));
    }
    close(fd);
    return ret;
}

int disk_save(const struct virtio_blk *b, struct pack *out, struct err *e)
{
    char *path = realpath(b->file, NULL);
    struct disk_record r = {.text = ""};
    struct stat st = {0};

    if (path == NULL) {
        return err_set(e, errno, "cannot find disk '%s', %s", b->file, strerror(errno));
    }
    if (b->block->diverged) {
        free(path);
        err_set(e, EINVAL, "disk '%s' has been written to since a snapshot", b->file);
        err_hint(e, "what a restored machine writes is its own, and ends with it; "
                    "a snapshot of it could not be loaded");
        return -EINVAL;
    }
    const bool fits = append_escaped(r.text, sizeof(r.text), path) &&
                      guest_options(r.rest, sizeof(r.rest), b->ro, b->serial) &&
                      strlen(r.text) + strlen(r.rest) < sizeof(r.text);
    free(path);
    if (!fits) {
        return err_set(e, ENAMETOOLONG, "the name of disk '%.100s' is too long", b->file);
    }
    const size_t len = strlen(r.text);
    memcpy(r.text + len, r.rest, strlen(r.rest) + 1);
    const int ret = look(b->file, &st, e);
    pack_string(out, r.text);
    pack_string(out, r.rest);
    pack_u64(out, b->block->size);
    pack_u64(out, ret == 0 ? (uint64_t)st.st_mtim.tv_sec : 0);
    pack_u32(out, ret == 0 ? (uint32_t)st.st_mtim.tv_nsec : 0);
    pack_u32(out, ret == 0 && S_ISBLK(st.st_mode));
    return ret;
}

/* --- loading ---------------------------------------------------------- */

void disk_unpack(struct unpack *in, struct disk_record *r)
{
    unpack_string(in, r->text, sizeof(r->text));
    unpack_string(in, r->rest, sizeof(r->rest));
    r->size = unpack_u64(in);
    r->mtime_s = unpack_u64(in);
    r->mtime_ns = unpack_u32(in);
    r->device = unpack_u32(in) != 0;
}

/* The options of list that a guest can tell, as in struct disk_record. */
static bool options_of(const struct opt_list *list, char *rest, size_t size)
{
    const char *serial = NULL;
    bool ro = false;

    for (size_t i = 0; i < list->count; i++) {
        const struct opt *o = &list->opts[i];
        if (strcmp(o->key, "ro") == 0) {
            ro = true;
            if (o->value != NULL && opt_bool(o->value, &ro, NULL) < 0) {
                return false;
            }
        } else if (strcmp(o->key, "serial") == 0) {
            serial = o->value;
        }
    }
    return guest_options(rest, size, ro, serial);
}

/* st, and the size in bytes, which stat(2) does not tell of a block device. 0 or -errno. */
static int look_at(const char *path, struct stat *st, uint64_t *size)
{
    *size = 0;
    if (stat(path, st) < 0) {
        return -errno;
    }
    if (!S_ISBLK(st->st_mode)) {
        *size = (uint64_t)st->st_size;
        return 0;
    }
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return -errno;
    }
    const off_t end = lseek(fd, 0, SEEK_END);
    const int ret = end < 0 ? -errno : 0;
    *size = end < 0 ? 0 : (uint64_t)end;
    close(fd);
    return ret;
}

static int check_file(const struct disk_record *r, const char *path, unsigned number, struct err *e)
{
    struct stat st;
    uint64_t size = 0;
    const int code = -look_at(path, &st, &size);

    if (code != 0) {
        err_set(e, code, "its disk %u, '%s', is missing: %s", number, path, strerror(code));
        err_hint(e, "if they have moved, name all of its disks in order: --disk FILE");
        return -code;
    }
    const bool same_size = size / BLOCK_SECTOR * BLOCK_SECTOR == r->size;
    const bool same_time = r->device || ((uint64_t)st.st_mtim.tv_sec == r->mtime_s &&
                                         (uint32_t)st.st_mtim.tv_nsec == r->mtime_ns);
    if (same_size && same_time && S_ISBLK(st.st_mode) == r->device) {
        return 0;
    }
    err_set(e, EINVAL, "its disk %u, '%s', has changed since it was made: another %s", number, path,
            same_size ? "time of the last write" : "size");
    err_hint(e, "the guest's memory no longer fits the disk: bring the old one back (cp -p keeps "
                "its time), or make the snapshot again");
    return -EINVAL;
}

int disk_check(const struct disk_record *r, const char *text, unsigned number, struct err *e)
{
    struct opt_list list;
    char rest[sizeof(r->rest)];
    int ret = opt_list_parse(&list, text, e);

    if (ret < 0) {
        return ret;
    }
    if (!options_of(&list, rest, sizeof(rest)) || strcmp(rest, r->rest) != 0) {
        ret =
            err_set(e, EINVAL, "its disk %u has the options '%s', not '%s'", number, r->rest, rest);
        err_status(e, EXIT_USAGE);
    } else {
        ret = check_file(r, list.name, number, e);
    }
    opt_list_free(&list);
    return ret;
}
