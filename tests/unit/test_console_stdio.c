/*
 * The console on stdin and stdout that are no terminals: flow control both ways,
 * and every sort of input and output that ends, breaks or was never there.
 */
#include "src/base/reserve.h"
#include "src/console/chardev.h"
#include "tests/unit/console_fixture.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

TestSuite(console_stdio, .init = console_fixture_setup, .fini = console_fixture_teardown);

/* --- stdio over pipes ------------------------------------------------- */

static int to_stdin, from_stdout;

/* A pipe as descriptor `as` of this process; returns our end. */
static int pipe_as(int as, int flags)
{
    int fds[2];
    cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
    int theirs = as == STDIN_FILENO ? fds[0] : fds[1];
    int ours = as == STDIN_FILENO ? fds[1] : fds[0];
    cr_assert(dup2(theirs, as) >= 0);
    close(theirs);
    cr_assert_eq(fcntl(ours, F_SETFL, flags), 0);
    return ours;
}

static void open_pipes(void)
{
    to_stdin = pipe_as(STDIN_FILENO, O_NONBLOCK);
    from_stdout = pipe_as(STDOUT_FILENO, O_NONBLOCK);
    con_open("stdio", &(struct chardev_escape){0});
}

Test(console_stdio, pipes_carry_every_byte_value)
{
    open_pipes();
    uint8_t all[256];
    uint8_t back[512];
    for (int i = 0; i < 256; i++) {
        all[i] = (uint8_t)i;
    }
    cr_assert_eq(write(to_stdin, all, sizeof(all)), 256);
    loop_poll(con.loop);
    cr_assert_eq(con.fe.got_len, 256, "Ctrl-A is no key on a pipe");
    cr_assert_arr_eq(con.fe.got, all, 256);
    cr_assert_eq(chardev_write(con.console, all, 256), 256);
    chardev_flush(con.console);
    cr_assert_eq(read(from_stdout, back, sizeof(back)), 256);
    cr_assert_arr_eq(back, all, 256);
}

Test(console_stdio, descriptors_we_share_stay_blocking)
{
    open_pipes();
    cr_assert_not(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK);
    cr_assert_not(fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK);
}

Test(console_stdio, the_end_of_input_ends_input_only)
{
    open_pipes();
    cr_assert_eq(write(to_stdin, "last", 4), 4);
    close(to_stdin);
    for (int i = 0; i < 3; i++) {
        loop_poll(con.loop);
    }
    cr_assert_eq(con.fe.got_len, 4);
    con_put("still\n");
    char text[16];
    cr_assert_eq(read(from_stdout, text, sizeof(text)), 6);
}

Test(console_stdio, input_before_a_front_end_waits_for_it)
{
    open_pipes();
    chardev_attach(con.console, NULL);
    cr_assert_eq(write(to_stdin, "early", 5), 5);
    loop_poll(con.loop);
    loop_poll(con.loop);
    chardev_attach(con.console, &con.fe.ops);
    loop_poll(con.loop);
    cr_assert_eq(con.fe.got_len, 5);
}

#define PASTE (1 << 20)

static void *write_paste(void *opaque)
{
    (void)opaque;
    static uint8_t paste[PASTE];
    fake_fill_pattern(paste, PASTE);
    for (size_t done = 0; done < PASTE;) {
        ssize_t n = write(to_stdin, paste + done, PASTE - done);
        cr_assert(n > 0);
        done += (size_t)n;
    }
    close(to_stdin);
    return NULL;
}

static _Atomic bool guest_done;

static void *read_as_guest(void *opaque)
{
    (void)opaque;
    while (!atomic_load(&guest_done)) {
        fake_frontend_drain(&con.fe);
        chardev_accept_input(con.console);
    }
    return NULL;
}

Test(console_stdio, a_paste_of_1_mib_into_a_fifo_of_16_loses_nothing)
{
    open_pipes();
    cr_assert_eq(fcntl(to_stdin, F_SETFL, 0), 0);
    con.fe.fifo = 16;
    pthread_t writer, guest;
    cr_assert_eq(pthread_create(&writer, NULL, write_paste, NULL), 0);
    cr_assert_eq(pthread_create(&guest, NULL, read_as_guest, NULL), 0);
    fake_frontend_run_until(&con.fe, con.loop, PASTE);
    atomic_store(&guest_done, true);
    pthread_join(guest, NULL);
    pthread_join(writer, NULL);
    for (size_t i = 0; i < PASTE; i++) {
        cr_assert(con.fe.got[i] == fake_pattern(i), "byte %zu", i);
    }
}

Test(console_stdio, a_guest_that_does_not_read_leaves_the_paste_in_the_pipe)
{
    open_pipes();
    con.fe.fifo = 0;
    char block[4096] = {0};
    ssize_t total = 0;
    for (int i = 0; i < 200; i++) {
        ssize_t n = write(to_stdin, block, sizeof(block));
        total += n > 0 ? n : 0;
        loop_poll(con.loop);
    }
    cr_assert(total < 100 * 4096, "a pipe and the read-ahead hold less: %zd", total);
    con.fe.fifo = SIZE_MAX;
    chardev_accept_input(con.console);
    for (int i = 0; i < 200; i++) {
        loop_poll(con.loop);
    }
    cr_assert_eq(con.fe.got_len, (size_t)total);
}

/* What comes out of stdout now. */
static size_t drain_stdout(uint8_t *out, size_t size)
{
    size_t len = 0;
    ssize_t n;
    while (len < size && (n = read(from_stdout, out + len, size - len)) > 0) {
        len += (size_t)n;
    }
    return len;
}

