/*
 * hyperv-testdev: which command does what with which numbers.
 */
#include "src/hyperv.h"
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PORT 0x3000

static struct fake_machine m;
static struct device *d;
static struct hyperv hyperv;
static char called[200];
static int result;

static int note(const char *what, unsigned a, unsigned b, unsigned c, unsigned flag)
{
    const size_t used = strlen(called);
    snprintf(called + used, sizeof(called) - used, "%s %u %u %u %u;", what, a, b, c, flag);
    return result;
}

static int connect_sint(struct hyperv *h, unsigned vcpu, unsigned sint)
{
    cr_assert_eq(h, &hyperv);
    return note("connect", 0, vcpu, sint, 0);
}

static int disconnect_sint(struct hyperv *h, unsigned vcpu, unsigned sint)
{
    (void)h;
    return note("disconnect", 0, vcpu, sint, 0);
}

static int raise_sint(struct hyperv *h, unsigned vcpu, unsigned sint)
{
    (void)h;
    return note("raise", 0, vcpu, sint, 0);
}

static int connect_messages(struct hyperv *h, unsigned conn, unsigned vcpu, unsigned sint)
{
    (void)h;
    return note("messages", conn, vcpu, sint, 0);
}

static int connect_events(struct hyperv *h, unsigned conn, unsigned vcpu, unsigned sint,
                          unsigned flag)
{
    (void)h;
    return note("events", conn, vcpu, sint, flag);
}

static int disconnect(struct hyperv *h, unsigned conn)
{
    (void)h;
    return note("end", conn, 0, 0, 0);
}

static void setup(void)
{
    fake_machine_init(&m, 1);
    hyperv = (struct hyperv){connect_sint,     disconnect_sint, raise_sint,
                             connect_messages, connect_events,  disconnect};
    m.env.hyperv = &hyperv;
    d = fake_device(&m, "hyperv-testdev", NULL);
    called[0] = '\0';
    result = 0;
}

static void teardown(void)
{
    device_free(d);
    fake_machine_free(&m);
}

TestSuite(hyperv_testdev, .init = setup, .fini = teardown);

Test(hyperv_testdev, a_command_has_its_numbers_in_its_bytes)
{
    static const struct {
        uint32_t command;
        const char *call;
    } commands[] = {
        {0x0001020f, "connect 0 2 15 0;"}, {0x0002ffff, "disconnect 0 255 255 0;"},
        {0x00030105, "raise 0 1 5 0;"},    {0x10040108, "messages 16 1 8 0;"},
        {0x10050000, "end 16 0 0 0;"},     {0xff060109, "events 255 1 9 255;"},
        {0xff070203, "end 255 0 0 0;"},
    };
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        called[0] = '\0';
        fake_write(m.io, PORT, commands[i].command, 4);
        cr_expect_str_eq(called, commands[i].call);
    }
    cr_expect_eq(guest_error_count(&d->guest_errors), 0);
}

Test(hyperv_testdev, what_cannot_be_done_is_a_mistake_of_the_guests)
{
    fake_write(m.io, PORT, 0x00080000, 4);
    fake_write(m.io, PORT, 0, 4);
    fake_write(m.io, PORT, 0x0101, 2);
    cr_expect_str_eq(called, "");
    cr_expect_eq(guest_error_count(&d->guest_errors), 3, "no such command");
    result = -ENOENT;
    fake_write(m.io, PORT, 0x00030105, 4);
    cr_expect_eq(guest_error_count(&d->guest_errors), 4);
    fake_write(m.io, PORT + 2, 1, 2);
    fake_read(m.io, PORT, 4);
    cr_expect_str_eq(called, "raise 0 1 5 0;");
    cr_expect_eq(guest_error_count(&d->guest_errors), 6, "not at its start, and write-only");
}

Test(hyperv_testdev, it_needs_a_hyperv_interface)
{
    struct err e = ERR_INIT;
    m.env.hyperv = NULL;
    struct device *other = device_new(d->cls, "other", &m.env, &e);
    cr_assert_eq(device_realize(other, &e), -ENODEV);
    cr_expect_eq(e.status, EXIT_USAGE);
    cr_expect_not_null(strstr(e.hint, "hyperv=on"), "%s", e.hint);
    device_free(other);
}

Test(hyperv_testdev, a_machine_that_is_only_described_lets_devices_connect)
{
    struct hyperv idle;
    hyperv_init_idle(&idle);
    cr_expect_eq(idle.connect_sint(&idle, 0, 0), 0);
    cr_expect_eq(idle.connect_messages(&idle, 1, 0, 0), 0);
    cr_expect_eq(idle.connect_events(&idle, 2, 0, 0, 0), 0);
    cr_expect_eq(idle.raise_sint(&idle, 0, 0), 0);
    cr_expect_eq(idle.disconnect(&idle, 1), 0);
    cr_expect_eq(idle.disconnect_sint(&idle, 0, 0), 0);
}
