/*
 * The console on a unix socket: clients that come, go, and half go; the socket
 * file. The test is the client, in the same thread; unix sockets deliver at once.
 */
#include "src/console/chardev.h"
#include "tests/unit/fake_frontend.h"
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct fake_clock hand;
static struct loop *loop;
static struct fake_frontend fe;
static struct chardev *console;
static char dir[] = "/tmp/vmm-unix-XXXXXX";
static char spec[64];
static const char *path; /* in spec */

static void setup(void)
{
    cr_assert_not_null(mkdtemp(dir));
    snprintf(spec, sizeof(spec), "unix:%s/console", dir);
    path = strchr(spec, ':') + 1;
    fake_clock_init(&hand);
    loop = loop_new(&hand.clock, NULL);
    cr_assert_not_null(loop);
    fake_frontend_init(&fe, SIZE_MAX);
}

static void teardown(void)
{
    chardev_free(console);
    fake_frontend_free(&fe);
    loop_free(loop);
    unlink(path);
    cr_assert_eq(rmdir(dir), 0);
}

TestSuite(console_unix, .init = setup, .fini = teardown);

static void open_console(void)
{
    struct err e = ERR_INIT;
    console = chardev_open(spec, loop, NULL, &e);
    cr_assert_not_null(console, "%s", e.what);
    chardev_attach(console, &fe.ops);
}

/* A few turns: more than any one thing here needs. */
static void settle(void)
{
    for (int i = 0; i < 8; i++) {
        loop_poll(loop);
    }
}

static int connect_client(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    settle();
    return fd;
}

static void say(int client, const char *text)
{
    cr_assert_eq(write(client, text, strlen(text)), (ssize_t)strlen(text));
    settle();
}

static void put(const char *text)
{
    cr_assert_eq(chardev_write(console, (const uint8_t *)text, strlen(text)), strlen(text));
    settle();
}

static const char *hear(int client)
{
    static char text[4096];
    ssize_t n = read(client, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

/* --- clients ---------------------------------------------------------- */

Test(console_unix, a_client_talks_both_ways)
{
    open_console();
    int client = connect_client();
    say(client, "in\x01x");
    cr_assert_eq(fe.got_len, 4);
    put("out\n");
    cr_assert_str_eq(hear(client), "out\n");
    close(client);
}

Test(console_unix, output_without_a_client_is_dropped)
{
    open_console();
    for (int i = 0; i < 1000; i++) {
        put("nobody\n");
    }
    put("half a line");
    int client = connect_client();
    put("hello\n");
    cr_assert_not_null(strstr(hear(client), "hello\n"));
    cr_assert_null(strstr(hear(client), "nobody"));
    close(client);
}

Test(console_unix, clients_come_and_go)
{
    open_console();
    for (int i = 0; i < 3; i++) {
        int client = connect_client();
        say(client, "x");
        put("y\n");
        cr_assert_str_eq(hear(client), "y\n");
        close(client);
        settle();
        put("dropped\n");
    }
    cr_assert_eq(fe.got_len, 3);
}

Test(console_unix, a_second_client_waits_for_the_first_to_go)
{
    open_console();
    int first = connect_client();
    int second = connect_client();
    say(second, "2");
    say(first, "1");
    put("to first\n");
    cr_assert_str_eq(hear(first), "to first\n");
    cr_assert_str_empty(hear(second));
    cr_assert_arr_eq(fe.got, "1", 1);
    close(first);
    settle();
    cr_assert_eq(fe.got_len, 2);
    put("to second\n");
    cr_assert_str_eq(hear(second), "to second\n");
    close(second);
}

Test(console_unix, a_client_that_ends_its_input_still_gets_output)
{
    open_console();
    int client = connect_client();
    say(client, "command\n");
    cr_assert_eq(shutdown(client, SHUT_WR), 0);
    settle();
    put("answer\n");
    cr_assert_str_eq(hear(client), "answer\n");
    close(client);
    settle();
    client = connect_client();
    say(client, "next");
    cr_assert_eq(fe.got_len, 12);
    close(client);
}

/* Sends a lot and leaves; the guest reads slowly. */
static void check_parting_words(bool guest_writes)
{
    enum { WORDS = 60000 };
    static uint8_t words[WORDS];
    fe.fifo = 16;
    open_console();
    int client = connect_client();
    fake_fill_pattern(words, WORDS);
    cr_assert_eq(write(client, words, WORDS), WORDS);
    settle();
    close(client);
    while (fe.got_len < WORDS) {
        size_t before = fe.got_len;
        if (guest_writes) {
            put("echo\n");
        }
        fake_frontend_drain(&fe);
        chardev_accept_input(console);
        settle();
        cr_assert(fe.got_len > before, "stuck at %zu", before);
    }
    cr_assert_arr_eq(fe.got, words, WORDS);
    fe.fifo = SIZE_MAX;
    settle();
    client = connect_client();
    put("hello\n");
    cr_assert_str_eq(hear(client), "hello\n");
    close(client);
}

Test(console_unix, parting_words_are_all_read)
{
    check_parting_words(false);
}

Test(console_unix, parting_words_are_all_read_though_output_fails)
{
    check_parting_words(true);
}

Test(console_unix, a_client_that_stops_reading_and_leaves_frees_the_guest)
{
    open_console();
    int client = connect_client();
    while (chardev_write(console, (const uint8_t *)"stuck\n", 6) == 6) {
    }
    settle();
    cr_assert_eq(fe.writable_calls, 0);
    close(client);
    settle();
    cr_assert(fe.writable_calls > 0);
    put("goes on\n");
}

/* --- the socket file -------------------------------------------------- */

Test(console_unix, the_file_goes_with_the_console)
{
    struct stat st;
    open_console();
    cr_assert(stat(path, &st) == 0 && S_ISSOCK(st.st_mode));
    chardev_free(console);
    console = NULL;
    cr_assert(stat(path, &st) < 0 && errno == ENOENT);
}

Test(console_unix, a_file_that_is_not_ours_any_more_stays)
{
    open_console();
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    close(fd);
    chardev_free(console);
    console = NULL;
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
}

Test(console_unix, a_socket_left_behind_is_replaced)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    open_console();
    close(connect_client());
}

Test(console_unix, a_socket_in_use_is_left_alone)
{
    open_console();
    struct err e = ERR_INIT;
    cr_assert_null(chardev_open(spec, loop, NULL, &e));
    cr_assert_not_null(strstr(e.what, "another process"), "%s", e.what);
    settle(); /* the probe looked like a client that left */
    int client = connect_client();
    put("still here\n");
    cr_assert_str_eq(hear(client), "still here\n");
    close(client);
}

Test(console_unix, another_kind_of_file_is_not_replaced)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    cr_assert_eq(write(fd, "precious", 8), 8);
    close(fd);
    struct err e = ERR_INIT;
    cr_assert_null(chardev_open(spec, loop, NULL, &e));
    cr_assert_not_null(strstr(e.what, "no socket"), "%s", e.what);
    struct stat st;
    cr_assert(stat(path, &st) == 0 && st.st_size == 8);
}

Test(console_unix, impossible_paths_say_why)
{
    struct err e = ERR_INIT;
    char longest[200] = "unix:";
    memset(longest + 5, 'x', 150);
    cr_assert_null(chardev_open(longest, loop, NULL, &e));
    cr_assert_not_null(strstr(e.what, "too long"), "%s", e.what);
    cr_assert_null(chardev_open("unix:/nonexistent/socket", loop, NULL, &e));
    cr_assert_not_null(strstr(e.what, "No such file"), "%s", e.what);
}
