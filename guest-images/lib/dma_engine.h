/*
 * A driver for dma-engine (docs/devices/dma-engine.md), on PCI or as a platform
 * device, polled or with interrupts.
 */
#ifndef GUEST_DMA_ENGINE_H
#define GUEST_DMA_ENGINE_H

#include "dev.h"

#define DMA_VENDOR 0x1234
#define DMA_DEVICE 0x3456

/* Registers of the whole device, 32 bits wide. */
enum {
    DMA_ID = 0x000,
    DMA_CAPS = 0x004,
    DMA_MAX_SIZE = 0x008,
    DMA_IRQ_STATUS = 0x00c,
    DMA_IRQ_ENABLE = 0x010,
};

#define DMA_ID_VALUE 0x34560100U

enum { /* DMA_CAPS */
       DMA_CAPS_CHANNELS = 0xff,
       DMA_CAPS_IRQ = 0x100,
       DMA_CAPS_ERROR = 0x200,
};

/* Registers of channel n, at dma_channel(n): 32 bits wide, SRC and DST also 64 bits. */
enum {
    DMA_SRC = 0x00,
    DMA_DST = 0x08,
    DMA_FLAGS = 0x10,
    DMA_SIZE = 0x14,
    DMA_START = 0x18,
    DMA_DONE = 0x1c,
    DMA_ERROR = 0x20,
    DMA_COPIED = 0x24,
};

#define DMA_CHANNELS_MAX 15

#define DMA_OK     1U /* DMA_DONE */
#define DMA_FAILED 0x80000000U

enum { /* DMA_ERROR */
       DMA_ERROR_NONE,
       DMA_ERROR_SIZE,
       DMA_ERROR_SRC,
       DMA_ERROR_DST,
       DMA_ERROR_MASTER,
       DMA_ERROR_FLAGS,
};

struct dma_engine {
    struct dev dev;
    volatile unsigned interrupts; /* handled, with a channel */
    volatile uint32_t finished;   /* channels, a bit each */
};

bool dma_engine_find(struct dma_engine *e, unsigned n);

static inline uintptr_t dma_channel(unsigned n)
{
    return 0x1000 * (n + 1UL);
}

static inline uint32_t dma_read(const struct dma_engine *e, uintptr_t reg)
{
    return dev_read(&e->dev, reg);
}

static inline void dma_write(const struct dma_engine *e, uintptr_t reg, uint32_t value)
{
    dev_write(&e->dev, reg, value);
}

/* Start a copy on a channel, as the Linux driver does. */
void dma_start(const struct dma_engine *e, unsigned channel, uint64_t dst, uint64_t src,
               uint32_t size);
/* Poll until it is over; returns DONE. */
uint32_t dma_wait(const struct dma_engine *e, unsigned channel);
/* Both; returns ERROR. Checks that DONE agrees with it. */
uint32_t dma_copy(const struct dma_engine *e, unsigned channel, uint64_t dst, uint64_t src,
                  uint32_t size);

/* An irq_handler, for a struct dma_engine: acknowledges what finished. */
void dma_interrupt(void *engine);

#endif
