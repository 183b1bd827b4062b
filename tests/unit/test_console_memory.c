/*
 * The console in memory, and the sink of a thread's messages.
 */
#include "src/base/log.h"
#include "src/console/memory.h"
#include "tests/unit/loop_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct chardev *console;
static char got[64]; /* what the front end received */
static size_t room;

static size_t can_receive(void *opaque)
{
    (void)opaque;
    return room;
}

static void receive(void *opaque, const uint8_t *data, size_t len)
{
    (void)opaque;
    cr_assert(len <= room);
    strncat(got, (const char *)data, len);
    room -= len;
}

static const struct chardev_frontend frontend = {.can_receive = can_receive, .receive = receive};

static char messages[256];

static void keep_message(void *opaque, const char *text, size_t len)
{
    (void)opaque;
    strncat(messages, text, len);
}

static const struct log_sink sink = {.line = keep_message};

static void setup(void)
{
    loop_fixture_setup();
    console = memory_open(loop, NULL);
    cr_assert_not_null(console);
    log_set_sink(&sink);
}

static void teardown(void)
{
    log_set_sink(NULL);
    chardev_free(console);
    loop_fixture_teardown();
}

TestSuite(console_memory, .init = setup, .fini = teardown);

static void put(const char *text)
{
    cr_assert_eq(chardev_write(console, (const uint8_t *)text, strlen(text)), strlen(text));
}

static void text_is(const char *want)
{
    size_t len;
    cr_assert_str_eq(memory_console_text(console, &len), want);
    cr_assert_eq(len, strlen(want));
}

Test(console_memory, keeps_output_until_it_is_forgotten)
{
    text_is("");
    put("one\n");
    put("two");
    text_is("one\ntwo");
    memory_console_forget(console, 4);
    text_is("two");
    put("\nthree");
    text_is("two\nthree");
    memory_console_forget(console, 9);
    text_is("");
    put("x");
    text_is("x");
    chardev_flush(console);
}

Test(console_memory, is_bounded)
{
    static uint8_t block[4096];
    memset(block, 'a', sizeof(block));
    for (size_t i = 0; i < MEMORY_CONSOLE_MAX / sizeof(block); i++) {
        cr_assert_eq(chardev_write(console, block, sizeof(block)), sizeof(block));
    }
    cr_assert_str_empty(messages);
    put("b"); /* lost, and said once */
    put("c");
    cr_assert_str_eq(messages,
                     "vmm: warning: console: output is lost, 1048576 bytes wait to be looked at");
    memory_console_forget(console, 1);
    put("d");
    size_t len;
    const char *text = memory_console_text(console, &len);
    cr_assert(len == MEMORY_CONSOLE_MAX && text[len - 1] == 'd' && text[len - 2] == 'a');
}

static size_t watched;

static void on_output(void *opaque, const char *text, size_t len)
{
    cr_assert_eq(opaque, &watched);
    cr_assert_eq(strlen(text), len);
    watched = len;
}

Test(console_memory, shows_output_as_it_comes)
{
    put("ab");
    memory_console_watch(console, on_output, &watched);
    put("c");
    cr_assert_eq(watched, 3);
    memory_console_forget(console, 2);
    put("d");
    cr_assert_eq(watched, 2);
    memory_console_watch(console, NULL, NULL);
    put("e");
    cr_assert_eq(watched, 2);
}

Test(console_memory, delivers_input_as_room_is_made)
{
    cr_assert_eq(memory_console_send(console, "hel", 3), 0);
    turn(); /* nobody there yet */
    chardev_attach(console, &frontend);
    room = 2;
    turn();
    cr_assert_str_eq(got, "he");
    cr_assert_eq(memory_console_send(console, "lo", 2), 0);
    turn();
    cr_assert_str_eq(got, "he");
    room = 10;
    chardev_accept_input(console);
    turn();
    cr_assert_str_eq(got, "hello");
    chardev_accept_input(console);
    turn();
    chardev_attach(console, NULL);
}

Test(console_memory, input_is_bounded)
{
    char *much = calloc(1, MEMORY_CONSOLE_INPUT_MAX);
    cr_assert_eq(memory_console_send(console, much, MEMORY_CONSOLE_INPUT_MAX), 0);
    cr_assert_eq(memory_console_send(console, much, 1), -ENOSPC);
    cr_assert_eq(memory_console_send(console, much, SIZE_MAX), -ENOSPC);
    cr_assert_eq(memory_console_send(console, much, 0), 0);
    free(much);
}

/* --- messages ------------------------------------------------------------- */

static void complain(void *opaque)
{
    (void)opaque;
    log_warn("from a thread");
}

/* A thread's messages go where those of its maker go. */
Test(console_memory, sink_is_passed_on_to_iothreads)
{
    struct iothread *t = iothread_new("test", &fake, NULL);
    cr_assert_eq(log_sink(), &sink);
    iothread_call(t, complain, NULL);
    iothread_free(t);
    cr_assert_str_eq(messages, "vmm: warning: from a thread");
}
