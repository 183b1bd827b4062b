/*
 * uart16550: registers and interrupts, after the PC16550D data sheet, and the
 * probe that Linux makes. The wire is tested in test_uart_wire.c.
 */
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>

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

TestSuite(uart, .init = setup, .fini = teardown);

static uint8_t rd(unsigned reg)
{
    return (uint8_t)fake_read(m.io, COM1 + reg, 1);
}

static void wr(unsigned reg, uint8_t value)
{
    fake_write(m.io, COM1 + reg, value, 1);
}

static bool line(void)
{
    return m.irqs.level[GSI];
}

Test(uart, registers_keep_the_bits_they_have)
{
    static const struct {
        uint8_t reg, write, read;
    } cases[] = {
        {IER, 0xff, 0x0f}, {IER, 0x00, 0x00}, {MCR, 0xff, 0x1f}, {MCR, 0x00, 0x00},
        {LCR, 0x1b, 0x1b}, {LCR, 0xff, 0xff}, {LCR, 0x03, 0x03}, {SCR, 0xa5, 0xa5},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        wr(cases[i].reg, cases[i].write);
        cr_expect_eq(rd(cases[i].reg), cases[i].read, "case %zu gave 0x%x", i, rd(cases[i].reg));
    }
}

Test(uart, dlab_puts_the_divisor_over_data_and_ier)
{
    wr(IER, 0x05);
    wr(LCR, 0x83);
    wr(DATA, 0x34);
    wr(IER, 0x12);
    cr_expect_eq(rd(DATA), 0x34);
    cr_expect_eq(rd(IER), 0x12);
    wr(LCR, 0x03);
    cr_expect_eq(rd(IER), 0x05);
    cr_expect_eq(m.console.out_len, 0, "divisor bytes are not sent");
}

Test(uart, fifos_show_in_iir_and_bits_without_enable_are_not_taken)
{
    wr(IIR_FCR, 0xc6);
    cr_expect_eq(rd(IIR_FCR), 0x01);
    wr(IIR_FCR, 0xc1);
    cr_expect_eq(rd(IIR_FCR), 0xc1);
    wr(IIR_FCR, 0x00);
    cr_expect_eq(rd(IIR_FCR), 0x01);
}

Test(uart, clearing_and_switching_off_drop_received_bytes)
{
    static const struct {
        uint8_t fcr;
        bool kept;
    } steps[] = {{0x01, true},  {0x81, true}, {0x03, false},
                 {0x00, false}, {0x02, true}, {0x07, false}};
    wr(IER, 0x01);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        fake_chardev_feed(&m.console, "x", 1);
        wr(IIR_FCR, steps[i].fcr);
        cr_expect_eq(rd(LSR) & 0x01, steps[i].kept, "step %zu", i);
        cr_expect_eq(line(), steps[i].kept, "step %zu", i);
        rd(DATA);
        cr_expect(!line());
    }
}

Test(uart, transmitter_empty_interrupt)
{
    wr(IER, 0x02);
    cr_assert(line(), "enabling it while THR is empty raises it");
    cr_expect_eq(rd(IIR_FCR), 0x02);
    cr_expect(!line(), "the read of IIR that shows it ends it");
    cr_expect_eq(rd(IIR_FCR), 0x01);
    wr(DATA, 'x');
    cr_expect(line(), "the byte is gone: empty again");
    wr(IER, 0x00);
    cr_expect(!line());
    cr_expect_eq(rd(IIR_FCR), 0x01);
    wr(IER, 0x02);
    cr_expect(line(), "Linux tests that enabling it again raises it again");
    wr(IER, 0x02);
    rd(IIR_FCR);
    wr(IER, 0x03);
    cr_expect(!line(), "it was enabled already");
}

Test(uart, receive_interrupt_by_trigger_level)
{
    static const struct {
        uint8_t fcr;
        unsigned level;
    } cases[] = {{0x01, 1}, {0x41, 4}, {0x81, 8}, {0xc1, 14}};
    static const uint8_t bytes[16] = "0123456789abcde";
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        wr(IER, 0x01);
        wr(IIR_FCR, cases[i].fcr | 0x02);
        for (unsigned n = 1; n <= 16; n++) {
            fake_chardev_feed(&m.console, bytes, 1);
            uint8_t want = n >= cases[i].level ? 0xc4 : 0xcc;
            cr_expect_eq(rd(IIR_FCR), want, "trigger %u, %u bytes", cases[i].level, n);
            cr_expect(line());
        }
        for (unsigned n = 15; n >= cases[i].level; n--) {
            rd(DATA);
            cr_expect_eq(rd(IIR_FCR), 0xc4, "trigger %u, %u bytes left", cases[i].level, n);
        }
        rd(DATA);
        cr_expect_eq(rd(IIR_FCR), 0xc1);
        cr_expect(!line());
    }
}

