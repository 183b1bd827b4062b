/*
 * What UARTs have in common. See serial.h.
 */
#include "devices/serial.h"

#include "src/base/trace.h"

#include <errno.h>

/* A guest that looks so often in a row without cause waits for input. */
#define POLLS_TO_LISTEN 16

/* --- transmitter ------------------------------------------------------ */

static bool console_write(struct serial *s, uint8_t byte)
{
    return s->wire == NULL || chardev_write(s->wire, &byte, 1) == 1;
}

void serial_send(struct serial *s, uint8_t byte)
{
    trace(TRACE_uart_tx, "%s 0x%02x", s->dev->id, byte);
    s->idle_polls = 0;
    bool sent = s->tx.count == 0 && console_write(s, byte);
    if (!sent && !byte_fifo_push(&s->tx, byte)) {
        guest_error(&s->dev->guest_errors, "%s: a byte was written to a full transmitter",
                    s->dev->id);
    }
}

/* --- receiver --------------------------------------------------------- */

uint8_t serial_take(struct serial *s)
{
    uint8_t byte = byte_fifo_pop(&s->rx);
    trace(TRACE_uart_rx, "%s 0x%02x", s->dev->id, byte);
    return byte;
}

void serial_resume(struct serial *s)
{
    if (s->rx_blocked && s->ops->room(s->dev) > 0 && s->wire != NULL) {
        s->rx_blocked = false;
        chardev_accept_input(s->wire);
    }
}

void serial_idle_poll(struct serial *s)
{
    if (!s->polling && ++s->idle_polls >= POLLS_TO_LISTEN) {
        s->polling = true;
        serial_resume(s);
    }
}

void serial_reconsider(struct serial *s)
{
    s->idle_polls = 0;
    s->polling = false;
    serial_resume(s);
}

/* --- console ---------------------------------------------------------- */

static size_t console_can_receive(void *opaque)
{
    struct serial *s = opaque;
    device_lock(s->dev);
    size_t room = s->ops->room(s->dev);
    s->rx_blocked = room == 0;
    device_unlock(s->dev);
    return room;
}

static void console_receive(void *opaque, const uint8_t *data, size_t len)
{
    struct serial *s = opaque;
    device_lock(s->dev);
    for (size_t i = 0; i < len; i++) {
        s->ops->receive(s->dev, data[i]);
    }
    s->rx_blocked = s->ops->room(s->dev) == 0;
    s->ops->received(s->dev);
    device_unlock(s->dev);
}

static void console_writable(void *opaque)
{
    struct serial *s = opaque;
    device_lock(s->dev);
    bool waiting = s->tx.count > 0;
    while (s->tx.count > 0 && console_write(s, byte_fifo_peek(&s->tx))) {
        byte_fifo_pop(&s->tx);
    }
    if (waiting) {
        s->ops->sent(s->dev);
    }
    device_unlock(s->dev);
}

int serial_loaded(const struct serial *s, struct err *e)
{
    const struct byte_fifo *rx = &s->rx, *tx = &s->tx;

    if (rx->head < BYTE_FIFO_SIZE && rx->count <= BYTE_FIFO_SIZE && tx->head < BYTE_FIFO_SIZE &&
        tx->count <= BYTE_FIFO_SIZE) {
        return 0;
    }
    return err_set(e, EINVAL, "a FIFO holds more than %d bytes", BYTE_FIFO_SIZE);
}

void serial_restart(struct serial *s)
{
    console_writable(s);
}

void serial_attach(struct serial *s, struct device *d, struct chardev *wire,
                   const struct serial_ops *ops)
{
    s->dev = d;
    s->wire = wire;
    s->ops = ops;
    s->frontend = (struct chardev_frontend){
        .can_receive = console_can_receive,
        .receive = console_receive,
        .writable = console_writable,
        .opaque = s,
    };
    if (wire != NULL) {
        chardev_attach(wire, &s->frontend);
    }
}

void serial_detach(struct serial *s)
{
    if (s->wire != NULL) {
        chardev_attach(s->wire, NULL);
    }
}
