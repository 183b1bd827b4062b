/*
 * pl011: the serial port of ARM boards.
 *
 * Model: ARM PrimeCell UART (PL011) Technical Reference Manual, ARM DDI 0183,
 * revision r1p4, the last with FIFOs of 16 bytes. What differs from a chip on a wire:
 *  - Characters take no time (serial.h), and CR need not switch the UART on: guests
 *    that never had firmware do without. Baud rate, word length, modem lines, infrared
 *    and DMA have no effect.
 *  - The receive time-out interrupt comes at once with new input. A driver that has
 *    not enabled it is told of the first byte by the receive interrupt, whatever
 *    IFLS says: it would wait for the rest for ever. QEMU's trigger level is 1 always.
 *  - A driver that clears a receive interrupt with ICR and leaves bytes behind is
 *    reminded after the time of 32 bits at 115200 baud.
 *
 * When does a guest listen? When it polls, or has receive interrupts on. Linux
 * has them on once before it throws away what the FIFO holds, and writes IMSC again
 * when it is ready; only the second time CR receives. So a write of IMSC while
 * CR receives counts at once; any other order of the two after 100 ms.
 *
 * Locking: the device's own; the timers take it.
 */
#include "devices/pl011.h"

enum {
    UART_DR = 0x00,
    UART_RSR = 0x04, /* write: ECR */
    UART_FR = 0x18,
    UART_ILPR = 0x20,
    UART_IBRD = 0x24,
    UART_FBRD = 0x28,
    UART_LCRH = 0x2c,
    UART_CR = 0x30,
    UART_IFLS = 0x34,
    UART_IMSC = 0x38,
    UART_RIS = 0x3c,
    UART_MIS = 0x40,
    UART_ICR = 0x44,
    UART_DMACR = 0x48,
    UART_ID = 0xfe0,
    UART_SIZE = 0x1000,
};

enum {
    FR_BUSY = 0x08,
    FR_RX_EMPTY = 0x10,
    FR_TX_FULL = 0x20,
    FR_RX_FULL = 0x40,
    FR_TX_EMPTY = 0x80,
    FR_IDLE = FR_RX_EMPTY | FR_TX_EMPTY,
};

#define IFLS_HALF 0x12 /* both triggers at half a FIFO */

void pl011_update_line(struct pl011 *u)
{
    bool level = (u->ris & u->imsc) != 0;
    if (level != u->line) {
        u->line = level;
        irq_set(&u->out, level);
    }
}

/* --- registers -------------------------------------------------------- */

static uint16_t read_fr(struct pl011 *u)
{
    const struct byte_fifo *rx = &u->port.rx, *tx = &u->port.tx;
    uint16_t fr = (rx->count == 0 ? FR_RX_EMPTY : 0) |
                  (rx->count >= pl011_fifo_size(u) ? FR_RX_FULL : 0) |
                  (tx->count == 0 ? FR_TX_EMPTY : FR_BUSY) |
                  (tx->count >= pl011_fifo_size(u) ? FR_TX_FULL : 0);
    if (fr == FR_IDLE) {
        serial_idle_poll(&u->port);
    }
    return fr;
}

/* Some guests look for input here. */
static uint16_t read_ris(struct pl011 *u)
{
    if (!(u->ris & INT_INPUT) && u->port.tx.count == 0) {
        serial_idle_poll(&u->port);
    }
    return u->ris;
}

/* An identification register has one byte. */
static uint8_t read_id(uint32_t offset)
{
    static const uint8_t id[] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    return offset % 4 == 0 ? id[(offset - UART_ID) / 4] : 0;
}

static uint64_t pl011_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)size;
    struct pl011 *u = DEVICE_STATE(struct pl011, d);
    switch (offset) {
    case UART_DR:
        return pl011_rx_read(u);
    case UART_RSR:
        return u->rsr;
    case UART_FR:
        return read_fr(u);
    case UART_ILPR:
        return u->ilpr;
    case UART_IBRD:
        return u->ibrd;
    case UART_FBRD:
        return u->fbrd;
    case UART_LCRH:
        return u->lcrh;
    case UART_CR:
        return u->cr;
    case UART_IFLS:
        return u->ifls;
    case UART_IMSC:
        return u->imsc;
    case UART_RIS:
        return read_ris(u);
    case UART_MIS:
        return u->ris & u->imsc;
    case UART_DMACR:
        return u->dmacr;
    default:
        return read_id(offset);
    }
}

