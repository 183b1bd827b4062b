/*
 * A driver for edu (docs/devices/edu.md), on PCI or as a platform device,
 * polled or with interrupts.
 */
#ifndef GUEST_EDU_H
#define GUEST_EDU_H

#include "dev.h"

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8

/* Registers: 32 bits wide, from DMA_SRC on also 64 bits. */
enum {
    EDU_ID = 0x00,
    EDU_LIVENESS = 0x04,
    EDU_FACTORIAL = 0x08,
    EDU_STATUS = 0x20,
    EDU_IRQ_STATUS = 0x24,
    EDU_IRQ_RAISE = 0x60,
    EDU_IRQ_ACK = 0x64,
    EDU_DMA_SRC = 0x80,
    EDU_DMA_DST = 0x88,
    EDU_DMA_COUNT = 0x90,
    EDU_DMA_CMD = 0x98,
};

#define EDU_ID_VALUE 0x010000edU

enum {
    EDU_COMPUTING = 0x01, /* EDU_STATUS */
    EDU_IRQ_AFTER = 0x80,

    EDU_IRQ_FACTORIAL = 0x001, /* EDU_IRQ_STATUS */
    EDU_IRQ_DMA = 0x100,

    EDU_DMA_RUN = 0x1, /* EDU_DMA_CMD */
    EDU_DMA_TO_MEMORY = 0x2,
    EDU_DMA_IRQ = 0x4,
};

#define EDU_BUFFER      0x40000 /* where the device's buffer is, as DMA has it */
#define EDU_BUFFER_SIZE 4096

struct edu {
    struct dev dev;
    volatile unsigned interrupts; /* handled, with a reason */
    volatile uint32_t reasons;    /* of all of them */
};

/* The n-th edu, polled. */
bool edu_find(struct edu *e, unsigned n);

/* Count and acknowledge interrupts from now on. */
void edu_use_line(struct edu *e);
void edu_use_msi(struct edu *e);
/* What does so: an irq_handler, for a struct edu. */
void edu_interrupt(void *edu);
/* Sleep until that many interrupts have come in all. */
void edu_wait(const struct edu *e, unsigned interrupts);

static inline uint32_t edu_read(const struct edu *e, uintptr_t reg)
{
    return dev_read(&e->dev, reg);
}

static inline void edu_write(const struct edu *e, uintptr_t reg, uint32_t value)
{
    dev_write(&e->dev, reg, value);
}

/* n! modulo 2^32, polled. */
uint32_t edu_factorial(const struct edu *e, uint32_t n);

/* Start a transfer; command: EDU_DMA_* beside RUN. One side is in the device's buffer. */
void edu_dma_start(const struct edu *e, uint64_t src, uint64_t dst, uint64_t count,
                   uint32_t command);
bool edu_dma_running(const struct edu *e);
/* The same, polled to its end. */
void edu_dma(const struct edu *e, uint64_t src, uint64_t dst, uint64_t count, uint32_t command);

#endif
