/*
 * The inside of uart16550, shared by its registers (uart16550.c) and the wire
 * (uart16550_wire.c). The model is described in uart16550.c.
 *
 * Locking: all functions with the device's lock held, unless they say otherwise.
 */
#ifndef DEVICES_UART16550_H
#define DEVICES_UART16550_H

#include "devices/posted.h"
#include "devices/serial.h"

enum {
    IER_RX = 0x01,
    IER_THRE = 0x02,
    IER_LINE = 0x04,
    IER_MODEM = 0x08,
    IER_ALL = 0x0f,
};

enum {
    FCR_ENABLE = 0x01,
    FCR_CLEAR_RX = 0x02,
    FCR_KEPT = 0xc9, /* enable, DMA mode, trigger; the clear bits fall back */
};

enum {
    LCR_DLAB = 0x80,
};

enum {
    MCR_DTR = 0x01,
    MCR_RTS = 0x02,
    MCR_OUT1 = 0x04,
    MCR_OUT2 = 0x08,
    MCR_LOOP = 0x10,
    MCR_ALL = 0x1f,
};

struct uart {
    struct device dev;
    /* properties */
    uint32_t iobase;
    uint32_t irq;
    bool out2_gate;
    bool posted_tx;
    bool channel;
    /* registers */
    uint8_t ier, fcr, lcr, mcr, msr, scr;
    uint16_t divisor;
    bool overrun;         /* LSR bit 1 */
    bool thre_pending;    /* transmitter-empty interrupt */
    bool timeout_pending; /* character time-out interrupt */
    uint64_t timeout_at;  /* machine ns at which the reader is reminded; 0: not */
    bool line;            /* level of the interrupt line */
    struct serial port;
    struct irq out;
    struct timer timeout;
    struct posted posted;
};

/* Bring the interrupt line up to date with the registers. */
void uart_update_line(struct uart *u);

static inline bool uart_fifo_mode(const struct uart *u)
{
    return u->fcr & FCR_ENABLE;
}

static inline bool uart_loopback(const struct uart *u)
{
    return u->mcr & MCR_LOOP;
}

/* Characters at which the receive interrupt comes. */
unsigned uart_rx_trigger(const struct uart *u);

/* Connect to the console, and let go of it. Without the lock. */
void uart_wire_attach(struct uart *u);
void uart_wire_detach(struct uart *u);

/* The guest takes the oldest received byte; 0 if there is none. */
uint8_t uart_rx_read(struct uart *u);
void uart_rx_clear(struct uart *u);

/* The guest sends a byte. */
void uart_tx_write(struct uart *u, uint8_t byte);

/* After the fields came from a snapshot: the reminder of bytes left in the FIFO. */
void uart_wire_loaded(struct uart *u);

#endif
