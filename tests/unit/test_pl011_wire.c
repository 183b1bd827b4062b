/*
 * pl011: bytes between guest and console. Nothing is lost, in either direction,
 * whatever the speeds; nothing is taken before the guest listens.
 */
#include "tests/unit/pl011_fixture.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>

TestSuite(pl011_wire, .init = pl011_setup, .fini = pl011_teardown);

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
    if (uart.m.console.accepts != *accepts) {
        *accepts = uart.m.console.accepts;
        fake_chardev_pump(&uart.m.console);
    }
}

/* What an interrupt handler does: takes all there is. */
static size_t drain(size_t at)
{
    while (!(rd(FR) & RX_EMPTY)) {
        uint16_t byte = rd(DR);
        cr_assert_eq(byte, fake_pattern(at), "byte %zu: 0x%x", at, byte);
        at++;
    }
    return at;
}

static void paste(uint16_t lcrh, size_t len)
{
    uint8_t *in = patterns(len);
    pl011_listen(lcrh, RX | TIMEOUT);
    fake_chardev_feed(&uart.m.console, in, len);
    unsigned accepts = uart.m.console.accepts;
    size_t got = 0;
    while (got < len) {
        cr_assert(line(), "no interrupt after %zu bytes", got);
        got = drain(got);
        pump_if_woken(&accepts);
    }
    cr_expect(!line());
    cr_expect_eq(rd(RSR), 0);
    free(in);
}

Test(pl011_wire, a_paste_of_256_kib_arrives_whole)
{
    size_t len = 256 << 10;
    unsigned before = uart.m.console.accepts;
    paste(FIFOS, len);
    cr_expect_leq(uart.m.console.accepts - before, len / 8,
                  "the console is not woken for each byte");
}

Test(pl011_wire, the_console_is_woken_for_8_bytes_or_more)
{
    uint8_t *in = patterns(40);
    pl011_listen(FIFOS, RX | TIMEOUT);
    fake_chardev_feed(&uart.m.console, in, 40);
    unsigned accepts = uart.m.console.accepts;
    for (size_t i = 0; i < 8; i++) {
        cr_expect_eq(uart.m.console.accepts, accepts, "after %zu bytes", i);
        cr_expect_eq(rd(DR), fake_pattern(i));
    }
    cr_expect_eq(uart.m.console.accepts, accepts + 1);
    free(in);
}

Test(pl011_wire, a_paste_arrives_whole_without_fifos)
{
    paste(0, 20000);
}

Test(pl011_wire, a_polling_reader_gets_all)
{
    size_t len = 20000;
    uint8_t *in = patterns(len);
    fake_chardev_feed(&uart.m.console, in, len);
    unsigned accepts = uart.m.console.accepts;
    size_t got = 0;
    for (size_t polls = 0; got < len && polls < 4 * len; polls++) {
        got = drain(got);
        pump_if_woken(&accepts);
    }
    cr_expect_eq(got, len);
    free(in);
}

Test(pl011_wire, a_guest_may_poll_the_interrupt_status)
{
    wr(DR, '>');
    fake_chardev_feed(&uart.m.console, "xy", 2);
    unsigned accepts = uart.m.console.accepts;
    for (unsigned i = 0; i < 16; i++) {
        cr_expect_eq(uart.m.console.accepts, accepts, "look %u", i);
        cr_expect_eq(rd(RIS), TX);
    }
    pump_if_woken(&accepts);
    cr_expect_eq(rd(RIS), TX | RX);
    cr_expect_eq(rd(DR), 'x');
    cr_expect_eq(rd(RIS), TX);
}

Test(pl011_wire, a_guest_that_prints_does_not_listen)
{
    fake_chardev_feed(&uart.m.console, "x", 1);
    for (unsigned i = 0; i < 1000; i++) {
        wr(DR, '.');
        for (unsigned look = 0; look < 10; look++) {
            cr_expect_eq(rd(FR), 0x90);
        }
        cr_expect_eq(fake_chardev_pump(&uart.m.console), 1);
    }
}

/* The steps of Linux's pl011_startup(), with messages on the console between them. */
Test(pl011_wire, input_waits_until_linux_has_started)
{
    uint8_t *in = patterns(40);
    static const uint16_t steps[][2] = {
        {CR, 0x301}, {DR, '.'},   {CR, 0x300},  {ICR, 0x7d0}, {IMSC, RX | TIMEOUT}, {CR, 0x301},
        {DR, '.'},   {CR, 0x300}, {IFLS, 0x12}, {LCRH, 0x70}, {CR, 0x301},          {ICR, 0x50},
    };
    fake_chardev_feed(&uart.m.console, in, 40);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        wr(steps[i][0], steps[i][1]);
        pass(NS_PER_MS);
        cr_expect_eq(fake_chardev_pump(&uart.m.console), 40, "step %zu", i);
    }
    cr_expect_eq(rd(FR), 0x90, "it throws away what it finds");
    wr(IMSC, RX | TIMEOUT);
    cr_expect_eq(fake_chardev_pump(&uart.m.console), 24);
    cr_expect(line());
    size_t got = drain(0);
    fake_chardev_pump(&uart.m.console);
    got = drain(got);
    fake_chardev_pump(&uart.m.console);
    cr_expect_eq(drain(got), 40);
    free(in);
}

