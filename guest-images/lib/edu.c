/*
 * See edu.h.
 */
#include "edu.h"

bool edu_find(struct edu *e, unsigned n)
{
    static const struct dev_id id = {EDU_VENDOR, EDU_DEVICE, EDU_ID_VALUE};
    e->interrupts = 0;
    e->reasons = 0;
    return dev_find(&e->dev, &id, n);
}

void edu_interrupt(void *edu)
{
    struct edu *e = edu;
    const uint32_t reasons = edu_read(e, EDU_IRQ_STATUS);
    if (reasons != 0) {
        edu_write(e, EDU_IRQ_ACK, reasons);
        e->reasons |= reasons;
        e->interrupts++;
    }
}

void edu_use_line(struct edu *e)
{
    dev_use_line(&e->dev, edu_interrupt, e);
}

void edu_use_msi(struct edu *e)
{
    dev_use_msi(&e->dev, edu_interrupt, e);
}

void edu_wait(const struct edu *e, unsigned interrupts)
{
    while (e->interrupts < interrupts) {
        wait_for_interrupt();
    }
}

uint32_t edu_factorial(const struct edu *e, uint32_t n)
{
    edu_write(e, EDU_FACTORIAL, n);
    while ((edu_read(e, EDU_STATUS) & EDU_COMPUTING) != 0) {
        cpu_relax();
    }
    return edu_read(e, EDU_FACTORIAL);
}

void edu_dma_start(const struct edu *e, uint64_t src, uint64_t dst, uint64_t count,
                   uint32_t command)
{
    mmio_write64(e->dev.base + EDU_DMA_SRC, src);
    mmio_write64(e->dev.base + EDU_DMA_DST, dst);
    mmio_write64(e->dev.base + EDU_DMA_COUNT, count);
    edu_write(e, EDU_DMA_CMD, EDU_DMA_RUN | command);
}

bool edu_dma_running(const struct edu *e)
{
    return (edu_read(e, EDU_DMA_CMD) & EDU_DMA_RUN) != 0;
}

void edu_dma(const struct edu *e, uint64_t src, uint64_t dst, uint64_t count, uint32_t command)
{
    edu_dma_start(e, src, dst, count, command);
    while (edu_dma_running(e)) {
        cpu_relax();
    }
}
