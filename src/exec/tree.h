/*
 * Files of the host put into an archive under their own paths: folders on the
 * way, and symbolic links as such with what they lead to. Each path goes in once;
 * two files for one path are -EEXIST.
 *
 * Locking: none.
 */
#ifndef EXEC_TREE_H
#define EXEC_TREE_H

#include "src/exec/cpio.h"

#include <sys/types.h>

struct exec_tree {
    struct cpio archive;
    void *seen; /* what is in; a tsearch(3) tree */
    struct err *e;
};

void exec_tree_begin(struct exec_tree *t, int fd, uint64_t limit, struct err *e);
void exec_tree_free(struct exec_tree *t);

/* Entries without a file on the host; path is absolute, as everywhere here. */
int exec_tree_dir(struct exec_tree *t, const char *path, unsigned mode);
int exec_tree_bytes(struct exec_tree *t, const char *path, unsigned mode, const void *data,
                    size_t len);
int exec_tree_device(struct exec_tree *t, const char *path, unsigned mode, unsigned major,
                     unsigned minor);

/* The file `from` of the host as path, whose folder is there. */
int exec_tree_copy(struct exec_tree *t, const char *from, const char *path);

/* The host's file at path, a regular one in the end. Others: -EINVAL. */
int exec_tree_file(struct exec_tree *t, const char *path);

/* All that is in the host's folder `from`, as what is in path. Neither file, folder nor link:
 * -EINVAL. */
int exec_tree_folder(struct exec_tree *t, const char *from, const char *path);

#endif
