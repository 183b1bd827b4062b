/*
 * Files that come out of the guest, into a folder of the host. What the guest
 * says is hostile: a path that is absolute, has ".." or leads through a link is
 * refused, and so is more than OUT_ENTRIES_MAX entries or OUT_BYTES_MAX bytes. A
 * file is written under a temporary name and renamed when it is complete, so
 * nothing half-written stays under its final name.
 *
 * Locking: none; the loop's thread.
 */
#ifndef EXEC_OUT_H
#define EXEC_OUT_H

#include "src/base/err.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define OUT_ENTRIES_MAX 65536U
#define OUT_BYTES_MAX   (4ULL << 30)
#define OUT_DEPTH_MAX   32

struct out_dir {
    const char *path; /* borrowed; for messages */
    int fd;           /* of the folder; -1: there is none */
    mode_t mask;      /* of new files' modes */
    unsigned entries;
    uint64_t bytes;
    /* the file that is being written */
    int file_fd, parent_fd; /* -1: none */
    unsigned mode;
    char name[NAME_MAX + 1]; /* in parent_fd */
    char temporary[32];      /* the same; empty: there is none */
};

/* Open the folder; it is made if only its last component is missing. path NULL: none. */
int out_open(struct out_dir *o, const char *path, struct err *e);
/* Also removes a file that is not complete. */
void out_close(struct out_dir *o);

/* path: len bytes from the guest, without a NUL. All return -errno with e set on failure. */
int out_add_dir(struct out_dir *o, const char *path, size_t len, struct err *e);
int out_begin_file(struct out_dir *o, const char *path, size_t len, unsigned mode, struct err *e);
int out_data(struct out_dir *o, const void *data, size_t len, struct err *e);
int out_end_file(struct out_dir *o, struct err *e);

#endif
