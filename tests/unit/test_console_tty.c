/*
 * The console on terminals: raw mode and every way out of it, Ctrl-A keys, and
 * the pty console. A new pseudo-terminal plays the user's terminal; waiting is
 * for events, never for time.
 */
#include "src/console/chardev.h"
#include "tests/unit/fake_frontend.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static struct clock real;
static struct loop *loop;
static struct fake_frontend fe;
static struct chardev *console;
static int keyboard; /* the user's side of the terminal */

/* A pseudo-terminal; the name of its other end goes to name. */
static int new_terminal(char name[64])
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    cr_assert(fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0);
    cr_assert_eq(ptsname_r(fd, name, 64), 0);
    return fd;
}

/* stdin and stdout become a terminal with nothing special set. */
static void setup(void)
{
    char name[64];
    clock_init(&real);
    loop = loop_new(&real, NULL);
    cr_assert_not_null(loop);
    fake_frontend_init(&fe, SIZE_MAX);
    keyboard = new_terminal(name);
    int fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    cr_assert(fd >= 0);
    cr_assert(dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0);
    close(fd);
}

static void teardown(void)
{
    chardev_free(console);
    fake_frontend_free(&fe);
    loop_free(loop);
}

TestSuite(console_tty, .init = setup, .fini = teardown);

static bool terminal_is_raw(void)
{
    struct termios t;
    cr_assert_eq(tcgetattr(STDIN_FILENO, &t), 0);
    bool cooked = (t.c_lflag & (ICANON | ECHO | ISIG)) != 0 || (t.c_oflag & OPOST) != 0;
    bool raw = (t.c_lflag & (ICANON | ECHO | ISIG | IEXTEN)) == 0 && (t.c_iflag & ICRNL) == 0;
    cr_assert_neq(cooked, raw, "half way");
    return raw;
}

/* --- keys ------------------------------------------------------------- */

static unsigned quits, monitors;

static void on_quit(void *opaque)
{
    quits++;
    loop_stop(opaque);
}

static void on_monitor(void *opaque)
{
    monitors++;
    loop_stop(opaque);
}

static void open_stdio(bool with_monitor)
{
    struct err e = ERR_INIT;
    struct chardev_escape escape = {
        .quit = on_quit, .monitor = with_monitor ? on_monitor : NULL, .opaque = loop};
    console = chardev_open("stdio", loop, &escape, &e);
    cr_assert_not_null(console, "%s", e.what);
    chardev_attach(console, &fe.ops);
}

static void type(const char *keys, size_t len)
{
    cr_assert_eq(write(keyboard, keys, len), (ssize_t)len);
}

Test(console_tty, keys_reach_the_guest_as_they_are)
{
    open_stdio(true);
    cr_assert(terminal_is_raw());
    type("a\r\x03\x1a\x04\x11\x13\x7f\xff", 9);
    fake_frontend_run_until(&fe, loop, 9);
    cr_assert_arr_eq(fe.got, "a\r\x03\x1a\x04\x11\x13\x7f\xff", 9);
}

Test(console_tty, output_reaches_the_terminal_as_it_is)
{
    open_stdio(true);
    cr_assert_eq(chardev_write(console, (const uint8_t *)"a\r\nb\n", 5), 5);
    char text[16];
    cr_assert_eq(read(keyboard, text, sizeof(text)), 5);
    cr_assert_arr_eq(text, "a\r\nb\n", 5);
}

Test(console_tty, ctrl_a_x_quits_and_c_asks_for_the_monitor)
{
    open_stdio(true);
    type("1\x01"
         "c2\x01"
         "x3",
         7);
    loop_run(loop);
    while (quits == 0) {
        loop_run(loop);
    }
    cr_assert_eq(monitors, 1);
    fake_frontend_run_until(&fe, loop, 3);
    cr_assert_arr_eq(fe.got, "123", 3);
}

Test(console_tty, ctrl_a_ctrl_a_sends_one_and_other_keys_are_dropped)
{
    open_stdio(false);
    type("\x01\x01\x01zq", 5);
    fake_frontend_run_until(&fe, loop, 2);
    cr_assert_arr_eq(fe.got, "\x01q", 2);
}

Test(console_tty, a_key_may_come_in_two_reads)
{
    open_stdio(true);
    type("a\x01", 2);
    fake_frontend_run_until(&fe, loop, 1);
    type("x", 1);
    loop_run(loop);
    cr_assert_eq(quits, 1);
}

