/*
 * uart16550: bytes between guest and console. Nothing is lost, in either
 * direction, whatever the speeds; nothing is taken before the guest listens.
 */
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>

#define COM1 0x3f8
#define GSI  4

enum { DATA, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

static struct fake_machine m;
static struct device *d;

static void setup(void)
{
    fake_machine_init(&m, 0);
    d = fake_device(&m, "uart16550", NULL);
}

static void teardown(void)
{
    device_free(d);
    fake_machine_free(&m);
}

TestSuite(uart_wire, .init = setup, .fini = teardown);

static uint8_t rd(unsigned reg)
{
    return (uint8_t)fake_read(m.io, COM1 + reg, 1);
}

static void wr(unsigned reg, uint8_t value)
{
    fake_write(m.io, COM1 + reg, value, 1);
}

static uint8_t *patterns(size_t len)
{
    uint8_t *p = malloc(len);
    cr_assert_not_null(p);
    fake_fill_pattern(p, len);
    return p;
}

/* --- input ------------------------------------------------------------ */

/* A console that was told there is no room waits until it is woken. */
static void pump_if_woken(unsigned *accepts)
{
    if (m.console.accepts != *accepts) {
        *accepts = m.console.accepts;
        fake_chardev_pump(&m.console);
    }
}

/* What an interrupt handler does: takes all there is. */
static size_t drain(size_t at)
{
    while (rd(LSR) & 0x01) {
        uint8_t byte = rd(DATA);
        cr_assert_eq(byte, fake_pattern(at), "byte %zu", at);
        at++;
    }
    return at;
}

static void paste(uint8_t fcr, size_t len)
{
    uint8_t *in = patterns(len);
    wr(IIR_FCR, fcr);
    wr(IER, 0x01);
    fake_chardev_feed(&m.console, in, len);
    unsigned accepts = m.console.accepts;
    size_t got = 0;
    while (got < len) {
        cr_assert(m.irqs.level[GSI], "no interrupt after %zu bytes", got);
        got = drain(got);
        pump_if_woken(&accepts);
    }
    cr_expect_eq(rd(LSR), 0x60, "neither data nor overrun is left");
    free(in);
}

Test(uart_wire, a_paste_of_1_mib_arrives_whole)
{
    size_t len = 1 << 20;
    unsigned before = m.console.accepts;
    paste(0xc1, len);
    cr_expect_leq(m.console.accepts - before, len / 8, "the console is not woken for each byte");
}

/* The manner of the data sheet: a trigger level's worth for each interrupt, the rest by time-out.
 */
Test(uart_wire, a_driver_that_reads_by_trigger_level_never_waits_in_a_paste)
{
    size_t len = 14 * 1000;
    uint8_t *in = patterns(len);
    wr(IIR_FCR, 0xc1);
    wr(IER, 0x01);
    fake_chardev_feed(&m.console, in, len);
    unsigned accepts = m.console.accepts;
    for (size_t got = 0; got < len;) {
        cr_assert_eq(rd(IIR_FCR), 0xc4, "after %zu bytes", got);
        for (unsigned i = 0; i < 14; i++, got++) {
            cr_assert_eq(rd(DATA), fake_pattern(got), "byte %zu", got);
        }
        pump_if_woken(&accepts);
    }
    free(in);
}

Test(uart_wire, a_paste_arrives_whole_without_fifos)
{
    paste(0x00, 20000);
}

Test(uart_wire, a_polling_reader_gets_all)
{
    size_t len = 20000;
    uint8_t *in = patterns(len);
    wr(IIR_FCR, 0x01);
    fake_chardev_feed(&m.console, in, len);
    unsigned accepts = m.console.accepts;
    size_t got = 0;
    for (size_t polls = 0; got < len && polls < 4 * len; polls++) {
        got = drain(got);
        pump_if_woken(&accepts);
    }
    cr_expect_eq(got, len);
    free(in);
}

/* Linux's start-up throws away what the receiver holds, by FCR and by reading RBR. */
Test(uart_wire, input_waits_until_the_driver_has_started)
{
    uint8_t *in = patterns(40);
    fake_chardev_feed(&m.console, in, 40);
    wr(IER, 0x0f); /* the probe's bit test */
    fake_chardev_pump(&m.console);
    wr(IER, 0x00);
    wr(MCR, 0x03);
    wr(IIR_FCR, 0x01);
    fake_chardev_pump(&m.console);
    wr(IIR_FCR, 0x07);
    for (unsigned i = 0; i < 1000; i++) { /* console output before that */
        cr_expect_eq(rd(LSR), 0x60);
        wr(DATA, '.');
        fake_chardev_pump(&m.console);
    }
    rd(LSR), rd(DATA), rd(IIR_FCR), rd(MSR);
    cr_expect_eq(fake_chardev_pump(&m.console), 40);
    wr(IER, 0x05); /* and then the FIFOs, with input coming in at every step */
    static const uint8_t setup[][2] = {
        {LCR, 0x93},     {DATA, 0x01},    {IER, 0x00}, {LCR, 0x13},
        {IIR_FCR, 0x01}, {IIR_FCR, 0x81}, {MCR, 0x0b},
    };
    for (size_t i = 0; i < ARRAY_LEN(setup); i++) {
        fake_chardev_pump(&m.console);
        wr(setup[i][0], setup[i][1]);
    }
    cr_expect(m.irqs.level[GSI]);
    size_t got = 0;
    for (unsigned i = 0; i < 10; i++) {
        fake_chardev_pump(&m.console);
        got = drain(got);
    }
    cr_expect_eq(got, 40);
    free(in);
}

Test(uart_wire, a_driver_with_all_interrupts_listens_too)
{
    wr(MCR, 0x08);
    wr(IER, 0x0f);
    fake_chardev_feed(&m.console, "x", 1);
    cr_expect_eq(rd(DATA), 'x');
}

Test(uart_wire, loopback_takes_no_input)
{
    wr(IER, 0x01);
    wr(MCR, 0x10);
    fake_chardev_feed(&m.console, "x", 1);
    cr_expect_eq(rd(LSR), 0x60);
    unsigned before = m.console.accepts;
    wr(MCR, 0x00);
    cr_expect_eq(m.console.accepts - before, 1);
    fake_chardev_pump(&m.console);
    cr_expect_eq(rd(DATA), 'x');
}

/* --- output ----------------------------------------------------------- */

Test(uart_wire, output_leaves_in_order)
{
    for (size_t i = 0; i < 1000; i++) {
        cr_assert_eq(rd(LSR), 0x60);
        wr(DATA, fake_pattern(i));
    }
    cr_assert_eq(m.console.out_len, 1000);
    for (size_t i = 0; i < 1000; i++) {
        cr_assert_eq(m.console.out[i], fake_pattern(i));
    }
}

/* The reader takes a few bytes at a time; the guest heeds LSR. */
Test(uart_wire, a_slow_reader_holds_the_guest_back_and_loses_nothing)
{
    size_t len = 10000;
    size_t sent = 0;
    wr(IIR_FCR, 0x01);
    fake_chardev_set_room(&m.console, 0);
    while (sent < len) {
        while (sent < len && rd(LSR) & 0x20) {
            for (unsigned i = 0; i < 16 && sent < len; i++) {
                wr(DATA, fake_pattern(sent++));
            }
        }
        cr_assert_eq(rd(LSR), 0x00, "the transmitter is busy");
        fake_chardev_set_room(&m.console, 7);
    }
    fake_chardev_set_room(&m.console, SIZE_MAX);
    cr_expect_eq(rd(LSR), 0x60);
    cr_assert_eq(m.console.out_len, len);
    for (size_t i = 0; i < len; i++) {
        cr_assert_eq(m.console.out[i], fake_pattern(i), "byte %zu", i);
    }
    cr_expect_eq(guest_error_count(&d->guest_errors), 0);
}

Test(uart_wire, the_empty_interrupt_waits_for_a_slow_reader)
{
    wr(IIR_FCR, 0x01);
    wr(IER, 0x02);
    rd(IIR_FCR);
    fake_chardev_set_room(&m.console, 0);
    wr(DATA, 'a');
    cr_expect(!m.irqs.level[GSI]);
    cr_expect_eq(rd(IIR_FCR), 0xc1);
    wr(IER, 0x00);
    wr(IER, 0x02);
    cr_expect(!m.irqs.level[GSI], "THR is not empty");
    fake_chardev_set_room(&m.console, 10);
    cr_expect(m.irqs.level[GSI]);
    cr_expect_eq(rd(IIR_FCR), 0xc2);
}

Test(uart_wire, bytes_written_against_lsr_are_counted)
{
    fake_chardev_set_room(&m.console, 0);
    for (unsigned i = 0; i < 20; i++) {
        wr(DATA, (uint8_t)('a' + i));
    }
    cr_expect_eq(guest_error_count(&d->guest_errors), 4);
    fake_chardev_set_room(&m.console, SIZE_MAX);
    cr_assert_eq(m.console.out_len, 16);
    cr_expect_eq(m.console.out[15], 'p');
}

Test(uart_wire, clearing_the_fifo_and_reset_keep_what_was_sent)
{
    wr(IIR_FCR, 0x01);
    fake_chardev_set_room(&m.console, 0);
    wr(DATA, 'a');
    wr(IIR_FCR, 0x07);
    wr(IIR_FCR, 0x00);
    wr(DATA, 'b');
    device_reset(d);
    cr_expect_eq(rd(LSR), 0x00);
    fake_chardev_set_room(&m.console, SIZE_MAX);
    cr_expect_eq(rd(LSR), 0x60);
    cr_assert_eq(m.console.out_len, 2);
    cr_expect_eq(m.console.out[0], 'a');
    cr_expect_eq(m.console.out[1], 'b');
}

Test(uart_wire, works_without_a_console)
{
    struct device_env env = m.env;
    struct err e = ERR_INIT;
    env.console = NULL;
    struct device *com2 = device_new(device_class_find("uart16550", &e), "com2", &env, &e);
    cr_assert_not_null(com2);
    cr_assert_eq(device_set(com2, "iobase", "0x2f8", &e), 0);
    cr_assert_eq(device_realize(com2, &e), 0);
    fake_write(m.io, 0x2f8, 'x', 1);
    fake_write(m.io, 0x2f8 + IER, 0x01, 1);
    cr_expect_eq(fake_read(m.io, 0x2f8 + LSR, 1), 0x60);
    device_free(com2);
    cr_expect_eq(m.console.out_len, 0);
}

Test(uart_wire, lets_go_of_console_and_interrupt_line)
{
    cr_assert_not_null(m.console.frontend);
    wr(IER, 0x02);
    cr_assert(m.irqs.level[GSI]);
    device_free(d);
    d = NULL;
    cr_expect_null(m.console.frontend);
    cr_expect(!m.irqs.level[GSI]);
}

/* --- threads ---------------------------------------------------------- */

#define THREAD_BYTES 4000

/* A vCPU that prints, while others do, and reads what comes in. */
static void *vcpu(void *opaque)
{
    unsigned *received = opaque;
    struct mem_reader reader;
    mem_reader_register(&reader, m.topo);
    mem_reader_online(&reader);
    for (unsigned i = 0; i < THREAD_BYTES; i++) {
        if (rd(LSR) & 0x01) {
            rd(DATA);
            (*received)++;
        }
        wr(DATA, 'x');
    }
    mem_reader_offline(&reader);
    mem_reader_unregister(&reader);
    return NULL;
}

/* Two vCPUs and the main loop's thread at once: for TSan, and no byte is lost. */
Test(uart_wire, is_safe_from_all_threads)
{
    static const uint8_t in[64];
    unsigned received[2] = {0, 0};
    unsigned fed = 0;
    pthread_t threads[2];
    wr(IIR_FCR, 0xc1);
    wr(IER, 0x01);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, vcpu, &received[i]), 0);
    }
    const struct chardev_frontend *console = m.console.frontend;
    for (unsigned i = 0; i < 1000; i++) {
        size_t room = console->can_receive(console->opaque);
        cr_assert_leq(room, sizeof(in));
        console->receive(console->opaque, in, room);
        fed += (unsigned)room;
        fake_clock_advance(&m.clock, 100 * NS_PER_US);
        loop_poll(m.loop);
    }
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    unsigned left = 0;
    while (rd(LSR) & 0x01) {
        rd(DATA);
        left++;
    }
    /* Both may have seen the same last byte in LSR; then one read nothing. */
    cr_expect_geq(received[0] + received[1] + left, fed);
    cr_expect_eq(m.console.out_len, 2 * THREAD_BYTES);
}