Test(uart, bytes_left_behind_interrupt_again_after_the_timeout)
{
    wr(IER, 0x01);
    wr(IIR_FCR, 0x81);
    fake_chardev_feed(&m.console, "abc", 3);
    cr_expect_eq(rd(IIR_FCR), 0xcc);
    cr_expect_eq(rd(DATA), 'a');
    cr_expect(!line(), "reading ends the time-out");
    fake_clock_advance(&m.clock, 300 * NS_PER_US);
    loop_poll(m.loop);
    cr_expect(!line());
    fake_clock_advance(&m.clock, 100 * NS_PER_US);
    loop_poll(m.loop);
    cr_expect(line());
    cr_expect_eq(rd(IIR_FCR), 0xcc);
    rd(DATA);
    rd(DATA);
    fake_clock_advance(&m.clock, NS_PER_MS);
    loop_poll(m.loop);
    cr_expect(!line(), "nothing left, nothing to say");
}

Test(uart, loopback_overrun_keeps_the_fifo_and_sets_line_status)
{
    wr(IIR_FCR, 0x01);
    wr(IER, 0x04);
    wr(MCR, 0x10);
    for (unsigned i = 0; i < 17; i++) {
        wr(DATA, (uint8_t)('a' + i));
    }
    cr_expect(line());
    cr_expect_eq(rd(IIR_FCR), 0xc6);
    cr_expect_eq(rd(LSR), 0x63);
    cr_expect_eq(rd(LSR), 0x61, "reading LSR clears the overrun");
    cr_expect(!line());
    for (unsigned i = 0; i < 16; i++) {
        cr_expect_eq(rd(DATA), 'a' + i);
    }
    cr_expect_eq(rd(LSR), 0x60);
    cr_expect_eq(m.console.out_len, 0, "nothing leaves in loopback");
}

Test(uart, loopback_overrun_without_fifos_keeps_the_newest)
{
    wr(MCR, 0x10);
    wr(DATA, 'a');
    cr_expect_eq(rd(LSR), 0x61);
    wr(DATA, 'b');
    cr_expect_eq(rd(LSR), 0x63);
    cr_expect_eq(rd(DATA), 'b');
    cr_expect_eq(rd(LSR), 0x60);
}

Test(uart, modem_lines_follow_mcr_in_loopback)
{
    static const struct {
        uint8_t mcr, msr;
    } steps[] = {
        {0x10, 0x0b}, /* CTS, DSR, DCD of the null modem fall */
        {0x12, 0x11}, {0x13, 0x32}, {0x17, 0x70}, {0x1f, 0xf8}, {0x1b, 0xb4}, /* RI ended */
        {0x1b, 0xb0}, {0x00, 0xb0},
    };
    wr(IER, 0x08);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        wr(MCR, steps[i].mcr);
        bool deltas = (steps[i].msr & 0x0f) != 0;
        cr_expect_eq(rd(IIR_FCR), deltas ? 0x00 : 0x01, "step %zu", i);
        cr_expect_eq(line(), deltas, "step %zu", i);
        uint8_t msr = rd(MSR);
        cr_expect_eq(msr, steps[i].msr, "step %zu gave 0x%x", i, msr);
        cr_expect_eq(rd(MSR), steps[i].msr & 0xf0, "reading clears the changes");
        cr_expect(!line());
    }
}

Test(uart, interrupts_show_by_priority)
{
    wr(IIR_FCR, 0x01);
    wr(MCR, 0x10); /* modem changes */
    for (unsigned i = 0; i < 17; i++) {
        wr(DATA, 'x'); /* received data, overrun, transmitter empty */
    }
    wr(IER, 0x0f);
    cr_expect_eq(rd(IIR_FCR), 0xc6);
    rd(LSR);
    cr_expect_eq(rd(IIR_FCR), 0xc4);
    wr(IIR_FCR, 0x03);
    cr_expect_eq(rd(IIR_FCR), 0xc2);
    cr_expect_eq(rd(IIR_FCR), 0xc0);
    rd(MSR);
    cr_expect_eq(rd(IIR_FCR), 0xc1);
    cr_expect(!line());
}

