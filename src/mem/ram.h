/*
 * Guest RAM: anonymous memory of the host, aligned to 2 MiB so that KVM can
 * back it with huge pages (guest and host addresses agree modulo 2 MiB), not
 * reserved, with guard pages around it, left out of core dumps.
 */
#ifndef MEM_RAM_H
#define MEM_RAM_H

#include "src/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ram {
    uint8_t *host;
    uint64_t size;
    void *mapping; /* the whole reservation, guards included */
    size_t mapping_size;
    bool of_file; /* parts of it began as pages of a file */
};

/* size: bytes, a multiple of 4096. Zeroed memory. -ENOMEM with a hint (the host's memory is said).
 */
int ram_alloc(struct ram *r, uint64_t size, struct err *e);
void ram_free(struct ram *r);

/*
 * Let the accelerator forget its mapping of some pages, as it does when the host moves them: the
 * guest's next access faults in KVM, which maps them again. They stay readable and writable all the
 * time. host, len: whole pages of RAM. Any thread.
 */
void ram_unmap_from_guest(void *host, size_t len);

/*
 * Let len bytes at offset begin as those of the file at file_offset; all three are multiples of
 * the host's page size, and the file has that many. Writes go to copies of its pages. The file must
 * not change as long as the RAM is there. -errno with e set.
 */
int ram_map_file(struct ram *r, uint64_t offset, int fd, uint64_t file_offset, uint64_t len,
                 struct err *e);

/* All zeros again, in fresh pages. -errno with e set. */
int ram_clear(struct ram *r, struct err *e);

#endif