Test(console_tty, keys_work_while_the_guest_does_not_read)
{
    fe.fifo = 0;
    open_stdio(true);
    for (int i = 0; i < 100; i++) {
        type("hello?", 6);
    }
    type("\x01x", 2);
    loop_run(loop);
    cr_assert_eq(quits, 1);
    cr_assert_eq(fe.got_len, 0);
}

Test(console_tty, help_and_a_missing_monitor_answer_on_stderr)
{
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    cr_assert(dup2(fds[1], STDERR_FILENO) >= 0);
    open_stdio(false);
    type("\x01h\x01"
         "c.",
         5);
    fake_frontend_run_until(&fe, loop, 1);
    char text[1024];
    ssize_t n = read(fds[0], text, sizeof(text) - 1);
    cr_assert(n > 0);
    text[n] = '\0';
    cr_assert_not_null(strstr(text, "Ctrl-A x "));
    cr_assert_not_null(strstr(text, "no monitor"));
}

/* --- ways out of raw mode --------------------------------------------- */

Test(console_tty, free_restores_the_terminal)
{
    cr_assert_not(terminal_is_raw());
    open_stdio(true);
    cr_assert(terminal_is_raw());
    chardev_free(console);
    console = NULL;
    cr_assert_not(terminal_is_raw());
    open_stdio(true);
    cr_assert(terminal_is_raw(), "again");
}

/* Run fn in a child that has a raw terminal; returns how the child ended. */
static int in_child(void (*fn)(void))
{
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        open_stdio(true);
        fn();
        _exit(98);
    }
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static void leave_by_exit(void)
{
    exit(5);
}

Test(console_tty, exit_restores_the_terminal)
{
    int status = in_child(leave_by_exit);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 5, "%x", status);
    cr_assert_not(terminal_is_raw());
}

/* ThreadSanitizer runs signal handlers later and elsewhere: no test of them could tell anything. */
#ifndef __SANITIZE_THREAD__

static int signal_to_die_of;

static void die_of_signal(void)
{
    raise(signal_to_die_of);
}

Test(console_tty, fatal_signals_restore_the_terminal_and_still_kill)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTERM, SIGHUP, SIGINT, SIGQUIT};
    for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
        signal(fatal[i], SIG_DFL); /* a sanitizer may have taken it */
        signal_to_die_of = fatal[i];
        int status = in_child(die_of_signal);
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == fatal[i], "%d: %x", fatal[i], status);
        cr_assert_not(terminal_is_raw(), "signal %d", fatal[i]);
    }
}

static void die_of_abort(void)
{
    abort();
}

Test(console_tty, abort_restores_the_terminal)
{
    signal(SIGABRT, SIG_DFL);
    int status = in_child(die_of_abort);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%x", status);
    cr_assert_not(terminal_is_raw());
}

static void on_term(int sig)
{
    (void)sig;
}

Test(console_tty, signals_that_somebody_handles_are_left_alone)
{
    signal(SIGTERM, on_term);
    signal(SIGHUP, SIG_IGN);
    open_stdio(true);
    raise(SIGTERM);
    raise(SIGHUP);
    cr_assert(terminal_is_raw());
}

static int tell_parent;

/*
 * In a child, SIGTSTP blocked: say whether the terminal is raw, let a signal
 * come, and again. Dies with its parent.
 */
static void obey_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    open_stdio(true);
    while (true) {
        if (write(tell_parent, terminal_is_raw() ? "R" : "c", 1) != 1) {
            _exit(98);
        }
        ppoll(NULL, 0, NULL, &none);
    }
}