/* The steps of Linux's 8250 autoconfiguration (drivers/tty/serial/8250/8250_port.c). */
Test(uart, linux_probe_finds_a_16550a)
{
    wr(IER, 0x00);
    cr_expect_eq(rd(IER) & 0x0f, 0);
    wr(IER, 0x0f);
    cr_expect_eq(rd(IER) & 0x0f, 0x0f);
    wr(IER, 0x00);
    wr(MCR, 0x10 | 0x08 | 0x02);
    cr_expect_eq(rd(MSR) & 0xf0, 0x90);
    wr(MCR, 0x00);
    wr(LCR, 0xbf);
    wr(IIR_FCR, 0x00);
    wr(LCR, 0x00);
    wr(IIR_FCR, 0x01);
    cr_expect_eq(rd(IIR_FCR) >> 6, 3);
    wr(LCR, 0x00);
    wr(IIR_FCR, 0x21);
    cr_expect_eq(rd(IIR_FCR) & 0xe0, 0xc0, "no 64-byte FIFO of a 16750");
    /* The size of the FIFO, through loopback. */
    wr(IIR_FCR, 0x07);
    wr(MCR, 0x10);
    for (unsigned i = 0; i < 256; i++) {
        wr(DATA, (uint8_t)i);
    }
    unsigned count = 0;
    while (rd(LSR) & 0x01 && count < 256) {
        rd(DATA);
        count++;
    }
    cr_expect_eq(count, 16);
    cr_expect_eq(m.console.out_len, 0);
}

Test(uart, the_line_is_driven_on_changes_only)
{
    wr(IER, 0x02);
    unsigned calls = m.irqs.calls[GSI];
    for (unsigned i = 0; i < 100; i++) {
        wr(DATA, 'x');
        rd(LSR);
    }
    cr_expect_eq(m.irqs.calls[GSI], calls);
}

Test(uart, out2_gates_the_interrupt_if_asked)
{
    device_free(d);
    d = fake_device(&m, "uart16550", "out2_gate=on");
    wr(IER, 0x02);
    cr_expect(!line());
    cr_expect_eq(rd(IIR_FCR), 0x02, "the source shows all the same");
    wr(IER, 0x00);
    wr(IER, 0x02);
    wr(MCR, 0x08);
    cr_expect(line());
    wr(MCR, 0x18);
    cr_expect(!line(), "loopback disconnects OUT2");
    wr(MCR, 0x00);
    cr_expect(!line());
}

Test(uart, reset_stops_interrupts_and_keeps_scratch_and_divisor)
{
    wr(LCR, 0x83);
    wr(DATA, 0x0c);
    wr(LCR, 0x03);
    wr(SCR, 0x77);
    wr(IIR_FCR, 0xc1);
    wr(IER, 0x03);
    wr(MCR, 0x13);
    fake_chardev_feed(&m.console, "abc", 3);
    wr(DATA, 'x');
    cr_assert(line());
    device_reset(d);
    cr_expect(!line());
    static const uint8_t after[][2] = {
        {DATA, 0}, {IER, 0},    {IIR_FCR, 1}, {LCR, 0},
        {MCR, 0},  {LSR, 0x60}, {MSR, 0xb0},  {SCR, 0x77},
    };
    for (size_t i = 0; i < ARRAY_LEN(after); i++) {
        cr_expect_eq(rd(after[i][0]), after[i][1], "register %u", after[i][0]);
    }
    wr(LCR, 0x80);
    cr_expect_eq(rd(DATA), 0x0c);
}

Test(uart, only_byte_accesses_exist)
{
    wr(SCR, 0x5a);
    uint64_t before = guest_error_count(&d->guest_errors);
    cr_expect_eq(fake_read(m.io, COM1, 2), 0xffff);
    cr_expect_eq(fake_read(m.io, COM1 + LSR, 2), 0xffff);
    cr_expect_eq(fake_read(m.io, COM1 + 4, 4), 0xffffffff);
    fake_write(m.io, COM1, 0x4142, 2);
    fake_write(m.io, COM1 + 4, 0, 4);
    wr(LSR, 0);
    wr(MSR, 0);
    cr_expect_eq(guest_error_count(&d->guest_errors) - before, 7);
    cr_expect_eq(rd(SCR), 0x5a);
    cr_expect_eq(m.console.out_len, 0);
}

Test(uart, properties_place_it)
{
    struct device *com2 = fake_device(&m, "uart16550", "iobase=0x2f8,irq=3");
    fake_write(m.io, 0x2f8 + IER, 0x02, 1);
    cr_expect(m.irqs.level[3]);
    cr_expect(!line());
    device_free(com2);
    cr_expect_eq(fake_read(m.io, 0x2f8 + LSR, 1), 0xff);
}
