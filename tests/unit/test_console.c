/*
 * Character back ends over files and pipes: kinds, buffering, flow control, and
 * every sort of stdin and stdout that is no terminal.
 */
#include "src/console/chardev.h"
#include "tests/unit/fake_frontend.h"
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fake_clock hand;
static struct loop *loop;
static struct fake_frontend fe;
static struct chardev *console;
static char dir[] = "/tmp/vmm-console-XXXXXX";

static void setup(void)
{
    cr_assert_not_null(mkdtemp(dir));
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
    char command[64];
    snprintf(command, sizeof(command), "rm -r %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(console, .init = setup, .fini = teardown, .timeout = 30);

static const char *in_dir(const char *prefix, const char *name)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s%s/%s", prefix, dir, name);
    return path;
}

static void open_console(const char *spec, const struct chardev_escape *escape)
{
    struct err e = ERR_INIT;
    console = chardev_open(spec, loop, escape, &e);
    cr_assert_not_null(console, "%s", e.what);
    chardev_attach(console, &fe.ops);
}

static size_t put(const char *text)
{
    return chardev_write(console, (const uint8_t *)text, strlen(text));
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
        cr_assert_null(chardev_open(bad[i].spec, loop, NULL, &e), "'%s'", bad[i].spec);
        cr_assert_eq(e.status, EXIT_USAGE);
        cr_assert_not_null(strstr(e.hint, bad[i].hint), "'%s': %s", bad[i].spec, e.hint);
    }
}

Test(console, null_takes_everything)
{
    open_console("null", NULL);
    cr_assert_eq(put("hello\n"), 6);
    chardev_accept_input(console);
    chardev_flush(console);
    chardev_attach(console, NULL);
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
    open_console(in_dir("file:", "out"), NULL);
    put("ab");
    cr_assert_str_empty(file_text());
    put("c\nd");
    cr_assert_str_eq(file_text(), "abc\nd");
}

Test(console, output_is_written_after_5_ms)
{
    open_console(in_dir("file:", "out"), NULL);
    put("login: ");
    fake_clock_advance(&hand, 4 * NS_PER_MS);
    put("x");
    loop_poll(loop);
    cr_assert_str_empty(file_text());
    fake_clock_advance(&hand, NS_PER_MS);
    loop_poll(loop);
    cr_assert_str_eq(file_text(), "login: x");
    put("y");
    fake_clock_advance(&hand, 5 * NS_PER_MS);
    loop_poll(loop);
    cr_assert_str_eq(file_text(), "login: xy", "the timer serves again");
}

Test(console, output_is_written_when_half_full)
{
    open_console(in_dir("file:", "out"), NULL);
    for (int i = 0; i < 2047; i++) {
        put("x");
    }
    cr_assert_str_empty(file_text());
    put("y");
    cr_assert_eq(strlen(file_text()), 2048);
}

Test(console, flush_and_free_write_what_is_left)
{
    open_console(in_dir("file:", "out"), NULL);
    put("a");
    chardev_flush(console);
    cr_assert_str_eq(file_text(), "a");
    put("b");
    chardev_free(console);
    console = NULL;
    cr_assert_str_eq(file_text(), "ab");
}

Test(console, a_file_is_truncated)
{
    open_console(in_dir("file:", "out"), NULL);
    put("old\n");
    chardev_free(console);
    open_console(in_dir("file:", "out"), NULL);
    cr_assert_str_empty(file_text());
}

Test(console, a_file_that_cannot_be_written_says_why)
{
    struct err e = ERR_INIT;
    cr_assert_null(chardev_open(in_dir("file:", ""), loop, NULL, &e));
    cr_assert_not_null(strstr(e.what, "Is a directory"), "%s", e.what);
    cr_assert_null(chardev_open(in_dir("file:", "no/such"), loop, NULL, &e));
    cr_assert_not_null(strstr(e.what, "No such file"), "%s", e.what);
    cr_assert_eq(mkfifo(in_dir("", "fifo"), 0600), 0);
    cr_assert_null(chardev_open(in_dir("file:", "fifo"), loop, NULL, &e), "it would wait");
    cr_assert_str_not_empty(e.hint);
}

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
    open_console("stdio", &(struct chardev_escape){0});
}

