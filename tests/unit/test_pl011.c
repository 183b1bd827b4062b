/*
 * pl011: registers and interrupts, after ARM DDI 0183, and the probe that Linux
 * makes. The wire is tested in test_pl011_wire.c.
 */
#include "tests/unit/pl011_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(pl011, .init = pl011_setup, .fini = pl011_teardown);

/* --- registers -------------------------------------------------------- */

Test(pl011, registers_keep_the_bits_they_have)
{
    static const struct {
        uint32_t reg;
        uint16_t reset, mask;
    } cases[] = {
        {RSR, 0, 0},      {FR, 0x90, 0x90}, {ILPR, 0, 0xff},     {IBRD, 0, 0xffff},
        {FBRD, 0, 0x3f},  {LCRH, 0, 0xff},  {CR, 0x300, 0xff87}, {IFLS, 0x12, 0x3f},
        {IMSC, 0, 0x7ff}, {RIS, 0, 0},      {MIS, 0, 0},         {DMACR, 0, 0x07},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_eq(rd(cases[i].reg), cases[i].reset, "0x%x", cases[i].reg);
        bool read_only = cases[i].reg == FR || cases[i].reg == RIS || cases[i].reg == MIS;
        wr(cases[i].reg, 0xffff);
        cr_expect_eq(rd(cases[i].reg), cases[i].mask, "0x%x gave 0x%x", cases[i].reg,
                     rd(cases[i].reg));
        wr(cases[i].reg, 0);
        cr_expect_eq(rd(cases[i].reg), read_only ? cases[i].mask : 0, "0x%x", cases[i].reg);
    }
    cr_expect_eq(guest_error_count(&uart.d->guest_errors), 6, "two writes of 3 registers");
}

Test(pl011, identifies_itself)
{
    static const uint8_t id[] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    for (uint32_t i = 0; i < 8; i++) {
        for (unsigned size = 1; size <= 4; size *= 2) {
            cr_expect_eq(fake_read(uart.m.mem, PL011_GPA + ID + 4 * i, size), id[i]);
        }
        cr_expect_eq(fake_read(uart.m.mem, PL011_GPA + ID + 4 * i + 1, 1), 0);
        cr_expect_eq(fake_read(uart.m.mem, PL011_GPA + ID + 4 * i + 2, 2), 0);
    }
}

/* Whether the manual and the specification let a guest do it. */
static bool allowed(uint32_t at, unsigned size, bool write)
{
    if (at >= ID) {
        return !write && size <= 4 && at % size == 0;
    }
    bool wo = at == ICR, ro = at == FR || at == RIS || at == MIS;
    bool exists = at == DR || at == RSR || at == FR || (at >= ILPR && at <= DMACR);
    return exists && at % 4 == 0 && size <= 4 && !(write ? ro : wo);
}

Test(pl011, each_width_at_each_place)
{
    for (uint32_t at = 0; at < 0x1000; at++) {
        for (unsigned size = 1; size <= 8 && at + size <= 0x1000; size *= 2) {
            for (unsigned write = 0; write <= 1; write++) {
                uint64_t before = guest_error_count(&uart.d->guest_errors);
                uint64_t got = 0;
                if (write) {
                    fake_write(uart.m.mem, PL011_GPA + at, 0, size);
                } else {
                    got = fake_read(uart.m.mem, PL011_GPA + at, size);
                }
                bool ok = guest_error_count(&uart.d->guest_errors) == before;
                cr_expect_eq(ok, allowed(at, size, write), "0x%x size %u write %u", at, size,
                             write);
                cr_expect(ok || got == 0, "0x%x size %u", at, size);
            }
        }
    }
}

Test(pl011, all_widths_send_a_byte)
{
    for (unsigned size = 1; size <= 4; size *= 2) {
        fake_write(uart.m.mem, PL011_GPA + DR, 0xffffff00 | ('0' + size), size);
    }
    cr_assert_eq(uart.m.console.out_len, 3);
    cr_expect_eq(memcmp(uart.m.console.out, "124", 3), 0);
}

/* --- interrupts ------------------------------------------------------- */

