/*
 * uart16550: receiver and transmitter, between the registers and the console.
 * The model is described in uart16550.c.
 *
 * Locking: the timer takes the device's lock.
 */
#include "devices/uart16550.h"

#define TIMEOUT_NS 347222 /* 4 characters of 10 bits at 115200 baud */

/* --- receiver --------------------------------------------------------- */

unsigned uart_rx_trigger(const struct uart *u)
{
    static const uint8_t levels[] = {1, 4, 8, 14};
    return uart_fifo_mode(u) ? levels[u->fcr >> 6] : 1;
}

/*
 * Does the guest listen? Its receive interrupt is on (all four enables without
 * OUT2 are a driver's probe, not a driver), or it polls.
 */
static bool rx_wanted(const struct uart *u)
{
    bool probe = u->ier == IER_ALL && !(u->mcr & MCR_OUT2);
    return !uart_loopback(u) && (u->port.polling || (u->ier & IER_RX && !probe));
}

static size_t rx_room(struct device *d)
{
    const struct uart *u = DEVICE_STATE(struct uart, d);
    unsigned size = uart_fifo_mode(u) ? BYTE_FIFO_SIZE : 1;
    return rx_wanted(u) && u->port.rx.count < size ? size - u->port.rx.count : 0;
}

static void rx_push(struct device *d, uint8_t byte)
{
    struct uart *u = DEVICE_STATE(struct uart, d);
    if (!uart_fifo_mode(u) && u->port.rx.count > 0) { /* RBR is overwritten, a FIFO is not */
        byte_fifo_pop(&u->port.rx);
        u->overrun = true;
    }
    if (!byte_fifo_push(&u->port.rx, byte)) {
        u->overrun = true;
    }
    u->timeout_pending = uart_fifo_mode(u);
}

void uart_rx_clear(struct uart *u)
{
    u->port.rx.count = 0;
    u->timeout_pending = false;
}

/*
 * Lets the console go on when the FIFO is half empty and below the trigger level:
 * a wake-up for 8 bytes or more, and while the driver still reads what is left.
 */
uint8_t uart_rx_read(struct uart *u)
{
    const struct byte_fifo *rx = &u->port.rx;
    if (rx->count == 0) {
        return 0;
    }
    uint8_t byte = serial_take(&u->port);
    bool below = rx->count < uart_rx_trigger(u);
    u->timeout_pending = false;
    if (rx->count > 0 && below && u->timeout_at == 0) {
        u->timeout_at = clock_now(u->dev.env->clock) + TIMEOUT_NS;
        timer_arm(&u->timeout, u->timeout_at);
    }
    if (below && rx->count <= BYTE_FIFO_SIZE / 2) {
        serial_resume(&u->port);
    }
    uart_update_line(u);
    return byte;
}

void uart_wire_loaded(struct uart *u)
{
    if (u->timeout_at != 0) {
        timer_arm(&u->timeout, u->timeout_at);
    }
}

static void rx_timeout(void *opaque)
{
    struct uart *u = opaque;
    device_lock(&u->dev);
    u->timeout_at = 0;
    u->timeout_pending = uart_fifo_mode(u) && u->port.rx.count > 0;
    uart_update_line(u);
    device_unlock(&u->dev);
}

/* --- transmitter ------------------------------------------------------ */

void uart_tx_write(struct uart *u, uint8_t byte)
{
    if (uart_loopback(u)) {
        rx_push(&u->dev, byte);
    } else {
        serial_send(&u->port, byte);
        if (!(u->ier & IER_THRE)) {
            posted_count(&u->posted);
        }
    }
    u->thre_pending = u->port.tx.count == 0;
    uart_update_line(u);
}

/* --- console ---------------------------------------------------------- */

static void console_received(struct device *d)
{
    uart_update_line(DEVICE_STATE(struct uart, d));
}

static void console_sent(struct device *d)
{
    struct uart *u = DEVICE_STATE(struct uart, d);
    u->thre_pending |= u->port.tx.count == 0;
    uart_update_line(u);
}

static const struct serial_ops console_ops = {
    .room = rx_room,
    .receive = rx_push,
    .received = console_received,
    .sent = console_sent,
};

void uart_wire_attach(struct uart *u)
{
    timer_init(&u->timeout, u->dev.env->loop, rx_timeout, u);
    const struct device_env *env = u->dev.env;
    serial_attach(&u->port, &u->dev, u->channel ? env->channel : env->console, &console_ops);
}

void uart_wire_detach(struct uart *u)
{
    serial_detach(&u->port);
    timer_cancel(&u->timeout);
}
