/*
 * uart16550: a serial port (COM1 of a PC).
 *
 * Model: National Semiconductor PC16550D data sheet (June 1995), section 8. What
 * differs from a chip on a wire:
 *  - Characters take no time, and input waits until the guest listens: receive
 *    interrupt on, or LSR polled (serial.h). Divisor, word length and parity have no
 *    effect. Clearing the transmit FIFO does not drop bytes, for they count as sent.
 *  - Switching the FIFOs on keeps the byte in RBR: Linux does that after it has
 *    enabled the interrupt.
 *  - Below the trigger level the time-out interrupt comes at once with new
 *    input; a reader that leaves bytes behind is reminded after the time of four
 *    characters at 115200 baud, counted from its first read.
 *  - OUT2 gates the interrupt on PC boards. QEMU does not do that and guests rely
 *    on it, so it is a property, off by default.
 *
 * Interrupts by priority, and what ends them: line status (LSR read), data at
 * the trigger level (reading below it), time-out (RBR read), transmitter empty
 * (IIR read that shows it, THR write), modem status (MSR read).
 *
 * Locking: the device's own.
 */
#include "devices/uart16550.h"

enum {
    UART_DATA = 0, /* RBR, THR; divisor low while LCR.DLAB */
    UART_IER = 1,  /* divisor high while LCR.DLAB */
    UART_IIR = 2,  /* read */
    UART_FCR = 2,  /* write */
    UART_LCR = 3,
    UART_MCR = 4,
    UART_LSR = 5,
    UART_MSR = 6,
    UART_SCR = 7,
    UART_PORTS = 8,
};

enum {
    IIR_MODEM = 0x00,
    IIR_NONE = 0x01,
    IIR_THRE = 0x02,
    IIR_RX = 0x04,
    IIR_LINE = 0x06,
    IIR_TIMEOUT = 0x0c,
    IIR_FIFO_ON = 0xc0,
};

enum {
    LSR_DATA = 0x01,
    LSR_OVERRUN = 0x02,
    LSR_THR_EMPTY = 0x20,
    LSR_ALL_SENT = 0x40,
    LSR_IDLE = LSR_THR_EMPTY | LSR_ALL_SENT,
};

enum {
    MSR_RI_ENDED = 0x04, /* the other deltas are their input's bit >> 4 */
    MSR_DELTAS = 0x0f,
    MSR_CTS = 0x10,
    MSR_DSR = 0x20,
    MSR_RI = 0x40,
    MSR_DCD = 0x80,
    MSR_READY = MSR_CTS | MSR_DSR | MSR_DCD, /* a null modem, always ready */
};

/* --- interrupts ------------------------------------------------------- */

static uint8_t interrupt_source(const struct uart *u)
{
    if (u->ier & IER_LINE && u->overrun) {
        return IIR_LINE;
    }
    if (u->ier & IER_RX && u->port.rx.count >= uart_rx_trigger(u)) {
        return IIR_RX;
    }
    if (u->ier & IER_RX && u->timeout_pending) {
        return IIR_TIMEOUT;
    }
    if (u->ier & IER_THRE && u->thre_pending) {
        return IIR_THRE;
    }
    if (u->ier & IER_MODEM && u->msr & MSR_DELTAS) {
        return IIR_MODEM;
    }
    return IIR_NONE;
}

void uart_update_line(struct uart *u)
{
    bool open = !u->out2_gate || (u->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;
    bool level = open && interrupt_source(u) != IIR_NONE;
    if (level != u->line) {
        u->line = level;
        irq_set(&u->out, level);
    }
}

/* --- registers -------------------------------------------------------- */

static uint8_t read_iir(struct uart *u)
{
    uint8_t source = interrupt_source(u);
    if (source == IIR_THRE) {
        u->thre_pending = false;
        uart_update_line(u);
    }
    return source | (uart_fifo_mode(u) ? IIR_FIFO_ON : 0);
}

static uint8_t read_lsr(struct uart *u)
{
    uint8_t lsr = (u->port.rx.count > 0 ? LSR_DATA : 0) | (u->overrun ? LSR_OVERRUN : 0) |
                  (u->port.tx.count == 0 ? LSR_IDLE : 0);
    if (lsr == LSR_IDLE) {
        serial_idle_poll(&u->port);
    } else if (u->overrun) {
        u->overrun = false;
        uart_update_line(u);
    }
    return lsr;
}

static uint8_t read_msr(struct uart *u)
{
    uint8_t msr = u->msr;
    u->msr &= (uint8_t)~MSR_DELTAS;
    uart_update_line(u);
    return msr;
}

static uint64_t uart_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)size;
    struct uart *u = DEVICE_STATE(struct uart, d);
    bool dlab = u->lcr & LCR_DLAB;
    switch (offset) {
    case UART_DATA:
        return dlab ? u->divisor & 0xff : uart_rx_read(u);
    case UART_IER:
        return dlab ? u->divisor >> 8 : u->ier;
    case UART_IIR:
        return read_iir(u);
    case UART_LCR:
        return u->lcr;
    case UART_MCR:
        return u->mcr;
    case UART_LSR:
        return read_lsr(u);
    case UART_MSR:
        return read_msr(u);
    default:
        return u->scr;
    }
}

