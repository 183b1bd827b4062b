/*
 * Reading snapshot files: see file.h. Nothing is believed: every offset and length is
 * compared with the file's size, which is what the file is when it is opened.
 */
#include "src/snapshot/file.h"

#include "src/base/le.h"
#include "src/base/xxh64.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int snapshot_damaged(const struct snapshot_file *f, const char *why, struct err *e)
{
    const int ret = err_set(e, EINVAL, "snapshot '%s' is damaged: %s", f->path, why);

    err_hint(e, "make it again with --snapshot-save");
    return ret;
}

/* All of len bytes at offset at, or an error. */
static int read_at(const struct snapshot_file *f, void *data, size_t len, uint64_t at,
                   struct err *e)
{
    uint8_t *p = data;

    while (len > 0) {
        const ssize_t n = pread(f->fd, p, len, (off_t)at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_set(e, errno, "cannot read snapshot '%s', %s", f->path, strerror(errno));
        }
        if (n == 0) {
            return snapshot_damaged(f, "it was cut off while it was read", e);
        }
        p += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

/* --- header ----------------------------------------------------------- */

static int check_version(const struct snapshot_file *f, const uint8_t *header, struct err *e)
{
    const uint32_t version = get_le32(header + HEADER_VERSION);
    const uint32_t arch = get_le32(header + HEADER_ARCH);

    if (version != SNAPSHOT_VERSION) {
        err_set(e, EINVAL, "snapshot '%s' has format %u, this vmm reads %u", f->path, version,
                SNAPSHOT_VERSION);
        err_hint(e, "%s vmm made it: use that one, or make it again with this one",
                 version > SNAPSHOT_VERSION ? "a newer" : "an older");
        return -EINVAL;
    }
    if (arch != SNAPSHOT_ARCH) {
        return err_set(e, EINVAL, "snapshot '%s' is of an %s machine, this vmm runs %s", f->path,
                       arch == SNAPSHOT_X86_64  ? "x86-64"
                       : arch == SNAPSHOT_ARM64 ? "arm64"
                                                : "unknown",
                       SNAPSHOT_ARCH == SNAPSHOT_ARM64 ? "arm64" : "x86-64");
    }
    return 0;
}

static int check_header(const struct snapshot_file *f, const uint8_t *header, uint64_t size,
                        struct err *e)
{
    char why[96];

    if (memcmp(header, SNAPSHOT_MAGIC, 8) != 0) {
        err_set(e, EINVAL, "'%s' is no snapshot", f->path);
        err_hint(e, "--snapshot-save makes one; one that was interrupted has no header");
        return -EINVAL;
    }
    if (get_le64(header + HEADER_SUM) != xxh64(header, HEADER_SUM)) {
        return snapshot_damaged(f, "its header does not match its checksum", e);
    }
    const int ret = check_version(f, header, e);
    const uint64_t whole = get_le64(header + HEADER_FILE_SIZE);
    if (ret == 0 && size != whole) {
        snprintf(why, sizeof(why), "it has %" PRIu64 " bytes, and %" PRIu64 " were written", size,
                 whole);
        return snapshot_damaged(f, why, e);
    }
    return ret;
}

/* --- table ------------------------------------------------------------ */

static struct snapshot_section section_of(const uint8_t *entry)
{
    return (struct snapshot_section){
        .type = get_le32(entry + ENTRY_TYPE),
        .index = get_le32(entry + ENTRY_INDEX),
        .offset = get_le64(entry + ENTRY_OFFSET),
        .length = get_le64(entry + ENTRY_LENGTH),
        .address = get_le64(entry + ENTRY_ADDRESS),
        .sum = get_le64(entry + ENTRY_SUM),
    };
}

static int check_section(const struct snapshot_file *f, const struct snapshot_section *s,
                         uint32_t version, uint64_t end, struct err *e)
{
    if (s->type == 0 || s->type >= SECTION_TYPES || version > SNAPSHOT_SECTION_VERSION) {
        err_set(e, EINVAL, "snapshot '%s' has a section of type %u, version %u, unknown here",
                f->path, s->type, version);
        err_hint(e, "a newer vmm made it: use that one, or make it again with this one");
        return -EINVAL;
    }
    if (s->offset < SNAPSHOT_HEADER_SIZE || s->offset > end || s->length > end - s->offset ||
        (s->type != SECTION_RAM && s->length > SNAPSHOT_STATE_MAX)) {
        return snapshot_damaged(f, "a section is not inside the file", e);
    }
    return 0;
}

static int read_table(struct snapshot_file *f, const uint8_t *header, uint64_t size, struct err *e)
{
    const uint64_t at = get_le64(header + HEADER_TABLE);
    const uint32_t count = get_le32(header + HEADER_SECTIONS);
    const uint64_t length = (uint64_t)count * SNAPSHOT_ENTRY_SIZE;

    if (count > SNAPSHOT_SECTIONS_MAX || at < SNAPSHOT_HEADER_SIZE || at > size ||
        length != size - at) {
        return snapshot_damaged(f, "its table of sections is not at its end", e);
    }
    uint8_t *table = malloc(length + 1);
    f->sections = calloc(count + 1, sizeof(f->sections[0]));
    if (table == NULL || f->sections == NULL) {
        free(table);
        return err_set(e, ENOMEM, "out of memory for snapshot '%s'", f->path);
    }
    int ret = read_at(f, table, length, at, e);
    if (ret == 0 && xxh64(table, length) != get_le64(header + HEADER_TABLE_SUM)) {
        ret = snapshot_damaged(f, "its table does not match its checksum", e);
    }
    for (uint32_t i = 0; i < count && ret == 0; i++) {
        const uint8_t *entry = table + (size_t)i * SNAPSHOT_ENTRY_SIZE;
        f->sections[i] = section_of(entry);
        ret = check_section(f, &f->sections[i], get_le32(entry + ENTRY_VERSION), at, e);
    }
    f->count = count;
    free(table);
    return ret;
}

/* --- the file --------------------------------------------------------- */

static int open_checked(struct snapshot_file *f, struct err *e)
{
    uint8_t header[SNAPSHOT_HEADER_SIZE];
    struct stat st;

    f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (f->fd < 0 || fstat(f->fd, &st) < 0) {
        return err_set(e, errno, "cannot open snapshot '%s', %s", f->path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(e, EINVAL, "snapshot '%s' is no regular file", f->path);
    }
    if (st.st_size < SNAPSHOT_HEADER_SIZE) {
        err_set(e, EINVAL, "'%s' is too short for a snapshot", f->path);
        err_hint(e, "--snapshot-save makes one");
        return -EINVAL;
    }
    int ret = read_at(f, header, sizeof(header), 0, e);
    if (ret == 0) {
        ret = check_header(f, header, (uint64_t)st.st_size, e);
    }
    return ret == 0 ? read_table(f, header, (uint64_t)st.st_size, e) : ret;
}

struct snapshot_file *snapshot_file_open(const char *path, struct err *e)
{
    struct snapshot_file *f = calloc(1, sizeof(*f));

    if (f != NULL) {
        f->fd = -1;
        f->path = strdup(path);
    }
    if (f == NULL || f->path == NULL) {
        err_set(e, ENOMEM, "out of memory for snapshot '%s'", path);
        free(f);
        return NULL;
    }
    if (open_checked(f, e) < 0) {
        snapshot_file_close(f);
        return NULL;
    }
    return f;
}

void snapshot_file_close(struct snapshot_file *f)
{
    if (f == NULL) {
        return;
    }
    if (f->fd >= 0) {
        close(f->fd);
    }
    free(f->sections);
    free(f->path);
    free(f);
}

static const struct snapshot_section *find(const struct snapshot_file *f, enum snapshot_type type,
                                           uint32_t index)
{
    for (uint32_t i = 0; i < f->count; i++) {
        if (f->sections[i].type == type && f->sections[i].index == index) {
            return &f->sections[i];
        }
    }
    return NULL;
}

bool snapshot_has(const struct snapshot_file *f, enum snapshot_type type, uint32_t index)
{
    return find(f, type, index) != NULL;
}

int snapshot_get(struct snapshot_file *f, enum snapshot_type type, uint32_t index, uint8_t **data,
                 struct unpack *in, struct err *e)
{
    const struct snapshot_section *s = find(f, type, index);
    char why[96];

    *data = NULL;
    if (s == NULL) {
        snprintf(why, sizeof(why), "section %u of type %d is missing", index, (int)type);
        snapshot_damaged(f, why, e);
        return -ENOENT;
    }
    uint8_t *bytes = malloc(s->length + 1);
    if (bytes == NULL) {
        return err_set(e, ENOMEM, "out of memory for snapshot '%s'", f->path);
    }
    int ret = read_at(f, bytes, s->length, s->offset, e);
    if (ret == 0 && xxh64(bytes, s->length) != s->sum) {
        snprintf(why, sizeof(why), "section %u of type %d does not match its checksum", index,
                 (int)type);
        ret = snapshot_damaged(f, why, e);
    }
    if (ret < 0) {
        free(bytes);
        return ret;
    }
    *data = bytes;
    *in = (struct unpack){.data = bytes, .len = s->length};
    return 0;
}