Test(console, pipes_carry_every_byte_value)
{
    open_pipes();
    uint8_t all[256];
    uint8_t back[512];
    for (int i = 0; i < 256; i++) {
        all[i] = (uint8_t)i;
    }
    cr_assert_eq(write(to_stdin, all, sizeof(all)), 256);
    loop_poll(loop);
    cr_assert_eq(fe.got_len, 256, "Ctrl-A is no key on a pipe");
    cr_assert_arr_eq(fe.got, all, 256);
    cr_assert_eq(chardev_write(console, all, 256), 256);
    chardev_flush(console);
    cr_assert_eq(read(from_stdout, back, sizeof(back)), 256);
    cr_assert_arr_eq(back, all, 256);
}

Test(console, descriptors_we_share_stay_blocking)
{
    open_pipes();
    cr_assert_not(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK);
    cr_assert_not(fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK);
}

Test(console, the_end_of_input_ends_input_only)
{
    open_pipes();
    cr_assert_eq(write(to_stdin, "last", 4), 4);
    close(to_stdin);
    for (int i = 0; i < 3; i++) {
        loop_poll(loop);
    }
    cr_assert_eq(fe.got_len, 4);
    put("still\n");
    char text[16];
    cr_assert_eq(read(from_stdout, text, sizeof(text)), 6);
}

Test(console, input_before_a_front_end_waits_for_it)
{
    open_pipes();
    chardev_attach(console, NULL);
    cr_assert_eq(write(to_stdin, "early", 5), 5);
    loop_poll(loop);
    loop_poll(loop);
    chardev_attach(console, &fe.ops);
    loop_poll(loop);
    cr_assert_eq(fe.got_len, 5);
}

#define PASTE (1 << 20)

static uint8_t paste_byte(size_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}

static void *write_paste(void *opaque)
{
    (void)opaque;
    static uint8_t paste[PASTE];
    for (size_t i = 0; i < PASTE; i++) {
        paste[i] = paste_byte(i);
    }
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
        fake_frontend_drain(&fe);
        chardev_accept_input(console);
    }
    return NULL;
}

Test(console, a_paste_of_1_mib_into_a_fifo_of_16_loses_nothing)
{
    open_pipes();
    cr_assert_eq(fcntl(to_stdin, F_SETFL, 0), 0);
    fe.fifo = 16;
    pthread_t writer, guest;
    cr_assert_eq(pthread_create(&writer, NULL, write_paste, NULL), 0);
    cr_assert_eq(pthread_create(&guest, NULL, read_as_guest, NULL), 0);
    fake_frontend_run_until(&fe, loop, PASTE);
    atomic_store(&guest_done, true);
    pthread_join(guest, NULL);
    pthread_join(writer, NULL);
    for (size_t i = 0; i < PASTE; i++) {
        cr_assert(fe.got[i] == paste_byte(i), "byte %zu", i);
    }
}

Test(console, a_guest_that_does_not_read_leaves_the_paste_in_the_pipe)
{
    open_pipes();
    fe.fifo = 0;
    char block[4096] = {0};
    ssize_t total = 0;
    for (int i = 0; i < 200; i++) {
        ssize_t n = write(to_stdin, block, sizeof(block));
        total += n > 0 ? n : 0;
        loop_poll(loop);
    }
    cr_assert(total < 100 * 4096, "a pipe and the read-ahead hold less: %zd", total);
    fe.fifo = SIZE_MAX;
    chardev_accept_input(console);
    for (int i = 0; i < 200; i++) {
        loop_poll(loop);
    }
    cr_assert_eq(fe.got_len, (size_t)total);
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

Test(console, a_slow_reader_is_waited_for_and_loses_nothing)
{
    open_pipes();
    static uint8_t text[400000], back[400000];
    size_t sent = 0;
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = paste_byte(i);
    }
    while (true) { /* until pipe and buffer are full */
        size_t n = chardev_write(console, text + sent, 1000);
        sent += n;
        if (n < 1000) {
            break;
        }
    }
    cr_assert_eq(chardev_write(console, text, 10), 0, "full");
    loop_poll(loop);
    cr_assert_eq(fe.writable_calls, 0);
    size_t got = drain_stdout(back, 8192);
    loop_poll(loop); /* EPOLLOUT */
    loop_poll(loop);
    cr_assert(fe.writable_calls > 0);
    sent += chardev_write(console, text + sent, 100);
    while (got < sent) {
        size_t n = drain_stdout(back + got, sizeof(back) - got);
        got += n;
        chardev_flush(console);
        loop_poll(loop);
    }
    cr_assert_eq(got, sent);
    cr_assert_arr_eq(back, text, sent);
}

