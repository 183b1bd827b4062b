/*
 * A FIFO of 16 bytes, as UARTs have. Zeroed memory is an empty one.
 *
 * Locking: the owner's.
 */
#ifndef DEVICES_BYTE_FIFO_H
#define DEVICES_BYTE_FIFO_H

#include <stdbool.h>
#include <stdint.h>

#define BYTE_FIFO_SIZE 16u

struct byte_fifo {
    uint8_t data[BYTE_FIFO_SIZE];
    uint8_t head;
    uint8_t count;
};

/* False, and nothing changed, when it is full. */
static inline bool byte_fifo_push(struct byte_fifo *f, uint8_t byte)
{
    if (f->count >= BYTE_FIFO_SIZE) {
        return false;
    }
    f->data[(f->head + f->count) % BYTE_FIFO_SIZE] = byte;
    f->count++;
    return true;
}

/* The oldest byte, of a FIFO that is not empty. */
static inline uint8_t byte_fifo_peek(const struct byte_fifo *f)
{
    return f->data[f->head % BYTE_FIFO_SIZE];
}

static inline uint8_t byte_fifo_pop(struct byte_fifo *f)
{
    uint8_t byte = byte_fifo_peek(f);
    f->head = (uint8_t)((f->head + 1) % BYTE_FIFO_SIZE);
    f->count--;
    return byte;
}

#endif
