/*
 * Posted transmission for a UART: has KVM collect the bytes a polling console
 * writes, so that they do not exit one by one.
 *
 * While it is on, writes to the transmit register wait in KVM's ring. The ring
 * is drained before any exit is handled, so every other access of the guest
 * finds the UART as if the writes had arrived at once (divisor bytes included:
 * the write to LCR that ends DLAB exits). Only a byte that nothing follows could
 * be late; a timer drains the ring every 10 ms, and after 100 ms without a byte
 * posting ends, so an idle guest costs nothing. A driver that works by transmit
 * interrupts would notice the delay: the UART stops posting for it.
 *
 * Locking: _byte and _stop with the device's lock held; the rest is on the main
 * loop's thread.
 */
#ifndef DEVICES_UART_POSTED_H
#define DEVICES_UART_POSTED_H

#include "src/device.h"

struct uart_posted {
    struct device *dev;
    struct region *region; /* NULL: posting is not used */
    struct posted_write write;
    struct bh change;
    struct timer drain;
    unsigned run; /* bytes since a reason not to post */
    unsigned idle_ticks;
    bool active; /* a byte since the last tick */
    bool wanted;
    bool on; /* what KVM was told; the loop's thread only */
};

/* enabled: false leaves all of it without effect. The byte is at offset 0 of region. */
void uart_posted_init(struct uart_posted *p, struct device *d, struct region *region, bool enabled);
void uart_posted_fini(struct uart_posted *p);

/* A byte was written that may as well come late. */
void uart_posted_byte(struct uart_posted *p);
/* From now on bytes must come at once. */
void uart_posted_stop(struct uart_posted *p);

#endif
