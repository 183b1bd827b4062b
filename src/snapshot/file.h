/*
 * Snapshot files as sections (format.h): writing one, and reading one that may be
 * damaged, or be anything at all.
 *
 * A file appears under its name when it is complete and on stable storage, and not
 * before; machines that run from an older one of that name keep that.
 *
 * Locking: none; main thread.
 */
#ifndef SNAPSHOT_FILE_H
#define SNAPSHOT_FILE_H

#include "src/base/err.h"
#include "src/base/pack.h"
#include "src/snapshot/format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- writing ---------------------------------------------------------- */

struct snapshot_writer {
    const char *path; /* borrowed */
    char *temporary;  /* the file's name until it is complete; NULL: there is none */
    int fd;
    uint64_t at; /* where the next section may begin */
    uint32_t count;
    struct pack table;
};

/* -errno with e set; then there is nothing to end. Else snapshot_commit() or snapshot_abandon(). */
int snapshot_create(struct snapshot_writer *w, const char *path, struct err *e);
/* Append a section of type; data may have failed. -errno with e set. */
int snapshot_put(struct snapshot_writer *w, enum snapshot_type type, uint32_t index,
                 const struct pack *data, struct err *e);
/* Append len bytes of guest RAM that are at offset address of it. */
int snapshot_put_ram(struct snapshot_writer *w, uint64_t address, const void *data, size_t len,
                     struct err *e);
/* Complete it and give it its name. Whatever the result, the writer has ended. */
int snapshot_commit(struct snapshot_writer *w, struct err *e);
/* Leave nothing behind. */
void snapshot_abandon(struct snapshot_writer *w);

/* --- reading ---------------------------------------------------------- */

struct snapshot_section {
    enum snapshot_type type;
    uint32_t index;
    uint64_t offset, length; /* inside the file */
    uint64_t address;
    uint64_t sum;
};

struct snapshot_file {
    char *path;
    int fd;
    uint32_t count;
    struct snapshot_section *sections;
};

/*
 * Open path read-only and check header and table. NULL with e set. Free with
 * snapshot_file_close(), for which NULL is allowed.
 */
struct snapshot_file *snapshot_file_open(const char *path, struct err *e);
void snapshot_file_close(struct snapshot_file *f);

/*
 * A section that is not RAM, its checksum verified. in: over memory that the caller frees
 * (*data). -ENOENT: there is none; other -errno. e is set.
 */
int snapshot_get(struct snapshot_file *f, enum snapshot_type type, uint32_t index, uint8_t **data,
                 struct unpack *in, struct err *e);

bool snapshot_has(const struct snapshot_file *f, enum snapshot_type type, uint32_t index);

/* "snapshot 'PATH' is damaged: WHY", with a hint. Returns -EINVAL. */
int snapshot_damaged(const struct snapshot_file *f, const char *why, struct err *e);

#endif
