/*
 * What UARTs have in common: FIFOs of 16 bytes between their registers and the
 * console.
 *
 *  - Output: a byte leaves at once. When the console's reader is slow, bytes stay
 *    in the transmit FIFO, and the guest can see that.
 *  - Input waits in the console until the device has room for it, and a device has
 *    none while the guest does not listen: so nothing overruns, and nothing typed or
 *    piped in during boot is thrown away by a driver's start-up code. A guest
 *    without receive interrupts listens when it polls.
 *
 * Locking: all functions with the device's lock held, unless they say otherwise.
 * The console's callbacks, on the main loop's thread, take it.
 */
#ifndef DEVICES_SERIAL_H
#define DEVICES_SERIAL_H

#include "devices/byte_fifo.h"
#include "src/console/chardev.h"
#include "src/device.h"

struct serial_ops {
    /* How many bytes from the console can be received now. */
    size_t (*room)(struct device *d);
    /* One arrived: put it into rx. */
    void (*receive)(struct device *d, uint8_t byte);
    /* Several arrived, or bytes that had waited in tx left: bring interrupts up to date. */
    void (*received)(struct device *d);
    void (*sent)(struct device *d);
};

struct serial {
    struct device *dev;
    struct chardev *wire; /* NULL: what is sent is lost */
    const struct serial_ops *ops;
    struct byte_fifo rx, tx;
    uint8_t idle_polls; /* looks in a row that found nothing to do */
    bool polling;       /* the guest receives by polling */
    bool rx_blocked;    /* the console was told there is no room */
    struct chardev_frontend frontend;
};

/* Connect to wire, the machine's console or its channel (NULL: none), and let go of it. Without the
 * lock. */
void serial_attach(struct serial *s, struct device *d, struct chardev *wire,
                   const struct serial_ops *ops);
void serial_detach(struct serial *s);

/* The guest sends a byte; what finds the FIFO full is lost and counted. */
void serial_send(struct serial *s, uint8_t byte);

/* The guest takes the oldest byte of rx, which is not empty. */
uint8_t serial_take(struct serial *s);

/* There may be room now: let a console that waits go on. */
void serial_resume(struct serial *s);

/* The guest looked at the line's status and found neither input nor a busy transmitter. */
void serial_idle_poll(struct serial *s);
/* The guest set the port up anew: find out again how it receives. */
void serial_reconsider(struct serial *s);

/* For a device's loaded(): are the FIFOs that came from a snapshot possible? -EINVAL with e set. */
int serial_loaded(const struct serial *s, struct err *e);
/* And for its resume(), without the lock: send what waited in tx. */
void serial_restart(struct serial *s);

#endif