/* Switching the FIFOs off drops input; switching them on keeps the byte that is there. */
static void write_lcrh(struct pl011 *u, uint8_t value)
{
    if (u->lcrh & ~value & LCRH_FIFOS) {
        pl011_rx_clear(u);
    }
    u->lcrh = value;
    pl011_rx_announce(u);
}

static void write_imsc(struct pl011 *u, uint16_t value)
{
    if (value & ~u->imsc & INT_TX) {
        posted_stop(&u->posted);
    }
    u->imsc = value & INT_ALL;
    pl011_rx_announce(u); /* the trigger level may be another */
    pl011_rx_reconsider(u, true);
}

static void write_icr(struct pl011 *u, uint16_t value)
{
    u->ris &= (uint16_t)~value;
    if (value & INT_INPUT) {
        pl011_rx_remind(u);
    }
}

static void write_setup(struct pl011 *u, uint32_t offset, uint16_t value)
{
    switch (offset) {
    case UART_RSR:
        u->rsr = 0;
        break;
    case UART_ILPR:
        u->ilpr = (uint8_t)value;
        break;
    case UART_IBRD:
        u->ibrd = value;
        break;
    case UART_FBRD:
        u->fbrd = value & 0x3f;
        break;
    case UART_LCRH:
        write_lcrh(u, (uint8_t)value);
        break;
    case UART_CR:
        u->cr = value & CR_ALL;
        pl011_rx_reconsider(u, false);
        break;
    case UART_IFLS:
        u->ifls = value & 0x3f;
        break;
    case UART_IMSC:
        write_imsc(u, value);
        break;
    default:
        u->dmacr = value & 0x07;
        break;
    }
    serial_reconsider(&u->port);
}

static void pl011_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    (void)size;
    struct pl011 *u = DEVICE_STATE(struct pl011, d);
    if (offset == UART_DR) {
        pl011_tx_write(u, (uint8_t)value);
    } else if (offset == UART_ICR) {
        write_icr(u, (uint16_t)value);
    } else {
        write_setup(u, offset, (uint16_t)value);
    }
    pl011_update_line(u);
}

/* Drivers use 16 or 32 bits for all of them, and early consoles 8. */
#define ANY (1 | 2 | 4 | REG_AT_START)

static const struct reg pl011_regs[] = {
    {"DR", UART_DR, 4, ANY, REG_RW, 0, "received byte, 0x800 overrun; write: byte to send"},
    {"RSR", UART_RSR, 4, ANY, REG_RW, 0, "errors: 8 overrun; a write clears them"},
    {"FR", UART_FR, 4, ANY, REG_RO, FR_IDLE,
     "8 busy, 0x10 rx empty, 0x20 tx full, 0x40 rx full, 0x80 tx empty"},
    {"ILPR", UART_ILPR, 4, ANY, REG_RW, 0, "infrared: no effect"},
    {"IBRD", UART_IBRD, 4, ANY, REG_RW, 0, "baud rate divisor: no effect"},
    {"FBRD", UART_FBRD, 4, ANY, REG_RW, 0, "its fraction, 6 bits: no effect"},
    {"LCRH", UART_LCRH, 4, ANY, REG_RW, 0, "line control: 0x10 FIFOs on"},
    {"CR", UART_CR, 4, ANY, REG_RW, CR_TX | CR_RX, "1 UART on, 0x80 loopback, 0x100 tx, 0x200 rx"},
    {"IFLS", UART_IFLS, 4, ANY, REG_RW, IFLS_HALF,
     "trigger levels 2, 4, 8, 12, 14: 5:3 rx, 2:0 tx"},
    {"IMSC", UART_IMSC, 4, ANY, REG_RW, 0,
     "interrupt enable: 0x10 rx, 0x20 tx, 0x40 rx time-out, 0x400 overrun"},
    {"RIS", UART_RIS, 4, ANY, REG_RO, 0, "what is pending"},
    {"MIS", UART_MIS, 4, ANY, REG_RO, 0, "RIS & IMSC: the interrupt"},
    {"ICR", UART_ICR, 4, ANY, REG_WO, 0, "write 1 to clear in RIS"},
    {"DMACR", UART_DMACR, 4, ANY, REG_RW, 0, "DMA: no effect"},
    {"ID", UART_ID, 32, 1 | 2 | 4, REG_RO, 0x11, "PrimeCell identification, a byte a word"},
};

/* --- class ------------------------------------------------------------ */

static const struct reg_block pl011_blocks[] = {
    {
        .name = "registers",
        .size = UART_SIZE,
        .regs = TABLE(pl011_regs),
        .misfit_reads_zero = true,
        .read = pl011_read,
        .write = pl011_write,
    },
};

