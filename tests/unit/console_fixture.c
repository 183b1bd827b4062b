/*
 * For tests of consoles over files and pipes: see console_fixture.h.
 */
#include "tests/unit/console_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

struct console_fixture con;

void console_fixture_setup(void)
{
    fake_clock_init(&con.clock);
    con.loop = loop_new(&con.clock.clock, NULL);
    cr_assert_not_null(con.loop);
    fake_frontend_init(&con.fe, SIZE_MAX);
}

void console_fixture_teardown(void)
{
    chardev_free(con.console);
    fake_frontend_free(&con.fe);
    loop_free(con.loop);
}

void con_open(const char *spec, const struct chardev_escape *escape)
{
    struct err e = ERR_INIT;
    con.console = chardev_open(spec, con.loop, escape, &e);
    cr_assert_not_null(con.console, "%s", e.what);
    chardev_attach(con.console, &con.fe.ops);
}

size_t con_put(const char *text)
{
    return chardev_write(con.console, (const uint8_t *)text, strlen(text));
}
