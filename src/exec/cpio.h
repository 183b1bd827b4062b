/*
 * Writing an initramfs: a cpio archive of format "newc", as Linux unpacks it.
 *
 * Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst.
 * Locking: none.
 */
#ifndef EXEC_CPIO_H
#define EXEC_CPIO_H

#include "src/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An archive that is being written. The first error stays in it; later calls do nothing. */
struct cpio {
    int fd;         /* from its start on; borrowed */
    uint64_t size;  /* bytes so far */
    uint64_t limit; /* what is beyond it is only counted: cpio_end() refuses the archive */
    bool over;      /* it is beyond the limit */
    uint32_t inode;
    int error; /* -errno; 0: none */
};

#define CPIO_NAME_MAX 4096          /* with its NUL; Linux passes over what has a longer one */
#define CPIO_FILE_MAX 0xffffffffULL /* the format has 32 bits for a size */

void cpio_begin(struct cpio *a, int fd, uint64_t limit);

/* Entries of root. path has no leading slash; its folders must have been entered before it. */
int cpio_dir(struct cpio *a, const char *path, unsigned mode);
int cpio_symlink(struct cpio *a, const char *path, const char *target);
int cpio_char_device(struct cpio *a, const char *path, unsigned mode, unsigned major,
                     unsigned minor);
int cpio_bytes(struct cpio *a, const char *path, unsigned mode, const void *data, size_t len);
/* The size bytes that the file fd has from its start on; -EIO: it has fewer. */
int cpio_file(struct cpio *a, const char *path, unsigned mode, int fd, uint64_t size);

/* The trailer. The archive's error, with e set; -EFBIG: a->size is over a->limit. */
int cpio_end(struct cpio *a, struct err *e);

#endif