Test(console_stdio, a_slow_reader_is_waited_for_and_loses_nothing)
{
    open_pipes();
    static uint8_t text[400000], back[400000];
    size_t sent = 0;
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = fake_pattern(i);
    }
    while (true) { /* until pipe and buffer are full */
        size_t n = chardev_write(con.console, text + sent, 1000);
        sent += n;
        if (n < 1000) {
            break;
        }
    }
    cr_assert_eq(chardev_write(con.console, text, 10), 0, "full");
    loop_poll(con.loop);
    cr_assert_eq(con.fe.writable_calls, 0);
    size_t got = drain_stdout(back, 8192);
    loop_poll(con.loop); /* EPOLLOUT */
    loop_poll(con.loop);
    cr_assert(con.fe.writable_calls > 0);
    sent += chardev_write(con.console, text + sent, 100);
    while (got < sent) {
        size_t n = drain_stdout(back + got, sizeof(back) - got);
        got += n;
        chardev_flush(con.console);
        loop_poll(con.loop);
    }
    cr_assert_eq(got, sent);
    cr_assert_arr_eq(back, text, sent);
}

Test(console_stdio, free_waits_for_a_reader_that_is_only_slow)
{
    open_pipes();
    static uint8_t text[200000], back[200000];
    size_t sent = 0;
    while (chardev_write(con.console, text + sent, 1) == 1) {
        sent++;
    }
    size_t early = drain_stdout(back, sizeof(back));
    cr_assert(early < sent);
    chardev_free(con.console);
    con.console = NULL;
    cr_assert_eq(drain_stdout(back, sizeof(back)), sent - early);
}

/* --- stdout that is lost ---------------------------------------------- */

static int from_stderr;

static unsigned warnings(void)
{
    char text[4096];
    ssize_t n = read(from_stderr, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    unsigned count = 0;
    for (const char *p = text; (p = strstr(p, "vmm: warning: stdout")) != NULL; p++) {
        count++;
    }
    return count;
}

static void check_output_is_dropped_with_one_warning(void)
{
    for (int i = 0; i < 10000; i++) {
        cr_assert_eq(con_put("goes nowhere\n"), 13);
        if (i % 100 == 0) {
            loop_poll(con.loop);
        }
    }
    loop_poll(con.loop);
    cr_assert_eq(warnings(), 1);
}

Test(console_stdio, a_broken_pipe_costs_one_warning)
{
    from_stderr = pipe_as(STDERR_FILENO, O_NONBLOCK);
    open_pipes();
    close(from_stdout);
    check_output_is_dropped_with_one_warning();
}

Test(console_stdio, a_pipe_that_breaks_while_full_frees_the_guest)
{
    from_stderr = pipe_as(STDERR_FILENO, O_NONBLOCK);
    open_pipes();
    while (con_put("x") == 1) {
    }
    loop_poll(con.loop);
    close(from_stdout);
    loop_poll(con.loop);
    loop_poll(con.loop);
    cr_assert(con.fe.writable_calls > 0);
    check_output_is_dropped_with_one_warning();
}

Test(console_stdio, closed_stdin_and_stdout_are_survived)
{
    from_stderr = pipe_as(STDERR_FILENO, O_NONBLOCK);
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    reserve_stdio();
    cr_assert(open("/dev/null", O_RDWR) > STDERR_FILENO, "their numbers are taken");
    con_open("stdio", NULL);
    loop_poll(con.loop);
    loop_poll(con.loop);
    cr_assert_eq(con.fe.got_len, 0);
    check_output_is_dropped_with_one_warning();
}

Test(console_stdio, a_full_disk_costs_one_warning)
{
    from_stderr = pipe_as(STDERR_FILENO, O_NONBLOCK);
    int full = open("/dev/full", O_WRONLY);
    cr_assert(full >= 0 && dup2(full, STDOUT_FILENO) >= 0);
    con_open("stdio", NULL);
    check_output_is_dropped_with_one_warning();
}

/* --- stdin that epoll refuses ----------------------------------------- */

static void stdin_from(const char *path)
{
    int fd = open(path, O_RDONLY);
    cr_assert(fd >= 0 && dup2(fd, STDIN_FILENO) >= 0);
    close(fd);
}

Test(console_stdio, a_regular_file_is_read_as_there_is_room)
{
    uint8_t text[10000];
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = fake_pattern(i);
    }
    int fd = memfd_create("input", MFD_CLOEXEC);
    cr_assert_eq(write(fd, text, sizeof(text)), (ssize_t)sizeof(text));
    cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
    cr_assert(dup2(fd, STDIN_FILENO) >= 0);
    close(fd);
    con.fe.fifo = 100;
    con_open("stdio", NULL);
    for (int i = 0; i < 10; i++) {
        loop_poll(con.loop);
    }
    cr_assert_eq(con.fe.got_len, 100);
    while (con.fe.got_len < sizeof(text)) {
        fake_frontend_drain(&con.fe);
        chardev_accept_input(con.console);
        loop_poll(con.loop);
    }
    cr_assert_arr_eq(con.fe.got, text, sizeof(text));
    fake_frontend_drain(&con.fe);
    chardev_accept_input(con.console);
    loop_poll(con.loop);
    loop_poll(con.loop);
    cr_assert_eq(con.fe.got_len, sizeof(text));
}

Test(console_stdio, dev_null_is_an_empty_input)
{
    stdin_from("/dev/null");
    con_open("stdio", NULL);
    loop_poll(con.loop);
    loop_poll(con.loop);
    cr_assert_eq(con.fe.got_len, 0);
}

Test(console_stdio, an_endless_input_does_not_hold_the_loop)
{
    stdin_from("/dev/zero");
    con.fe.fifo = 100000;
    con_open("stdio", NULL);
    for (int i = 0; i < 100; i++) {
        loop_poll(con.loop);
    }
    cr_assert_eq(con.fe.got_len, 100000);
}
