/*
 * For tests of consoles over files and pipes: a loop on a clock driven by hand, a
 * front end, one console.
 */
#ifndef TESTS_CONSOLE_FIXTURE_H
#define TESTS_CONSOLE_FIXTURE_H

#include "src/console/chardev.h"
#include "tests/unit/fake_frontend.h"
#include "tests/unit/fakes.h"

struct console_fixture {
    struct fake_clock clock; /* the loop's */
    struct loop *loop;
    struct fake_frontend fe; /* with all the room there is */
    struct chardev *console; /* freed at the end of the test if not NULL */
};

extern struct console_fixture con;

/* Init and fini of a Criterion suite. */
void console_fixture_setup(void);
void console_fixture_teardown(void);

/* Open con.console and attach con.fe to it. */
void con_open(const char *spec, const struct chardev_escape *escape);
/* Write text to con.console; how much of it was taken. */
size_t con_put(const char *text);

#endif
