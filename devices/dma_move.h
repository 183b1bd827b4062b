/*
 * Moving bytes within guest memory that consists of several pieces of host
 * memory.
 *
 * Locking: none. vCPUs may use the bytes meanwhile: what they see then is theirs
 * to sort out, as with any DMA.
 */
#ifndef DEVICES_DMA_MOVE_H
#define DEVICES_DMA_MOVE_H

#include <stdbool.h>
#include <sys/uio.h>

/* Most pieces of either side. A machine's RAM is a handful of ranges. */
#define DMA_PIECES 16

/* Both sides have the same number of bytes. Each is in the order of guest addresses. */
struct dma_move {
    struct iovec src[DMA_PIECES], dst[DMA_PIECES];
    int src_count, dst_count;
    bool backward; /* last byte first: the destination begins inside the source */
};

void dma_move(const struct dma_move *m);

#endif
