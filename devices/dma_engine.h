/*
 * dma-engine's state, shared by dma_engine.c (registers, interrupts) and
 * dma_engine_copy.c (what START sets off). What the device is: dma_engine.c.
 *
 * Locking: all with the device's lock held, which guards everything here but for
 * `moving`. The I/O thread drops the lock while bytes move and holds `moving`
 * instead, so that no vCPU waits for a long copy, yet a reset can wait for the
 * piece in flight. `moving` nests inside the lock.
 */
#ifndef DEVICES_DMA_ENGINE_H
#define DEVICES_DMA_ENGINE_H

#include "src/device.h"

#include <pthread.h>

#define DMA_CHANNELS_MAX 15
#define DMA_SYNC_MAX     (2U << 20) /* bytes that START copies itself */
#define DMA_PIECE        (1U << 20) /* bytes the I/O thread moves before it looks again */

enum { /* of DONE */
       DMA_DONE_OK = 1,
};
#define DMA_DONE_FAILED 0x80000000

enum dma_error { /* values of ERROR */
                 DMA_ERROR_NONE = 0,
                 DMA_ERROR_SIZE = 1,
                 DMA_ERROR_SRC = 2,
                 DMA_ERROR_DST = 3,
                 DMA_ERROR_MASTER = 4,
                 DMA_ERROR_FLAGS = 5,
};

struct dma_operands {
    uint64_t src, dst;
    uint32_t size, flags;
};

struct dma_channel {
    struct dma_operands next; /* as the driver wrote them */
    struct dma_operands run;  /* as they were at START */
    bool running;             /* on the I/O thread */
    uint32_t done, error;
    uint32_t copied; /* bytes; from the end where the destination begins inside the source */
};

struct dma_engine {
    struct device dev;
    uint32_t channels; /* properties */
    uint64_t max_size;
    uint64_t dma_mask;
    bool msix;
    uint32_t irq_status, irq_enable; /* bit per channel */
    struct dma_channel channel[DMA_CHANNELS_MAX];
    struct iothread *iothread;
    struct bh work;                /* the next piece */
    unsigned turn;                 /* the channel that had the last one */
    struct dma_channel *in_flight; /* whose piece is moving; NULL: none, or cancelled */
    pthread_mutex_t moving;
};

/* A write of 1 to the START of c. */
void dma_engine_start(struct dma_engine *e, struct dma_channel *c);
/* After this no copy runs, and none writes to memory any more. Waits for a piece at most. */
void dma_engine_cancel(struct dma_engine *e);

/* In dma_engine.c: channel c has finished, its registers say how. */
void dma_engine_finished(struct dma_engine *e, const struct dma_channel *c);

/* Make and end the I/O thread; on the main thread, without the lock. -EAGAIN with err set. */
int dma_engine_start_thread(struct dma_engine *e, struct err *err);
void dma_engine_stop_thread(struct dma_engine *e);

/* For snapshots: let copies rest between two pieces, and go on. On the main thread, without the
 * lock. */
void dma_engine_pause(struct dma_engine *e);
void dma_engine_resume(struct dma_engine *e);

#endif