Test(console_tty, a_stopped_process_gives_the_terminal_back_until_it_goes_on)
{
    int fds[2];
    char said;
    sigset_t stop;
    cr_assert_eq(pipe(fds), 0);
    tell_parent = fds[1];
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        obey_signals();
    }
    cr_assert_eq(read(fds[0], &said, 1), 1);
    cr_assert_eq(said, 'R');
    for (int i = 0; i < 2; i++) {
        int status;
        kill(pid, SIGTSTP);
        cr_assert_eq(waitpid(pid, &status, WUNTRACED), pid);
        cr_assert(WIFSTOPPED(status), "%x", status);
        cr_assert_not(terminal_is_raw());
        kill(pid, SIGCONT);
        cr_assert_eq(read(fds[0], &said, 1), 1);
        cr_assert_eq(said, 'R');
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

#endif /* __SANITIZE_THREAD__ */

/* --- pty -------------------------------------------------------------- */

static int from_stderr;
static char other_end[64]; /* its path, as printed */

static void open_pty(void)
{
    int fds[2];
    struct err e = ERR_INIT;
    cr_assert_eq(pipe(fds), 0);
    cr_assert(dup2(fds[1], STDERR_FILENO) >= 0);
    from_stderr = fds[0];
    console = chardev_open("pty", loop, NULL, &e);
    cr_assert_not_null(console, "%s", e.what);
    chardev_attach(console, &fe.ops);
    char text[256] = "";
    cr_assert(read(from_stderr, text, sizeof(text) - 1) > 0);
    cr_assert_eq(sscanf(text, "vmm: console is on %63s\n", other_end), 1, "%s", text);
}

static int open_other_end(void)
{
    int fd = open(other_end, O_RDWR | O_NOCTTY | O_CLOEXEC);
    cr_assert(fd >= 0, "%s", other_end);
    return fd;
}

/* How many turns the loop makes while nothing happens for 10 ms. A turn asks for the time. */
static unsigned turns;
static uint64_t (*real_ns)(void *opaque);

static uint64_t counting_ns(void *opaque)
{
    turns++;
    return real_ns(opaque);
}

static void on_time(void *opaque)
{
    loop_stop(opaque);
}

static unsigned turns_when_idle(void)
{
    struct timer end;
    timer_init(&end, loop, on_time, loop);
    timer_arm(&end, clock_now(&real) + 10 * NS_PER_MS);
    real_ns = real.host_ns;
    real.host_ns = counting_ns;
    loop_run(loop);
    real.host_ns = real_ns;
    return turns;
}

Test(console_tty, pty_costs_nothing_while_nobody_is_there)
{
    open_pty();
    close(open_other_end());
    cr_assert(turns_when_idle() < 30, "%u", turns);
}

Test(console_tty, a_terminal_that_hung_up_costs_nothing)
{
    open_stdio(true);
    close(keyboard);
    cr_assert(turns_when_idle() < 30, "%u", turns);
}

static void put(const char *text)
{
    cr_assert_eq(chardev_write(console, (const uint8_t *)text, strlen(text)), strlen(text));
}

Test(console_tty, pty_carries_bytes_both_ways_without_echo)
{
    open_pty();
    int fd = open_other_end();
    put("hi\n");
    char text[16];
    cr_assert_eq(read(fd, text, sizeof(text)), 3);
    cr_assert_arr_eq(text, "hi\n", 3);
    cr_assert_eq(write(fd, "\x01x\r", 3), 3);
    fake_frontend_run_until(&fe, loop, 3);
    cr_assert_arr_eq(fe.got, "\x01x\r", 3);
    for (int i = 0; i < 3; i++) {
        loop_poll(loop);
    }
    cr_assert_eq(fe.got_len, 3, "output came back as input");
    close(fd);
}

Test(console_tty, pty_drops_output_while_nobody_is_there)
{
    open_pty();
    for (int i = 0; i < 20000; i++) {
        put("nobody reads this line\n");
    }
    loop_poll(loop);
    int fd = open_other_end();
    put("now\n");
    char text[16];
    cr_assert_eq(read(fd, text, sizeof(text)), 4);
    cr_assert_arr_eq(text, "now\n", 4);
    close(fd);
}

Test(console_tty, pty_readers_come_and_go)
{
    open_pty();
    for (size_t i = 1; i <= 3; i++) {
        int fd = open_other_end();
        cr_assert_eq(write(fd, "x", 1), 1);
        fake_frontend_run_until(&fe, loop, i);
        put("y\n");
        char text[16];
        cr_assert_eq(read(fd, text, sizeof(text)), 2);
        close(fd);
        loop_poll(loop);
        loop_poll(loop);
        put("dropped\n");
    }
    cr_assert_eq(fe.got_len, 3);
}

Test(console_tty, pty_reader_that_stops_reading_and_leaves_frees_the_guest)
{
    open_pty();
    int fd = open_other_end();
    const uint8_t line[] = "a line that nobody reads\n";
    while (chardev_write(console, line, sizeof(line)) == sizeof(line)) {
    }
    loop_poll(loop);
    close(fd);
    while (fe.writable_calls == 0) {
        loop_poll(loop);
    }
    cr_assert_eq(chardev_write(console, line, sizeof(line)), sizeof(line));
}