static void write_ier(struct uart *u, uint8_t value)
{
    uint8_t enabled = value & ~u->ier;
    u->ier = value & IER_ALL;
    if (enabled & IER_THRE) {
        u->thre_pending = u->port.tx.count == 0;
        posted_stop(&u->posted);
    }
}

static void write_fcr(struct uart *u, uint8_t value)
{
    bool on = value & FCR_ENABLE;
    bool switched_off = !on && uart_fifo_mode(u);
    if (switched_off || (on && value & FCR_CLEAR_RX)) {
        uart_rx_clear(u);
    }
    u->fcr = on ? value & FCR_KEPT : 0;
    u->timeout_pending = on && u->port.rx.count > 0;
}

/* In loopback the modem inputs come from MCR. */
static void write_mcr(struct uart *u, uint8_t value)
{
    u->mcr = value & MCR_ALL;
    uint8_t now = MSR_READY;
    if (uart_loopback(u)) {
        now = (value & MCR_RTS ? MSR_CTS : 0) | (value & MCR_DTR ? MSR_DSR : 0) |
              (value & MCR_OUT1 ? MSR_RI : 0) | (value & MCR_OUT2 ? MSR_DCD : 0);
    }
    uint8_t changed = (u->msr ^ now) & MSR_READY;
    uint8_t ri_ended = u->msr & ~now & MSR_RI ? MSR_RI_ENDED : 0;
    u->msr = (uint8_t)(now | (u->msr & MSR_DELTAS) | changed >> 4 | ri_ended);
}

static void write_divisor(struct uart *u, unsigned shift, uint8_t value)
{
    u->divisor = (uint16_t)((u->divisor & ~(0xffu << shift)) | (unsigned)value << shift);
}

static void write_setup(struct uart *u, uint32_t offset, uint8_t value)
{
    bool dlab = u->lcr & LCR_DLAB;
    switch (offset) {
    case UART_DATA:
        write_divisor(u, 0, value);
        break;
    case UART_IER:
        dlab ? write_divisor(u, 8, value) : write_ier(u, value);
        break;
    case UART_FCR:
        write_fcr(u, value);
        break;
    case UART_LCR:
        u->lcr = value;
        break;
    case UART_MCR:
        write_mcr(u, value);
        break;
    default:
        u->scr = value;
        break;
    }
}

static void uart_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    (void)size;
    struct uart *u = DEVICE_STATE(struct uart, d);
    if (offset == UART_DATA && !(u->lcr & LCR_DLAB)) {
        uart_tx_write(u, (uint8_t)value);
        return;
    }
    write_setup(u, offset, (uint8_t)value);
    serial_reconsider(&u->port);
    uart_update_line(u);
}

static const struct reg uart_regs[] = {
    {"RBR", UART_DATA, 1, 1, REG_RO, 0, "received byte; DLAB: divisor low"},
    {"THR", UART_DATA, 1, 1, REG_WO, 0, "byte to send; DLAB: divisor low"},
    {"IER", UART_IER, 1, 1, REG_RW, 0,
     "interrupt enable: 1 rx, 2 tx empty, 4 line, 8 modem; DLAB: divisor high"},
    {"IIR", UART_IIR, 1, 1, REG_RO, IIR_NONE,
     "interrupt: 1 none, 6 line, 4 rx, 0xc time-out, 2 tx empty, 0 modem; 0xc0 FIFOs on"},
    {"FCR", UART_FCR, 1, 1, REG_WO, 0,
     "1 FIFOs on, 2 clear rx, 4 clear tx, 7:6 trigger 1, 4, 8, 14"},
    {"LCR", UART_LCR, 1, 1, REG_RW, 0, "line control; 0x80 DLAB"},
    {"MCR", UART_MCR, 1, 1, REG_RW, 0, "1 DTR, 2 RTS, 4 OUT1, 8 OUT2, 0x10 loopback"},
    {"LSR", UART_LSR, 1, 1, REG_RO, LSR_IDLE, "1 data, 2 overrun, 0x20 THR empty, 0x40 all sent"},
    {"MSR", UART_MSR, 1, 1, REG_RO, MSR_READY,
     "0x10 CTS, 0x20 DSR, 0x40 RI, 0x80 DCD; low nibble: changes since the last read"},
    {"SCR", UART_SCR, 1, 1, REG_RW, 0, "scratch"},
};

