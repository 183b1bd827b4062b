/*
 * pl011: receiver and transmitter, between the registers and the console. The
 * model is described in pl011.c.
 *
 * Locking: console callbacks and the timers take the device's lock.
 */
#include "devices/pl011.h"

#define REMIND_NS 277778 /* 32 bits at 115200 baud */
#define SETTLE_NS (100 * NS_PER_MS)

/* The bytes in a FIFO at which an interrupt comes, for a field of IFLS. */
static unsigned ifls_level(unsigned field)
{
    static const uint8_t levels[8] = {2, 4, 8, 12, 14, 14, 14, 14}; /* the last 3 are reserved */
    return levels[field & 7];
}

/* --- receiver --------------------------------------------------------- */

static unsigned rx_trigger(const struct pl011 *u)
{
    bool by_level = u->lcrh & LCRH_FIFOS && u->imsc & INT_TIMEOUT;
    return by_level ? ifls_level(u->ifls >> 3) : 1;
}

/* There is input that the guest may not know of. */
void pl011_rx_announce(struct pl011 *u)
{
    u->ris |= u->port.rx.count >= rx_trigger(u) ? INT_RX : 0;
    u->ris |= u->port.rx.count > 0 && u->lcrh & LCRH_FIFOS ? INT_TIMEOUT : 0;
}

static size_t rx_room(struct device *d)
{
    const struct pl011 *u = DEVICE_STATE(struct pl011, d);
    bool wanted = !(u->cr & CR_LOOPBACK) && (u->port.polling || u->listens);
    return wanted && u->port.rx.count < pl011_fifo_size(u) ? pl011_fifo_size(u) - u->port.rx.count
                                                           : 0;
}

static void rx_push(struct device *d, uint8_t byte)
{
    struct pl011 *u = DEVICE_STATE(struct pl011, d);
    u->overrun = u->port.rx.count >= pl011_fifo_size(u);
    if (u->overrun) {
        u->rsr |= RSR_OVERRUN;
        u->ris |= INT_OVERRUN;
        return;
    }
    byte_fifo_push(&u->port.rx, byte);
    pl011_rx_announce(u);
}

void pl011_rx_clear(struct pl011 *u)
{
    u->port.rx.count = 0;
    u->overrun = false;
    u->ris &= (uint16_t)~INT_INPUT;
}

uint16_t pl011_rx_read(struct pl011 *u)
{
    uint16_t value = u->overrun ? DR_OVERRUN : 0;
    if (u->port.rx.count > 0) {
        value |= serial_take(&u->port);
    }
    u->ris &= (uint16_t) ~(u->port.rx.count < rx_trigger(u) ? INT_RX : 0);
    u->ris &= (uint16_t) ~(u->port.rx.count == 0 ? INT_TIMEOUT : 0);
    if (u->port.rx.count <= BYTE_FIFO_SIZE / 2) { /* wakes the console for 8 bytes or more */
        serial_resume(&u->port);
    }
    pl011_update_line(u);
    return value;
}

/* After a write of IMSC or CR: does the guest listen? */
void pl011_rx_reconsider(struct pl011 *u, bool wrote_imsc)
{
    if (!(u->imsc & INT_INPUT)) {
        u->listens = false; /* and settled() will find the same */
    } else if (wrote_imsc && (u->cr & CR_RECEIVES) == CR_RECEIVES) {
        u->listens = true;
    } else if (!u->listens) {
        u->settle_at = clock_now(u->dev.env->clock) + SETTLE_NS;
        timer_arm(&u->settle, u->settle_at);
    }
}

static void settled(void *opaque)
{
    struct pl011 *u = opaque;
    device_lock(&u->dev);
    u->settle_at = 0;
    u->listens = u->imsc & INT_INPUT;
    serial_resume(&u->port);
    device_unlock(&u->dev);
}

static void remind(void *opaque)
{
    struct pl011 *u = opaque;
    device_lock(&u->dev);
    u->remind_at = 0;
    pl011_rx_announce(u);
    pl011_update_line(u);
    device_unlock(&u->dev);
}

void pl011_rx_remind(struct pl011 *u)
{
    if (u->port.rx.count > 0) {
        u->remind_at = clock_now(u->dev.env->clock) + REMIND_NS;
        timer_arm(&u->remind, u->remind_at);
    }
}

void pl011_wire_loaded(struct pl011 *u)
{
    if (u->remind_at != 0) {
        timer_arm(&u->remind, u->remind_at);
    }
    if (u->settle_at != 0) {
        timer_arm(&u->settle, u->settle_at);
    }
}

/* --- transmitter ------------------------------------------------------ */

/* The interrupt is raised when the FIFO falls to its level, and ends when it rises above. */
static void tx_announce(struct pl011 *u)
{
    unsigned level = u->lcrh & LCRH_FIFOS ? ifls_level(u->ifls) : 0;
    u->ris &= (uint16_t)~INT_TX;
    u->ris |= u->port.tx.count <= level ? INT_TX : 0;
}

void pl011_tx_write(struct pl011 *u, uint8_t byte)
{
    if (!(u->cr & CR_LOOPBACK)) {
        serial_send(&u->port, byte);
    } else if (u->cr & CR_RX) {
        rx_push(&u->dev, byte);
    }
    tx_announce(u);
    if (!(u->imsc & INT_TX)) {
        posted_count(&u->posted);
    }
}

/* --- console ---------------------------------------------------------- */

static void console_received(struct device *d)
{
    pl011_update_line(DEVICE_STATE(struct pl011, d));
}

static void console_sent(struct device *d)
{
    struct pl011 *u = DEVICE_STATE(struct pl011, d);
    tx_announce(u);
    pl011_update_line(u);
}

static const struct serial_ops console_ops = {
    .room = rx_room,
    .receive = rx_push,
    .received = console_received,
    .sent = console_sent,
};

void pl011_wire_attach(struct pl011 *u)
{
    timer_init(&u->remind, u->dev.env->loop, remind, u);
    timer_init(&u->settle, u->dev.env->loop, settled, u);
    const struct device_env *env = u->dev.env;
    serial_attach(&u->port, &u->dev, u->channel ? env->channel : env->console, &console_ops);
}

void pl011_wire_detach(struct pl011 *u)
{
    serial_detach(&u->port);
    timer_cancel(&u->remind);
    timer_cancel(&u->settle);
}