Test(pl011, every_byte_sent_raises_the_transmit_interrupt)
{
    cr_expect_eq(rd(RIS), 0, "an empty FIFO alone does not");
    wr(IMSC, TX);
    cr_expect(!line());
    wr(DR, 'x');
    cr_expect_eq(rd(RIS), TX);
    cr_expect_eq(rd(MIS), TX);
    cr_expect(line());
    wr(IMSC, 0);
    cr_expect_eq(rd(MIS), 0);
    cr_expect_eq(rd(RIS), TX);
    cr_expect(!line());
    wr(IMSC, TX);
    cr_expect(line());
    wr(ICR, 0x7ff & ~TX);
    cr_expect(line());
    wr(ICR, TX);
    cr_expect(!line());
    cr_expect_eq(rd(RIS), 0);
}

static void receive_by_level(uint16_t ifls, unsigned level)
{
    static const uint8_t bytes[16] = "0123456789abcde";
    wr(IFLS, ifls);
    wr(LCRH, 0);
    pl011_listen(FIFOS, RX | TIMEOUT);
    for (unsigned n = 1; n <= 16; n++) {
        fake_chardev_feed(&uart.m.console, bytes, 1);
        cr_expect_eq(rd(RIS), n >= level ? RX | TIMEOUT : TIMEOUT, "level %u, %u bytes", level, n);
        cr_expect(line());
    }
    cr_expect_eq(rd(FR), 0x80 | 0x40, "full");
    for (unsigned n = 15; n > 0; n--) {
        cr_expect_eq(rd(DR), '0');
        cr_expect_eq(rd(RIS), n >= level ? RX | TIMEOUT : TIMEOUT, "level %u, %u bytes left", level,
                     n);
    }
    rd(DR);
    cr_expect_eq(rd(RIS), 0);
    cr_expect(!line());
    cr_expect_eq(rd(FR), 0x90);
}

Test(pl011, receive_interrupt_by_trigger_level)
{
    static const uint8_t levels[8] = {2, 4, 8, 12, 14, 14, 14, 14};
    for (uint16_t i = 0; i < 8; i++) {
        receive_by_level((uint16_t)(i << 3), levels[i]);
    }
}

Test(pl011, without_fifos_there_is_one_byte)
{
    pl011_listen(0, RX | TIMEOUT);
    fake_chardev_feed(&uart.m.console, "ab", 2);
    cr_expect_eq(rd(FR), 0x80 | 0x40);
    cr_expect_eq(rd(RIS), RX);
    cr_expect_eq(rd(DR), 'a');
    cr_expect_eq(rd(FR), 0x90);
    cr_expect(!line());
    fake_chardev_pump(&uart.m.console);
    cr_expect(line());
    cr_expect_eq(rd(DR), 'b');
    cr_expect_eq(rd(DR), 0, "there is none");
    cr_expect_eq(rd(RIS), 0);
}

/* Guests made for QEMU, where the level is 1. */
Test(pl011, a_driver_without_the_timeout_hears_of_the_first_byte)
{
    pl011_listen(FIFOS, RX);
    fake_chardev_feed(&uart.m.console, "ab", 2);
    cr_expect_eq(rd(MIS), RX);
    cr_expect_eq(rd(DR), 'a');
    cr_expect(line(), "one is left");
    cr_expect_eq(rd(DR), 'b');
    cr_expect(!line());
}

Test(pl011, giving_the_timeout_up_brings_the_receive_interrupt)
{
    pl011_listen(FIFOS, RX | TIMEOUT);
    fake_chardev_feed(&uart.m.console, "a", 1);
    cr_expect_eq(rd(MIS), TIMEOUT);
    wr(IMSC, RX);
    cr_expect_eq(rd(MIS), RX);
    cr_expect(line());
}

Test(pl011, bytes_left_behind_interrupt_again)
{
    static const uint16_t drivers[] = {RX, TIMEOUT, RX | TIMEOUT};
    for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
        pl011_listen(FIFOS, drivers[i]);
        fake_chardev_feed(&uart.m.console, "abc", 3);
        cr_assert(line());
        wr(ICR, 0x7ff);
        cr_expect(!line());
        cr_expect_eq(rd(DR), 'a');
        cr_expect(!line());
        pass(277 * NS_PER_US);
        cr_expect(!line());
        pass(1 * NS_PER_US);
        cr_expect(line(), "driver %zu", i);
        rd(DR), rd(DR);
        cr_expect(!line());
        wr(ICR, 0x7ff);
        pass(NS_PER_MS);
        cr_expect(!line(), "nothing left, nothing to say");
    }
}

