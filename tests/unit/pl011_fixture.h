/*
 * For tests of pl011: a machine with one, and its registers by name.
 */
#ifndef TESTS_PL011_FIXTURE_H
#define TESTS_PL011_FIXTURE_H

#include "tests/unit/fakes.h"

enum {
    DR = 0x00,
    RSR = 0x04,
    FR = 0x18,
    ILPR = 0x20,
    IBRD = 0x24,
    FBRD = 0x28,
    LCRH = 0x2c,
    CR = 0x30,
    IFLS = 0x34,
    IMSC = 0x38,
    RIS = 0x3c,
    MIS = 0x40,
    ICR = 0x44,
    DMACR = 0x48,
    ID = 0xfe0,
};

enum {
    RX_EMPTY = 0x10, /* of FR */
    FIFOS = 0x10,    /* of LCRH */
    UART_ON = 0x301, /* of CR */
    LOOPBACK = 0x80,
    RX = 0x10, /* interrupts */
    TX = 0x20,
    TIMEOUT = 0x40,
    OVERRUN = 0x400,
};

#define PL011_GPA 0x09000000ULL
#define PL011_GSI 1

struct pl011_fixture {
    struct fake_machine m;
    struct device *d; /* freed at the end of the test if not NULL */
};

extern struct pl011_fixture uart;

/* Init and fini of a Criterion suite. */
void pl011_setup(void);
void pl011_teardown(void);

/* Accesses of 16 bits, as Linux makes them. */
static inline uint16_t rd(uint32_t reg)
{
    return (uint16_t)fake_read(uart.m.mem, PL011_GPA + reg, 2);
}

static inline void wr(uint32_t reg, uint16_t value)
{
    fake_write(uart.m.mem, PL011_GPA + reg, value, 2);
}

static inline bool line(void)
{
    return uart.m.irqs.level[PL011_GSI];
}

/* What a driver does to listen: FIFOs on or off, UART on, receive interrupts. */
void pl011_listen(uint16_t lcrh, uint16_t imsc);

static inline void pass(uint64_t ns)
{
    fake_clock_advance(&uart.m.clock, ns);
    loop_poll(uart.m.loop);
}

#endif