/* A small guest: interrupts first, then the UART; or it never switches the UART on. */
Test(pl011_wire, a_guest_that_enables_in_another_order_listens_after_100_ms)
{
    wr(IMSC, RX);
    pass(90 * NS_PER_MS);
    wr(CR, UART_ON);
    fake_chardev_feed(&uart.m.console, "x", 1);
    pass(99 * NS_PER_MS);
    cr_expect_eq(fake_chardev_pump(&uart.m.console), 1);
    unsigned accepts = uart.m.console.accepts;
    pass(1 * NS_PER_MS);
    cr_expect_eq(uart.m.console.accepts, accepts + 1);
    cr_expect_eq(fake_chardev_pump(&uart.m.console), 0);
    cr_expect(line());
    cr_expect_eq(rd(DR), 'x');
    wr(IMSC, 0);
    fake_chardev_feed(&uart.m.console, "y", 1);
    cr_expect_eq(fake_chardev_pump(&uart.m.console), 1);
    wr(CR, 0);
    wr(IMSC, TIMEOUT);
    wr(IMSC, 0);
    pass(100 * NS_PER_MS);
    cr_expect_eq(fake_chardev_pump(&uart.m.console), 1, "it is off again");
    wr(IMSC, TIMEOUT);
    pass(100 * NS_PER_MS);
    cr_expect_eq(fake_chardev_pump(&uart.m.console), 0);
}

Test(pl011_wire, a_guest_that_sets_the_port_up_anew_no_longer_polls)
{
    for (unsigned i = 0; i < 16; i++) {
        rd(FR);
    }
    wr(CR, UART_ON);
    fake_chardev_feed(&uart.m.console, "x", 1);
    cr_expect_eq(fake_chardev_pump(&uart.m.console), 1);
}

Test(pl011_wire, loopback_takes_no_input)
{
    pl011_listen(FIFOS, RX);
    wr(CR, UART_ON | LOOPBACK);
    fake_chardev_feed(&uart.m.console, "x", 1);
    cr_expect_eq(rd(FR), 0x90);
    unsigned before = uart.m.console.accepts;
    wr(CR, UART_ON);
    cr_expect_eq(uart.m.console.accepts - before, 1);
    fake_chardev_pump(&uart.m.console);
    cr_expect_eq(rd(DR), 'x');
}

/* --- output ----------------------------------------------------------- */

/* The reader takes a few bytes at a time; the guest heeds FR. */
static void slow_reader(uint16_t lcrh)
{
    size_t len = 10000;
    size_t sent = 0;
    wr(LCRH, lcrh);
    fake_chardev_set_room(&uart.m.console, 0);
    while (sent < len) {
        while (sent < len && !(rd(FR) & 0x20)) {
            wr(DR, fake_pattern(sent++));
        }
        cr_assert_eq(rd(FR), sent < len ? 0x38 : rd(FR), "full and busy");
        fake_chardev_set_room(&uart.m.console, 7);
    }
    fake_chardev_set_room(&uart.m.console, SIZE_MAX);
    cr_expect_eq(rd(FR), 0x90);
    cr_assert_eq(uart.m.console.out_len, len);
    for (size_t i = 0; i < len; i++) {
        cr_assert_eq(uart.m.console.out[i], fake_pattern(i), "byte %zu", i);
    }
    cr_expect_eq(guest_error_count(&uart.d->guest_errors), 0);
}

Test(pl011_wire, a_slow_reader_holds_the_guest_back_and_loses_nothing)
{
    slow_reader(FIFOS);
}

Test(pl011_wire, nor_without_fifos)
{
    slow_reader(0);
}

Test(pl011_wire, a_byte_does_not_overtake_those_that_wait)
{
    wr(LCRH, FIFOS);
    fake_chardev_set_room(&uart.m.console, 0);
    wr(DR, 'a');
    uart.m.console.room = 10; /* and nobody has been told yet */
    wr(DR, 'b');
    cr_expect_eq(uart.m.console.out_len, 0);
    fake_chardev_set_room(&uart.m.console, 10);
    cr_assert_eq(uart.m.console.out_len, 2);
    cr_expect_eq(uart.m.console.out[0], 'a');
}

