/*
 * i8042: answers of the commands, the reset pulse, and Linux's probe, which must
 * end without waiting for a time-out.
 */
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>

#define DATA    0x60
#define COMMAND 0x64

static struct fake_machine m;
static struct device *d;

static void setup(void)
{
    fake_machine_init(&m, 0);
    d = fake_device(&m, "i8042", NULL);
}

static void teardown(void)
{
    device_free(d);
    fake_machine_free(&m);
}

TestSuite(i8042, .init = setup, .fini = teardown);

static uint8_t status(void)
{
    return (uint8_t)fake_read(m.io, COMMAND, 1);
}

/* The answer, or -1 if the controller has none to give. */
static int answer(void)
{
    return status() & 1 ? (int)fake_read(m.io, DATA, 1) : -1;
}

static int command(uint8_t byte)
{
    fake_write(m.io, COMMAND, byte, 1);
    return answer();
}

static int command_with(uint8_t byte, uint8_t parameter)
{
    fake_write(m.io, COMMAND, byte, 1);
    fake_write(m.io, DATA, parameter, 1);
    return answer();
}

Test(i8042, answers_commands)
{
    static const struct {
        uint8_t command;
        int parameter;
        int answer;
    } cases[] = {
        {0xaa, -1, 0x55}, {0xab, -1, 0x00},   {0xa9, -1, 0x01},   {0x20, -1, 0x74},
        {0xd0, -1, 0x03}, {0xd2, 0x5a, 0x5a}, {0xd3, 0xa5, 0xa5}, {0x60, 0x41, -1},
        {0x20, -1, 0x41}, {0xa7, -1, -1},     {0x20, -1, 0x61},   {0xa8, -1, -1},
        {0x20, -1, 0x41}, {0xad, -1, -1},     {0x20, -1, 0x51},   {0xae, -1, -1},
        {0x20, -1, 0x41}, {0xd1, 0x01, -1},   {0xd0, -1, 0x01},   {0xd4, 0xf4, -1},
        {0xaa, -1, 0x55}, {0x20, -1, 0x74},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int got = cases[i].parameter < 0
                      ? command(cases[i].command)
                      : command_with(cases[i].command, (uint8_t)cases[i].parameter);
        cr_expect_eq(got, cases[i].answer, "case %zu: command 0x%x gave 0x%x", i, cases[i].command,
                     got);
    }
    cr_expect_eq(m.event_count, 0);
    cr_expect_eq(guest_error_count(&d->guest_errors), 0);
}

Test(i8042, status_tells_of_data_commands_and_self_test)
{
    cr_expect_eq(status(), 0x14);
    fake_write(m.io, COMMAND, 0xaa, 1);
    cr_expect_eq(status(), 0x1d);
    fake_read(m.io, DATA, 1);
    cr_expect_eq(status(), 0x1c);
    fake_write(m.io, DATA, 0xf4, 1); /* to the keyboard */
    cr_expect_eq(status(), 0x14);
    command_with(0x60, 0x00);
    cr_expect_eq(status() & 4, 0);
}

Test(i8042, pulses_of_the_reset_line_reset)
{
    for (unsigned c = 0xf0; c < 0x100; c++) {
        unsigned before = m.event_count;
        fake_write(m.io, COMMAND, c, 1);
        cr_expect_eq(m.event_count - before, c % 2 == 0, "command 0x%x", c);
    }
    cr_expect_eq(m.events[0].event, MACHINE_REBOOT);
    unsigned before = m.event_count;
    command_with(0xd1, 0x02);
    cr_expect_eq(m.event_count - before, 1, "output port bit 0");
}

Test(i8042, unknown_commands_are_counted_and_drop_a_pending_one)
{
    fake_write(m.io, COMMAND, 0x60, 1);
    fake_write(m.io, COMMAND, 0x1b, 1);
    cr_expect_eq(guest_error_count(&d->guest_errors), 1);
    fake_write(m.io, DATA, 0x00, 1);
    cr_expect_eq(command(0x20), 0x74, "the parameter belonged to no command");
}

/* What drivers/input/serio/i8042.c does, with its time-outs as failures. */
Test(i8042, linux_probe_finds_a_keyboard_port_only)
{
    cr_expect_eq(answer(), -1, "nothing to flush");
    int config = command(0x20);
    cr_assert_geq(config, 0);
    cr_expect(status() & 0x10, "not locked");
    command_with(0x60, (uint8_t)((config | 0x10) & ~0x01));
    fake_write(m.io, COMMAND, 0xd3, 1);
    fake_write(m.io, DATA, 0x5a, 1);
    cr_assert_eq(status() & 0x21, 0x01, "the loop test answers, and not as the mouse");
    fake_read(m.io, DATA, 1);
    int aux = command(0xa9);
    cr_expect(aux != -1 && aux != 0 && aux != 0xfa && aux != 0xff, "no mouse port");
}

Test(i8042, reset_gives_the_first_state)
{
    command_with(0x60, 0x00);
    command_with(0xd1, 0x01);
    fake_write(m.io, COMMAND, 0xaa, 1);
    fake_write(m.io, COMMAND, 0x60, 1);
    device_reset(d);
    cr_expect_eq(status(), 0x14);
    fake_write(m.io, DATA, 0x11, 1);
    cr_expect_eq(command(0x20), 0x74);
    cr_expect_eq(command(0xd0), 0x03);
}