static const struct prop pl011_props[] = {
    PROP(struct pl011, addr, PROP_U64, "0x09000000", 0, 0, "guest-physical address"),
    PROP(struct pl011, gsi, PROP_U32, "1", 0, 0, "GSI"),
    PROP(struct pl011, posted_tx, PROP_BOOL, "on", 0, 0,
         "let KVM collect a polling console's bytes"),
    PROP(struct pl011, channel, PROP_BOOL, "off", 0, 0,
         "wired to the channel of --exec, not to the console"),
};

/*
 * As the 16550's (uart16550.c): whoever looks at FR or RIS between bytes notices
 * nothing. Linux writes IMSC twice for each write to a terminal, and CR around a
 * message; so they wait as well, and all between them.
 */
static const struct posted_rule console_writes = {
    .offset = UART_DR, .size = UART_RIS, .after = 80, .idle_ms = 1000};

static int pl011_realize(struct device *d, struct err *e)
{
    struct pl011 *u = DEVICE_STATE(struct pl011, d);
    struct region *r;
    int ret = device_map_block(d, 0, d->env->mem_root, u->addr, &r, e);
    if (ret < 0) {
        return ret;
    }
    u->out = d->env->irq(d->env->opaque, u->gsi);
    posted_init(&u->posted, d, r, &console_writes, u->posted_tx);
    pl011_wire_attach(u);
    return 0;
}

static void pl011_unrealize(struct device *d)
{
    struct pl011 *u = DEVICE_STATE(struct pl011, d);
    pl011_wire_detach(u);
    posted_fini(&u->posted);
    irq_set(&u->out, false);
}

/* The bytes still to be sent count as sent. */
static void pl011_reset(struct device *d)
{
    struct pl011 *u = DEVICE_STATE(struct pl011, d);
    u->ilpr = u->fbrd = u->lcrh = u->dmacr = u->rsr = 0;
    u->ibrd = u->imsc = u->ris = 0;
    u->cr = CR_TX | CR_RX;
    u->ifls = IFLS_HALF;
    pl011_rx_clear(u);
    pl011_rx_reconsider(u, true);
    serial_reconsider(&u->port);
    posted_stop(&u->posted);
    pl011_update_line(u);
}

static int pl011_loaded(struct device *d, struct err *e)
{
    struct pl011 *u = DEVICE_STATE(struct pl011, d);
    const int ret = serial_loaded(&u->port, e);
    if (ret < 0) {
        return ret;
    }
    pl011_wire_loaded(u);
    u->line = false; /* of the new machine */
    pl011_update_line(u);
    return 0;
}

static void pl011_resume(struct device *d)
{
    serial_restart(&DEVICE_STATE(struct pl011, d)->port);
}

static const struct field pl011_fields[] = {
    FIELD(struct pl011, ibrd, 1),
    FIELD(struct pl011, cr, 1),
    FIELD(struct pl011, imsc, 1),
    FIELD(struct pl011, ris, 1),
    FIELD(struct pl011, ilpr, 1),
    FIELD(struct pl011, fbrd, 1),
    FIELD(struct pl011, lcrh, 1),
    FIELD(struct pl011, ifls, 1),
    FIELD(struct pl011, dmacr, 1),
    FIELD(struct pl011, rsr, 1),
    FIELD(struct pl011, overrun, 1),
    FIELD(struct pl011, listens, 1),
    FIELD(struct pl011, line, 1),
    FIELD(struct pl011, remind_at, 1),
    FIELD(struct pl011, settle_at, 1),
    FIELD_ARRAY(struct pl011, port.rx.data, 1),
    FIELD(struct pl011, port.rx.head, 1),
    FIELD(struct pl011, port.rx.count, 1),
    FIELD_ARRAY(struct pl011, port.tx.data, 1),
    FIELD(struct pl011, port.tx.head, 1),
    FIELD(struct pl011, port.tx.count, 1),
    FIELD(struct pl011, port.idle_polls, 1),
    FIELD(struct pl011, port.polling, 1),
};

const struct device_class pl011_class = {
    .name = "pl011",
    .summary = "serial port of ARM boards (PrimeCell PL011), wired to the console",
    .state_size = sizeof(struct pl011),
    .props = TABLE(pl011_props),
    .blocks = TABLE(pl011_blocks),
    .fields = TABLE(pl011_fields),
    .version = 1,
    .internal = true,
    .realize = pl011_realize,
    .unrealize = pl011_unrealize,
    .reset = pl011_reset,
    .loaded = pl011_loaded,
    .resume = pl011_resume,
};
