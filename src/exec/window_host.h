/*
 * vmm's side of the window (window.h). The pages and all that is in them are the
 * guest's: each access is checked to be RAM, each index to be possible.
 *
 * Locking: the loop's thread, as an online mem_reader.
 */
#ifndef EXEC_WINDOW_HOST_H
#define EXEC_WINDOW_HOST_H

#include "src/exec/ring.h"
#include "src/exec/window.h"
#include "src/mem/aspace.h"

#include <stdbool.h>

struct window {
    struct aspace *mem;
    bool on;
    uint32_t page_size;
    uint64_t pages[WINDOW_PAGES_MAX];
    uint32_t produced, consumed; /* ours */
};

/* From the payload of FRAME_WINDOW. false: it makes no sense. */
bool window_open(struct window *w, struct aspace *mem, const uint8_t *payload, size_t len);

/*
 * Take at most size bytes from the guest. *ring: it must be told of the room. -EFAULT, -EPROTO:
 * nonsense.
 */
int window_take(struct window *w, uint8_t *buf, size_t size, bool *ring);

/* Move what fits from r to the guest. *ring: it must be told. -EFAULT, -EPROTO. */
int window_put(struct window *w, struct ring *r, bool *ring);

#endif
