/*
 * acpi-pm: sleep and reset registers, power button.
 */
#include "devices/acpi_pm.h"
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>

#define SELECTOR 0xfea00000
#define SLEEP    0xfea00200
#define STATUS   0xfea00201
#define RESET    0xfea00202
#define GSI      9

static struct fake_machine m;
static struct device *d;

static void setup(void)
{
    fake_machine_init(&m, 0);
    d = fake_device(&m, "acpi-pm", NULL);
}

static void teardown(void)
{
    device_free(d);
    fake_machine_free(&m);
}

TestSuite(acpi_pm, .init = setup, .fini = teardown);

Test(acpi_pm, writes_that_mean_something)
{
    static const struct {
        uint64_t gpa;
        uint8_t value;
        int event; /* -1: none */
    } cases[] = {
        {SLEEP, 0x34, MACHINE_POWEROFF},
        {SLEEP, 0x14, -1},               /* not enabled */
        {SLEEP, 0x20, -1},               /* S0 */
        {SLEEP, 0x2c, -1},               /* S3 */
        {SLEEP, 0xf7, MACHINE_POWEROFF}, /* other bits do not matter */
        {STATUS, 0x80, -1},
        {STATUS, 0x34, -1},
        {RESET, 0x42, MACHINE_REBOOT},
        {RESET, 0x43, -1},
        {RESET, 0x00, -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned before = m.event_count;
        fake_write(m.mem, cases[i].gpa, cases[i].value, 1);
        cr_assert_eq(m.event_count - before, cases[i].event >= 0, "case %zu", i);
        if (cases[i].event >= 0) {
            cr_expect_eq((int)m.events[before].event, cases[i].event, "case %zu", i);
        }
    }
    cr_expect_eq(fake_read(m.mem, SLEEP, 1), 0);
    cr_expect_eq(fake_read(m.mem, STATUS, 1), 0);
    cr_expect_eq(fake_read(m.mem, RESET, 1), 0);
}

Test(acpi_pm, sleep_types_that_are_not_offered_are_counted)
{
    fake_write(m.mem, SLEEP, 0x2c, 1);
    cr_expect_eq(guest_error_count(&d->guest_errors), 1);
}

Test(acpi_pm, wide_writes_do_nothing)
{
    fake_write(m.mem, SLEEP, 0x00420034, 4);
    fake_write(m.mem, SLEEP, 0x34, 2);
    cr_expect_eq(m.event_count, 0);
}

Test(acpi_pm, the_power_button_interrupts_once_and_is_read_once)
{
    cr_expect_eq(fake_read(m.mem, SELECTOR, 4), 0);
    acpi_ged_power_button(d);
    cr_expect_eq(m.irqs.raised[GSI], 1);
    cr_expect_not(m.irqs.level[GSI]);
    cr_expect_eq(fake_read(m.mem, SELECTOR, 1), 0xff, "only the whole register is read");
    cr_expect_eq(fake_read(m.mem, SELECTOR, 4), 2);
    cr_expect_eq(fake_read(m.mem, SELECTOR, 4), 0);
    fake_write(m.mem, SELECTOR, 2, 4);
    cr_expect_eq(fake_read(m.mem, SELECTOR, 4), 0);
}

Test(acpi_pm, reset_forgets_a_press)
{
    acpi_ged_power_button(d);
    device_reset(d);
    cr_expect_eq(fake_read(m.mem, SELECTOR, 4), 0);
}