Test(console, free_waits_for_a_reader_that_is_only_slow)
{
    open_pipes();
    static uint8_t text[200000], back[200000];
    size_t sent = 0;
    while (chardev_write(console, text + sent, 1) == 1) {
        sent++;
    }
    size_t early = drain_stdout(back, sizeof(back));
    cr_assert(early < sent);
    chardev_free(console);
    console = NULL;
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
        cr_assert_eq(put("goes nowhere\n"), 13);
        if (i % 100 == 0) {
            loop_poll(loop);
        }
    }
    loop_poll(loop);
    cr_assert_eq(warnings(), 1);
}

Test(console, a_broken_pipe_costs_one_warning)
{
    from_stderr = pipe_as(STDERR_FILENO, O_NONBLOCK);
    open_pipes();
    close(from_stdout);
    check_output_is_dropped_with_one_warning();
}

Test(console, a_pipe_that_breaks_while_full_frees_the_guest)
{
    from_stderr = pipe_as(STDERR_FILENO, O_NONBLOCK);
    open_pipes();
    while (put("x") == 1) {
    }
    loop_poll(loop);
    close(from_stdout);
    loop_poll(loop);
    loop_poll(loop);
    cr_assert(fe.writable_calls > 0);
    check_output_is_dropped_with_one_warning();
}

Test(console, closed_stdin_and_stdout_are_survived)
{
    from_stderr = pipe_as(STDERR_FILENO, O_NONBLOCK);
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    chardev_reserve_stdio();
    cr_assert(open("/dev/null", O_RDWR) > STDERR_FILENO, "their numbers are taken");
    open_console("stdio", NULL);
    loop_poll(loop);
    loop_poll(loop);
    cr_assert_eq(fe.got_len, 0);
    check_output_is_dropped_with_one_warning();
}

Test(console, a_full_disk_costs_one_warning)
{
    from_stderr = pipe_as(STDERR_FILENO, O_NONBLOCK);
    int full = open("/dev/full", O_WRONLY);
    cr_assert(full >= 0 && dup2(full, STDOUT_FILENO) >= 0);
    open_console("stdio", NULL);
    check_output_is_dropped_with_one_warning();
}

/* --- stdin that epoll refuses ----------------------------------------- */

static void stdin_from(const char *path)
{
    int fd = open(path, O_RDONLY);
    cr_assert(fd >= 0 && dup2(fd, STDIN_FILENO) >= 0);
    close(fd);
}

Test(console, a_regular_file_is_read_as_there_is_room)
{
    int fd = open(in_dir("", "in"), O_WRONLY | O_CREAT, 0600);
    uint8_t text[10000];
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = paste_byte(i);
    }
    cr_assert_eq(write(fd, text, sizeof(text)), (ssize_t)sizeof(text));
    close(fd);
    stdin_from(in_dir("", "in"));
    fe.fifo = 100;
    open_console("stdio", NULL);
    for (int i = 0; i < 10; i++) {
        loop_poll(loop);
    }
    cr_assert_eq(fe.got_len, 100);
    while (fe.got_len < sizeof(text)) {
        fake_frontend_drain(&fe);
        chardev_accept_input(console);
        loop_poll(loop);
    }
    cr_assert_arr_eq(fe.got, text, sizeof(text));
    fake_frontend_drain(&fe);
    chardev_accept_input(console);
    loop_poll(loop);
    loop_poll(loop);
    cr_assert_eq(fe.got_len, sizeof(text));
}

Test(console, dev_null_is_an_empty_input)
{
    stdin_from("/dev/null");
    open_console("stdio", NULL);
    loop_poll(loop);
    loop_poll(loop);
    cr_assert_eq(fe.got_len, 0);
}

Test(console, an_endless_input_does_not_hold_the_loop)
{
    stdin_from("/dev/zero");
    fe.fifo = 100000;
    open_console("stdio", NULL);
    for (int i = 0; i < 100; i++) {
        loop_poll(loop);
    }
    cr_assert_eq(fe.got_len, 100000);
}
