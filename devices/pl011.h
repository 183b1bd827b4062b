/*
 * The inside of pl011, shared by its registers (pl011.c) and the wire
 * (pl011_wire.c). The model is described in pl011.c.
 *
 * Locking: all functions with the device's lock held, unless they say otherwise.
 */
#ifndef DEVICES_PL011_H
#define DEVICES_PL011_H

#include "devices/posted.h"
#include "devices/serial.h"

enum {
    DR_OVERRUN = 0x800,
    RSR_OVERRUN = 0x08,
};

enum {
    LCRH_FIFOS = 0x10,
};

enum {
    CR_UART = 0x001,
    CR_LOOPBACK = 0x080,
    CR_TX = 0x100,
    CR_RX = 0x200,
    CR_ALL = 0xff87,
    CR_RECEIVES = CR_UART | CR_RX,
};

enum {
    INT_RX = 0x010,
    INT_TX = 0x020,
    INT_TIMEOUT = 0x040,
    INT_OVERRUN = 0x400,
    INT_ALL = 0x7ff,
    INT_INPUT = INT_RX | INT_TIMEOUT,
};

struct pl011 {
    struct device dev;
    /* properties */
    uint64_t addr;
    uint32_t gsi;
    bool posted_tx;
    bool channel;
    /* registers */
    uint16_t ibrd, cr, imsc, ris;
    uint8_t ilpr, fbrd, lcrh, ifls, dmacr, rsr;
    bool overrun;                  /* DR_OVERRUN, until there is a byte again */
    bool listens;                  /* by receive interrupts */
    bool line;                     /* level of the interrupt line */
    uint64_t remind_at, settle_at; /* when the timers are due, in machine ns; 0: not armed */
    struct serial port;
    struct irq out;
    struct timer remind, settle;
    struct posted posted;
};

/* Bytes that a FIFO holds: one where the FIFOs are off. */
static inline unsigned pl011_fifo_size(const struct pl011 *u)
{
    return u->lcrh & LCRH_FIFOS ? BYTE_FIFO_SIZE : 1;
}

/* Bring the interrupt line up to date with the registers. */
void pl011_update_line(struct pl011 *u);

/* Connect to the console, and let go of it. Without the lock. */
void pl011_wire_attach(struct pl011 *u);
void pl011_wire_detach(struct pl011 *u);

/* The guest reads DR. */
uint16_t pl011_rx_read(struct pl011 *u);
void pl011_rx_clear(struct pl011 *u);
/* Raise the receive interrupts that are due by what the FIFO holds. */
void pl011_rx_announce(struct pl011 *u);
/* The guest cleared receive interrupts: announce what it leaves behind. */
void pl011_rx_remind(struct pl011 *u);
/* After a write of IMSC or CR: find out again whether the guest listens. */
void pl011_rx_reconsider(struct pl011 *u, bool wrote_imsc);

/* The guest sends a byte. */
void pl011_tx_write(struct pl011 *u, uint8_t byte);

/* After the fields came from a snapshot: the timers. */
void pl011_wire_loaded(struct pl011 *u);

#endif
