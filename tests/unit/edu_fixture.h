/*
 * For tests of edu: the device on the fake bus, and a driver's view of it.
 *
 * The device's lock is the tests' handle on its worker: while a test holds it, a
 * computation that was begun cannot end. Accesses then go by locked_read() and
 * locked_write().
 */
#ifndef TESTS_EDU_FIXTURE_H
#define TESTS_EDU_FIXTURE_H

#include "tests/unit/fakes.h"

/* The registers again, from the specification and not from the device's file. */
enum {
    ID = 0x00,
    LIVENESS = 0x04,
    FACTORIAL = 0x08,
    STATUS = 0x20,
    IRQ_STATUS = 0x24,
    IRQ_RAISE = 0x60,
    IRQ_ACK = 0x64,
    DMA_SRC = 0x80,
    DMA_DST = 0x88,
    DMA_COUNT = 0x90,
    DMA_CMD = 0x98,
};

#define COMPUTING 0x01u
#define IRQ_AFTER 0x80u

#define RUN       1u
#define TO_BUFFER 0u
#define TO_MEMORY 2u
#define DMA_IRQ   4u

#define BUFFER      0x40000u
#define BUFFER_SIZE 4096u
#define DELAY_NS    (100 * NS_PER_MS)
#define RAM_SIZE    (1u << 20)

extern struct fake_machine machine; /* 1 MiB of RAM at 0 */
extern struct device *edu;
extern struct fake_slot *slot;

/* Init and fini of a suite. The device has its default properties. */
void edu_setup(void);
void edu_teardown(void);
/* Another instead of it. */
void edu_remake(const char *props);

/* 4 and 8 bytes. */
uint64_t get(uint32_t reg);
void put(uint32_t reg, uint32_t value);
uint64_t get8(uint32_t reg);
void put8(uint32_t reg, uint64_t value);

/* Between device_lock(edu) and device_unlock(edu). */
uint64_t locked_read(uint32_t reg);
void locked_write(uint32_t reg, uint32_t value);

/* As a driver does: poll until COMPUTING is clear; returns FACTORIAL. */
uint64_t factorial_result(void);

/* Let ns pass and the main loop notice. */
void pass(uint64_t ns);

/* Program a transfer by 8-byte writes and start it. */
void dma_start(uint64_t src, uint64_t dst, uint64_t count, uint64_t cmd);
/* The same, and let it end. */
void dma_run(uint64_t src, uint64_t dst, uint64_t count, uint64_t cmd);
/* Fill the buffer with a pattern, or see what it holds; through RAM at the last page. */
void buffer_fill(const uint8_t bytes[BUFFER_SIZE]);
void buffer_read(uint8_t bytes[BUFFER_SIZE]);

uint64_t errors(void);

#endif
