/*
 * See dma_engine.h.
 */
#include "dma_engine.h"

bool dma_engine_find(struct dma_engine *e, unsigned n)
{
    static const struct dev_id id = {DMA_VENDOR, DMA_DEVICE, DMA_ID_VALUE};
    e->interrupts = 0;
    e->finished = 0;
    return dev_find(&e->dev, &id, n);
}

void dma_start(const struct dma_engine *e, unsigned channel, uint64_t dst, uint64_t src,
               uint32_t size)
{
    const uintptr_t regs = e->dev.base + dma_channel(channel);
    mmio_write64(regs + DMA_SRC, src);
    mmio_write64(regs + DMA_DST, dst);
    mmio_write32(regs + DMA_SIZE, size);
    mmio_write32(regs + DMA_START, 1);
}

uint32_t dma_wait(const struct dma_engine *e, unsigned channel)
{
    uint32_t done;
    while ((done = dma_read(e, dma_channel(channel) + DMA_DONE)) == 0) {
        cpu_relax();
    }
    return done;
}

uint32_t dma_copy(const struct dma_engine *e, unsigned channel, uint64_t dst, uint64_t src,
                  uint32_t size)
{
    dma_start(e, channel, dst, src, size);
    const uint32_t done = dma_wait(e, channel);
    const uint32_t error = dma_read(e, dma_channel(channel) + DMA_ERROR);
    CHECK_EQ(done, error == DMA_ERROR_NONE ? DMA_OK : DMA_FAILED);
    CHECK_EQ(dma_read(e, dma_channel(channel) + DMA_COPIED), error == DMA_ERROR_NONE ? size : 0);
    return error;
}

void dma_interrupt(void *engine)
{
    struct dma_engine *e = engine;
    const uint32_t finished = dma_read(e, DMA_IRQ_STATUS) & dma_read(e, DMA_IRQ_ENABLE);
    if (finished != 0) {
        dma_write(e, DMA_IRQ_STATUS, finished);
        e->finished |= finished;
        e->interrupts++;
    }
}