/* --- class ------------------------------------------------------------ */

static const struct reg_block uart_blocks[] = {
    {
        .name = "ports",
        .size = UART_PORTS,
        .regs = TABLE(uart_regs),
        .read = uart_read,
        .write = uart_write,
    },
};

static const struct prop uart_props[] = {
    PROP(struct uart, iobase, PROP_U32, "0x3f8", 0, 0xffff, "first I/O port"),
    PROP(struct uart, irq, PROP_U32, "4", 0, 0, "GSI"),
    PROP(struct uart, out2_gate, PROP_BOOL, "off", 0, 0,
         "interrupt only while MCR.OUT2, as on PCs"),
    PROP(struct uart, posted_tx, PROP_BOOL, "on", 0, 0,
         "let KVM collect a polling console's bytes"),
    PROP(struct uart, channel, PROP_BOOL, "off", 0, 0,
         "wired to the channel of --exec, not to the console"),
};

/*
 * A polling console writes a byte, or switches interrupts off and on around a
 * line, and looks at LSR before the next: neither needs an exit of its own. The
 * divisor waits likewise, since the write to LCR that ends DLAB exits. A driver
 * that works by transmit interrupts would notice: when it enables them posting
 * stops, at most 20 ms late.
 */
static const struct posted_rule console_writes = {
    .offset = UART_DATA, .size = 2, .after = 80, .idle_ms = 1000};

static int uart_realize(struct device *d, struct err *e)
{
    struct uart *u = DEVICE_STATE(struct uart, d);
    struct region *r;
    int ret = device_map_block(d, 0, d->env->io_root, u->iobase, &r, e);
    if (ret < 0) {
        return ret;
    }
    u->out = d->env->irq(d->env->opaque, u->irq);
    posted_init(&u->posted, d, r, &console_writes, u->posted_tx);
    uart_wire_attach(u);
    return 0;
}

static void uart_unrealize(struct device *d)
{
    struct uart *u = DEVICE_STATE(struct uart, d);
    uart_wire_detach(u);
    posted_fini(&u->posted);
    irq_set(&u->out, false);
}

/* Divisor, scratch and the bytes still to be sent are not the reset pin's business. */
static void uart_reset(struct device *d)
{
    struct uart *u = DEVICE_STATE(struct uart, d);
    u->ier = u->fcr = u->lcr = u->mcr = 0;
    u->msr = MSR_READY;
    u->overrun = u->thre_pending = false;
    uart_rx_clear(u);
    serial_reconsider(&u->port);
    posted_stop(&u->posted);
    uart_update_line(u);
}

static int uart_loaded(struct device *d, struct err *e)
{
    struct uart *u = DEVICE_STATE(struct uart, d);
    const int ret = serial_loaded(&u->port, e);
    if (ret < 0) {
        return ret;
    }
    u->fcr &= FCR_KEPT;
    uart_wire_loaded(u);
    u->line = false; /* of the new machine */
    uart_update_line(u);
    return 0;
}

static void uart_resume(struct device *d)
{
    serial_restart(&DEVICE_STATE(struct uart, d)->port);
}

static const struct field uart_fields[] = {
    FIELD(struct uart, ier, 1),
    FIELD(struct uart, fcr, 1),
    FIELD(struct uart, lcr, 1),
    FIELD(struct uart, mcr, 1),
    FIELD(struct uart, msr, 1),
    FIELD(struct uart, scr, 1),
    FIELD(struct uart, divisor, 1),
    FIELD(struct uart, overrun, 1),
    FIELD(struct uart, thre_pending, 1),
    FIELD(struct uart, timeout_pending, 1),
    FIELD(struct uart, timeout_at, 1),
    FIELD_ARRAY(struct uart, port.rx.data, 1),
    FIELD(struct uart, port.rx.head, 1),
    FIELD(struct uart, port.rx.count, 1),
    FIELD_ARRAY(struct uart, port.tx.data, 1),
    FIELD(struct uart, port.tx.head, 1),
    FIELD(struct uart, port.tx.count, 1),
    FIELD(struct uart, port.idle_polls, 1),
    FIELD(struct uart, port.polling, 1),
    FIELD(struct uart, line, 1),
};

const struct device_class uart16550_class = {
    .name = "uart16550",
    .summary = "serial port with FIFOs (16550A), wired to the console",
    .state_size = sizeof(struct uart),
    .props = TABLE(uart_props),
    .blocks = TABLE(uart_blocks),
    .fields = TABLE(uart_fields),
    .version = 1,
    .internal = true,
    .realize = uart_realize,
    .unrealize = uart_unrealize,
    .reset = uart_reset,
    .loaded = uart_loaded,
    .resume = uart_resume,
};
