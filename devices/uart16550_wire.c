/*
 * uart16550: receiver and transmitter, between the registers and the console.
 * The model is described in uart16550.c.
 *
 * Locking: console callbacks and the timer take the device's lock.
 */
#include "devices/uart16550.h"

#include "src/base/trace.h"

/* A guest that reads LSR so often in a row without cause waits for input. */
#define POLLS_TO_LISTEN 16
#define TIMEOUT_NS      347222 /* 4 characters of 10 bits at 115200 baud */

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
    return !uart_loopback(u) && (u->polling || (u->ier & IER_RX && !probe));
}

static size_t rx_room(const struct uart *u)
{
    unsigned size = uart_fifo_mode(u) ? BYTE_FIFO_SIZE : 1;
    return rx_wanted(u) && u->rx.count < size ? size - u->rx.count : 0;
}

/*
 * Let the console go on when the FIFO is half empty and below the trigger level:
 * a wake-up for 8 bytes or more, and while the driver still reads what is left.
 */
static void rx_resume(struct uart *u)
{
    bool low = u->rx.count < uart_rx_trigger(u) && u->rx.count <= BYTE_FIFO_SIZE / 2;
    if (u->rx_blocked && low && rx_wanted(u) && u->dev.env->console != NULL) {
        u->rx_blocked = false;
        chardev_accept_input(u->dev.env->console);
    }
}

static void rx_push(struct uart *u, uint8_t byte)
{
    if (!uart_fifo_mode(u) && u->rx.count > 0) { /* RBR is overwritten; a FIFO keeps what it has */
        byte_fifo_pop(&u->rx);
        u->overrun = true;
    }
    if (!byte_fifo_push(&u->rx, byte)) {
        u->overrun = true;
    }
    u->timeout_pending = uart_fifo_mode(u);
}

void uart_rx_clear(struct uart *u)
{
    u->rx.count = 0;
    u->timeout_pending = false;
}

uint8_t uart_rx_read(struct uart *u)
{
    if (u->rx.count == 0) {
        return 0;
    }
    uint8_t byte = byte_fifo_pop(&u->rx);
    trace(TRACE_uart_rx, "%s 0x%02x", u->dev.id, byte);
    u->timeout_pending = false;
    if (u->rx.count > 0 && u->rx.count < uart_rx_trigger(u) && !u->timer_on) {
        u->timer_on = true;
        timer_arm(&u->timeout, clock_now(u->dev.env->clock) + TIMEOUT_NS);
    }
    rx_resume(u);
    uart_update_line(u);
    return byte;
}

void uart_rx_idle_poll(struct uart *u)
{
    if (!u->polling && ++u->idle_polls >= POLLS_TO_LISTEN) {
        u->polling = true;
        rx_resume(u);
    }
}

void uart_rx_reconsider(struct uart *u)
{
    u->idle_polls = 0;
    u->polling = false;
    rx_resume(u);
}

static void rx_timeout(void *opaque)
{
    struct uart *u = opaque;
    device_lock(&u->dev);
    u->timer_on = false;
    u->timeout_pending = uart_fifo_mode(u) && u->rx.count > 0;
    uart_update_line(u);
    device_unlock(&u->dev);
}

/* --- transmitter ------------------------------------------------------ */

static bool console_write(struct uart *u, uint8_t byte)
{
    struct chardev *c = u->dev.env->console;
    return c == NULL || chardev_write(c, &byte, 1) == 1;
}

static void transmit(struct uart *u, uint8_t byte)
{
    trace(TRACE_uart_tx, "%s 0x%02x", u->dev.id, byte);
    bool sent = u->tx.count == 0 && console_write(u, byte);
    if (!sent && !byte_fifo_push(&u->tx, byte)) {
        guest_error(&u->dev.guest_errors, "%s: a byte was written to a full transmitter",
                    u->dev.id);
    }
    if (!(u->ier & IER_THRE)) {
        posted_count(&u->posted);
    }
}

void uart_tx_write(struct uart *u, uint8_t byte)
{
    if (uart_loopback(u)) {
        rx_push(u, byte);
    } else {
        transmit(u, byte);
    }
    u->thre_pending = u->tx.count == 0;
    u->idle_polls = 0;
    uart_update_line(u);
}

/* --- console ---------------------------------------------------------- */

static size_t console_can_receive(void *opaque)
{
    struct uart *u = opaque;
    device_lock(&u->dev);
    size_t room = rx_room(u);
    u->rx_blocked = room == 0;
    device_unlock(&u->dev);
    return room;
}

static void console_receive(void *opaque, const uint8_t *data, size_t len)
{
    struct uart *u = opaque;
    device_lock(&u->dev);
    for (size_t i = 0; i < len; i++) {
        rx_push(u, data[i]);
    }
    u->rx_blocked = rx_room(u) == 0;
    uart_update_line(u);
    device_unlock(&u->dev);
}

static void console_writable(void *opaque)
{
    struct uart *u = opaque;
    device_lock(&u->dev);
    bool waiting = u->tx.count > 0;
    while (u->tx.count > 0 && console_write(u, byte_fifo_peek(&u->tx))) {
        byte_fifo_pop(&u->tx);
    }
    if (waiting && u->tx.count == 0) {
        u->thre_pending = true;
        uart_update_line(u);
    }
    device_unlock(&u->dev);
}

void uart_wire_attach(struct uart *u)
{
    timer_init(&u->timeout, u->dev.env->loop, rx_timeout, u);
    u->frontend = (struct chardev_frontend){
        .can_receive = console_can_receive,
        .receive = console_receive,
        .writable = console_writable,
        .opaque = u,
    };
    if (u->dev.env->console != NULL) {
        chardev_attach(u->dev.env->console, &u->frontend);
    }
}

void uart_wire_detach(struct uart *u)
{
    if (u->dev.env->console != NULL) {
        chardev_attach(u->dev.env->console, NULL);
    }
    timer_cancel(&u->timeout);
}
