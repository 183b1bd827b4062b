/*
 * Guest RAM: anonymous memory of the host, aligned to 2 MiB so that KVM can
 * back it with huge pages (guest and host addresses agree modulo 2 MiB), not
 * reserved, with guard pages around it, left out of core dumps.
 */
#ifndef MEM_RAM_H
#define MEM_RAM_H

#include "src/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct ram {
    uint8_t *host;
    uint64_t size;
    void *mapping; /* the whole reservation, guards included */
    size_t mapping_size;
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

#endif