Test(pl011, loopback_overrun_keeps_what_the_fifo_has)
{
    wr(LCRH, FIFOS);
    wr(IMSC, OVERRUN);
    wr(CR, UART_ON | LOOPBACK);
    for (unsigned i = 0; i < 16; i++) {
        wr(DR, (uint16_t)('a' + i));
    }
    cr_expect(!line());
    wr(DR, 'z');
    cr_expect(line());
    cr_expect_eq(rd(RSR), 8);
    wr(ICR, OVERRUN);
    cr_expect(!line());
    cr_expect_eq(rd(DR), 0x800 | 'a');
    wr(DR, 'q');
    cr_expect_eq(rd(DR), 'b', "there was room again");
    cr_expect_eq(rd(RSR), 8, "until it is cleared");
    wr(RSR, 0);
    cr_expect_eq(rd(RSR), 0);
    for (unsigned i = 2; i < 16; i++) {
        cr_expect_eq(rd(DR), 'a' + i);
    }
    cr_expect_eq(rd(DR), 'q');
    cr_expect_eq(rd(FR), 0x90);
    cr_expect_eq(uart.m.console.out_len, 0, "nothing leaves in loopback");
}

Test(pl011, loopback_needs_the_receiver)
{
    wr(CR, 0x181);
    wr(DR, 'x');
    cr_expect_eq(rd(FR), 0x90);
    cr_expect_eq(uart.m.console.out_len, 0);
}

Test(pl011, switching_fifos_off_drops_input_and_on_keeps_it)
{
    pl011_listen(0, RX | TIMEOUT);
    fake_chardev_feed(&uart.m.console, "x", 1);
    wr(LCRH, FIFOS);
    cr_expect_eq(rd(RIS), TIMEOUT | RX);
    fake_chardev_feed(&uart.m.console, "y", 1);
    wr(LCRH, 0);
    cr_expect_eq(rd(FR), 0x90);
    cr_expect_eq(rd(RIS), 0);
    cr_expect(!line());
}

Test(pl011, the_line_is_driven_on_changes_only)
{
    wr(IMSC, TX);
    wr(DR, 'x');
    unsigned calls = uart.m.irqs.calls[PL011_GSI];
    for (unsigned i = 0; i < 100; i++) {
        wr(DR, 'x');
        rd(RIS);
    }
    cr_expect_eq(uart.m.irqs.calls[PL011_GSI], calls);
}

Test(pl011, reset_is_as_after_power_on)
{
    static const uint32_t regs[] = {RSR, FR,   ILPR, IBRD, FBRD, LCRH,
                                    CR,  IFLS, IMSC, RIS,  MIS,  DMACR};
    uint16_t before[ARRAY_LEN(regs)];
    for (size_t i = 0; i < ARRAY_LEN(regs); i++) {
        before[i] = rd(regs[i]);
    }
    wr(CR, UART_ON | LOOPBACK);
    wr(DR, 'a');
    wr(DR, 'b');
    pl011_listen(FIFOS, 0x7ff);
    fake_chardev_feed(&uart.m.console, "abc", 3);
    for (size_t i = 0; i < ARRAY_LEN(regs); i++) {
        wr(regs[i], regs[i] == CR ? UART_ON : 0xffff);
    }
    cr_assert(line());
    device_reset(uart.d);
    cr_expect(!line());
    for (size_t i = 0; i < ARRAY_LEN(regs); i++) {
        cr_expect_eq(rd(regs[i]), before[i], "0x%x", regs[i]);
    }
    fake_chardev_feed(&uart.m.console, "x", 1);
    cr_expect_eq(rd(FR), 0x90, "nobody listens");
}

/* --- Linux ------------------------------------------------------------ */

/* What drivers/amba/bus.c makes of the eight identification words. */
Test(pl011, linux_finds_an_arm_pl011_with_fifos_of_16)
{
    uint32_t pid = 0, cid = 0;
    for (unsigned i = 0; i < 4; i++) {
        pid |= (uint32_t)(fake_read(uart.m.mem, PL011_GPA + 0xfe0 + 4 * i, 4) & 0xff) << 8 * i;
        cid |= (uint32_t)(fake_read(uart.m.mem, PL011_GPA + 0xff0 + 4 * i, 4) & 0xff) << 8 * i;
    }
    cr_expect_eq(cid, 0xb105f00d);
    cr_expect_eq(pid & 0x000fffff, 0x00041011);
    cr_expect_lt(pid >> 20 & 0xf, 3, "from revision 3 on FIFOs have 32 bytes");
}
