/*
 * Consoles: the kinds, and output buffering as seen through file:.
 */
#include "src/console/chardev.h"
#include "tests/unit/console_fixture.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/vmm-console-XXXXXX";

static void setup(void)
{
    cr_assert_not_null(mkdtemp(dir));
    console_fixture_setup();
}

static void teardown(void)
{
    console_fixture_teardown();
    char command[64];
    snprintf(command, sizeof(command), "rm -r %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(console, .init = setup, .fini = teardown);

static const char *in_dir(const char *prefix, const char *name)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s%s/%s", prefix, dir, name);
    return path;
}

/* --- kinds ------------------------------------------------------------ */

Test(console, unknown_kinds_are_refused_with_a_hint)
{
    static const struct {
        const char *spec, *hint;
    } bad[] = {{"stdoi", "'stdio'"},   {"", "use stdio"},      {"file:", "use stdio"},
               {"unix", "use stdio"},  {"unxi:x", "'unix'"},   {"stdio:x", "use stdio"},
               {"null:", "use stdio"}, {"filex:/y", "'file'"}, {"tcp:1", "use stdio"}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err e = ERR_INIT;
        cr_assert_null(chardev_open(bad[i].spec, con.loop, NULL, &e), "'%s'", bad[i].spec);
        cr_assert_eq(e.status, EXIT_USAGE);
        cr_assert_not_null(strstr(e.hint, bad[i].hint), "'%s': %s", bad[i].spec, e.hint);
    }
}

Test(console, null_takes_everything)
{
    con_open("null", NULL);
    cr_assert_eq(con_put("hello\n"), 6);
    chardev_accept_input(con.console);
    chardev_flush(con.console);
    chardev_attach(con.console, NULL);
}

/* --- buffering, seen through file: ------------------------------------ */

static const char *file_text(void)
{
    static char text[16384];
    int fd = open(in_dir("", "out"), O_RDONLY);
    cr_assert(fd >= 0);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    cr_assert(n >= 0);
    text[n] = '\0';
    close(fd);
    return text;
}

Test(console, output_is_written_when_a_line_ends)
{
    con_open(in_dir("file:", "out"), NULL);
    con_put("ab");
    cr_assert_str_empty(file_text());
    con_put("c\nd");
    cr_assert_str_eq(file_text(), "abc\nd");
}

Test(console, output_is_written_after_20_ms)
{
    con_open(in_dir("file:", "out"), NULL);
    con_put("login: ");
    fake_clock_advance(&con.clock, 19 * NS_PER_MS);
    con_put("x");
    loop_poll(con.loop);
    cr_assert_str_empty(file_text());
    fake_clock_advance(&con.clock, NS_PER_MS);
    loop_poll(con.loop);
    cr_assert_str_eq(file_text(), "login: x");
    con_put("y");
    fake_clock_advance(&con.clock, 20 * NS_PER_MS);
    loop_poll(con.loop);
    cr_assert_str_eq(file_text(), "login: xy", "the timer serves again");
}

Test(console, output_is_written_when_half_full)
{
    con_open(in_dir("file:", "out"), NULL);
    for (int i = 0; i < 2047; i++) {
        con_put("x");
    }
    cr_assert_str_empty(file_text());
    con_put("y");
    cr_assert_eq(strlen(file_text()), 2048);
}

Test(console, flush_and_free_write_what_is_left)
{
    con_open(in_dir("file:", "out"), NULL);
    con_put("a");
    chardev_flush(con.console);
    cr_assert_str_eq(file_text(), "a");
    con_put("b");
    chardev_free(con.console);
    con.console = NULL;
    cr_assert_str_eq(file_text(), "ab");
}

Test(console, a_file_is_truncated)
{
    con_open(in_dir("file:", "out"), NULL);
    con_put("old\n");
    chardev_free(con.console);
    con_open(in_dir("file:", "out"), NULL);
    cr_assert_str_empty(file_text());
}

Test(console, a_file_that_cannot_be_written_says_why)
{
    struct err e = ERR_INIT;
    cr_assert_null(chardev_open(in_dir("file:", ""), con.loop, NULL, &e));
    cr_assert_not_null(strstr(e.what, "Is a directory"), "%s", e.what);
    cr_assert_null(chardev_open(in_dir("file:", "no/such"), con.loop, NULL, &e));
    cr_assert_not_null(strstr(e.what, "No such file"), "%s", e.what);
    cr_assert_eq(mkfifo(in_dir("", "fifo"), 0600), 0);
    cr_assert_null(chardev_open(in_dir("file:", "fifo"), con.loop, NULL, &e), "it would wait");
    cr_assert_str_not_empty(e.hint);
}