Test(pl011_wire, transmit_interrupt_by_trigger_level)
{
    static const uint8_t levels[8] = {2, 4, 8, 12, 14, 14, 14, 14};
    wr(LCRH, FIFOS);
    wr(IMSC, TX);
    for (uint16_t i = 0; i < 8; i++) {
        wr(IFLS, i);
        fake_chardev_set_room(&uart.m.console, 0);
        for (unsigned n = 1; n <= 16; n++) {
            wr(DR, 'x');
            cr_expect_eq(line(), n <= levels[i], "level %u, %u bytes", levels[i], n);
        }
        for (unsigned n = 15; n > 0; n--) {
            fake_chardev_set_room(&uart.m.console, 1);
            cr_expect_eq(line(), n <= levels[i], "level %u, %u bytes left", levels[i], n);
        }
        wr(ICR, TX);
        fake_chardev_set_room(&uart.m.console, SIZE_MAX);
        cr_expect(line());
    }
}

Test(pl011_wire, bytes_beyond_a_full_transmitter_are_lost_and_counted)
{
    wr(LCRH, FIFOS);
    fake_chardev_set_room(&uart.m.console, 0);
    for (unsigned i = 0; i < 20; i++) {
        wr(DR, (uint16_t)('a' + i));
    }
    cr_expect_eq(guest_error_count(&uart.d->guest_errors), 4);
    device_reset(uart.d);
    fake_chardev_set_room(&uart.m.console, SIZE_MAX);
    cr_expect_eq(uart.m.console.out_len, 16, "what was sent leaves after a reset too");
    cr_expect_eq(uart.m.console.out[15], 'p');
}

Test(pl011_wire, a_machine_without_console)
{
    struct err e = ERR_INIT;
    struct device_env env = uart.m.env;
    env.console = NULL;
    struct device *other = device_new(device_class_find("pl011", &e), "other", &env, &e);
    cr_assert_not_null(other);
    cr_assert_eq(device_set(other, "addr", "0x09040000", &e), 0);
    cr_assert_eq(device_realize(other, &e), 0);
    fake_write(uart.m.mem, 0x09040000 + DR, 'x', 1);
    fake_write(uart.m.mem, 0x09040000 + IMSC, RX, 2);
    cr_expect_eq(fake_read(uart.m.mem, 0x09040000 + FR, 2), 0x90);
    device_free(other);
    cr_expect_eq(uart.m.console.out_len, 0);
}

Test(pl011_wire, lets_go_of_console_and_interrupt_line)
{
    cr_assert_not_null(uart.m.console.frontend);
    wr(IMSC, TX | RX);
    wr(DR, 'x');
    cr_assert(line());
    device_free(uart.d);
    uart.d = NULL;
    cr_expect_null(uart.m.console.frontend);
    cr_expect(!line());
    pass(NS_PER_SEC);
}

/* --- threads ---------------------------------------------------------- */

#define THREAD_BYTES 4000

/* A vCPU that prints, while others do, and reads what comes in. */
static void *vcpu(void *opaque)
{
    unsigned *received = opaque;
    struct mem_reader reader;
    mem_reader_register(&reader, uart.m.topo);
    mem_reader_online(&reader);
    for (unsigned i = 0; i < THREAD_BYTES; i++) {
        if (!(rd(FR) & RX_EMPTY)) {
            rd(DR);
            (*received)++;
        }
        wr(DR, 'x');
        wr(ICR, i % 2 == 0 ? RX : TIMEOUT);
    }
    mem_reader_offline(&reader);
    mem_reader_unregister(&reader);
    return NULL;
}

/* Two vCPUs and the main loop's thread at once: for TSan, and no byte is lost. */
Test(pl011_wire, is_safe_from_all_threads)
{
    static const uint8_t in[64];
    unsigned received[2] = {0, 0};
    unsigned fed = 0;
    pthread_t threads[2];
    pl011_listen(FIFOS, RX | TIMEOUT);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, vcpu, &received[i]), 0);
    }
    const struct chardev_frontend *console = uart.m.console.frontend;
    for (unsigned i = 0; i < 1000; i++) {
        size_t room = console->can_receive(console->opaque);
        cr_assert_leq(room, sizeof(in));
        console->receive(console->opaque, in, room);
        fed += (unsigned)room;
        pass(100 * NS_PER_US);
    }
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    unsigned left = 0;
    while (!(rd(FR) & RX_EMPTY)) {
        rd(DR);
        left++;
    }
    /* Both may have seen the same last byte in FR; then one read nothing. */
    cr_expect_geq(received[0] + received[1] + left, fed);
    cr_expect_eq(uart.m.console.out_len, 2 * THREAD_BYTES);
}
