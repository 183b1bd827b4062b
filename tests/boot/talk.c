/*
 * talk: a person at the other end of a console, for tests.
 *
 *   talk STEP... -- COMMAND ARG...    run COMMAND on a pseudo-terminal of its own,
 *                                     but standard error
 *   talk --tty PATH STEP...           open a terminal
 *   talk --unix PATH STEP...          connect to a socket
 *
 * Steps:
 *   expect:TEXT   read until TEXT has come
 *   send:TEXT     write TEXT
 *   sum:N         write N bytes at full speed, then expect their checksum, as guest echo
 *                 prints it
 *   echo:N        write N bytes at full speed and expect every one of them back
 *   raw           the terminal is in raw mode now
 *   kill:NUMBER   send COMMAND a signal
 *
 * What comes in goes to standard output. With a COMMAND the exit status is
 * COMMAND's (128 + n for signal n), and the terminal must be as it was before.
 * Status 99 and a message: a step failed. No step has a time limit: `limit` ends a COMMAND that
 * goes on for ever, and with it the console that a step waits for.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define STATUS_FAILED 99

static int line = -1;     /* the console */
static int terminal = -1; /* COMMAND's side of the pseudo-terminal, kept open to look at it */
static pid_t child;
static volatile sig_atomic_t child_ended;
static const char *step = "start"; /* for messages */

/* What has come in and no step has looked at yet. */
static char input[1 << 16];
static size_t input_len;

static _Noreturn void fail(const char *why)
{
    fflush(stdout);
    fprintf(stderr, "talk: %s: %s\n", step, why);
    if (child > 0) {
        kill(child, SIGKILL);
    }
    exit(STATUS_FAILED);
}

static _Noreturn void fail_errno(const char *what)
{
    char why[256];
    snprintf(why, sizeof(why), "%s: %s", what, strerror(errno));
    fail(why);
}

static size_t number(const char *text)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    if (end == text || *end != '\0') {
        fail("wants a number");
    }
    return n;
}

static void on_child(int signal_number)
{
    (void)signal_number;
    child_ended = 1;
}

/* SIGCHLD comes only inside wait_until_ready(). */
static void handle_signals(void)
{
    sigset_t chld;
    signal(SIGCHLD, on_child);
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    sigprocmask(SIG_BLOCK, &chld, NULL);
}

/* --- input ------------------------------------------------------------------ */

/* Take what is there into input and show it; false at the end. */
static bool receive(void)
{
    if (input_len == sizeof(input)) { /* keep what a TEXT could still begin in */
        memmove(input, input + sizeof(input) / 2, sizeof(input) / 2);
        input_len = sizeof(input) / 2;
    }
    ssize_t n = read(line, input + input_len, sizeof(input) - input_len);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (n <= 0) { /* EIO: the other side of the terminal was closed */
        return false;
    }
    fwrite(input + input_len, 1, (size_t)n, stdout);
    input_len += (size_t)n;
    return true;
}

/* Wait for one of events on the console. false: COMMAND has ended and there is none. */
static bool wait_until_ready(short events)
{
    struct pollfd p = {.fd = line, .events = events};
    const struct timespec now = {0, 0};
    sigset_t none;
    sigemptyset(&none);
    int ready = ppoll(&p, 1, child_ended ? &now : NULL, &none);
    if (ready < 0 && errno != EINTR) {
        fail_errno("poll");
    }
    return ready != 0;
}

static void expect(const char *text)
{
    const size_t len = strlen(text);
    for (;;) {
        char *found = memmem(input, input_len, text, len);
        if (found != NULL) {
            input_len -= (size_t)(found + len - input);
            memmove(input, found + len, input_len);
            return;
        }
        if (!wait_until_ready(POLLIN) || !receive()) {
            fail("the console closed before that came");
        }
    }
}

/* --- output ----------------------------------------------------------------- */

/* Write as much as goes; 0 if nothing does now. */
static size_t transmit(const char *text, size_t len)
{
    ssize_t n = write(line, text, len);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        fail_errno("write");
    }
    return n < 0 ? 0 : (size_t)n;
}

static void send_bytes(const char *text, size_t len)
{
    while (len > 0) {
        if (!wait_until_ready(POLLOUT)) {
            fail("the command ended before all was sent");
        }
        size_t n = transmit(text, len);
        text += n;
        len -= n;
    }
}

static char *paste_text(size_t len)
{
    char *text = malloc(len);
    uint32_t x = 1;
    if (text == NULL) {
        fail("out of memory");
    }
    for (size_t i = 0; i < len; i++) {
        x = x * 1664525 + 1013904223;
        text[i] = (char)(' ' + (x >> 16) % 95);
    }
    return text;
}

static void send_text(const char *text)
{
    send_bytes(text, strlen(text));
}

static void paste_and_expect_sum(const char *bytes)
{
    const size_t len = number(bytes);
    char *text = paste_text(len);
    char answer[32];
    uint32_t sum = 0;
    for (size_t i = 0; i < len; i++) {
        sum = sum * 31 + (uint8_t)text[i];
    }
    send_bytes(text, len);
    free(text);
    snprintf(answer, sizeof(answer), "sum %08x", sum);
    expect(answer);
}

/* Sends and receives at the same time, or both sides could wait for room. */
static void paste_and_expect_echo(const char *bytes)
{
    const size_t len = number(bytes);
    char *text = paste_text(len);
    size_t sent = 0, checked = 0;
    while (checked < len) {
        const bool open = wait_until_ready(sent < len ? POLLIN | POLLOUT : POLLIN);
        sent += sent < len ? transmit(text + sent, len - sent) : 0;
        if (!open || !receive()) {
            fail("the console closed before all came back");
        }
        size_t n = input_len < len - checked ? input_len : len - checked;
        if (memcmp(input, text + checked, n) != 0) {
            fail("something else came back");
        }
        checked += n;
        input_len -= n;
        memmove(input, input + n, input_len);
    }
    free(text);
}

/* --- the terminal ------------------------------------------------------------- */

static struct termios terminal_state(void)
{
    struct termios t;
    memset(&t, 0, sizeof(t));
    if (tcgetattr(terminal, &t) < 0) {
        fail_errno("tcgetattr");
    }
    return t;
}

static void check_raw(const char *nothing)
{
    (void)nothing;
    struct termios t = terminal_state();
    if (t.c_lflag & (ICANON | ECHO | ISIG)) {
        fail("the terminal is not in raw mode");
    }
}

static void check_restored(const struct termios *before)
{
    struct termios after = terminal_state();
    if (memcmp(&after, before, sizeof(after)) != 0) {
        fail("the terminal was not restored");
    }
}

static void kill_command(const char *signal_number)
{
    kill(child, (int)number(signal_number));
}

static _Noreturn void run_command(char **argv)
{
    static const int reset[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE}; /* nohup ignores the first */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (size_t i = 0; i < sizeof(reset) / sizeof(reset[0]); i++) {
        signal(reset[i], SIG_DFL);
    }
    setsid();
    ioctl(terminal, TIOCSCTTY, 0);
    dup2(terminal, STDIN_FILENO);
    dup2(terminal, STDOUT_FILENO);
    execvp(argv[0], argv);
    perror(argv[0]);
    _exit(127);
}

/* Starts COMMAND; returns the terminal's state before. */
static struct termios start_command(char **argv)
{
    line = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (line < 0 || grantpt(line) < 0 || unlockpt(line) < 0) {
        fail_errno("pseudo-terminal");
    }
    fcntl(line, F_SETFL, O_NONBLOCK);
    terminal = open(ptsname(line), O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0) {
        fail_errno("pseudo-terminal");
    }
    const struct termios before = terminal_state();
    child = fork();
    if (child < 0) {
        fail_errno("fork");
    }
    if (child == 0) {
        run_command(argv);
    }
    return before;
}

/* Reads on until the command has ended; returns its status. */
static int finish_command(void)
{
    int status;
    step = "end";
    while (wait_until_ready(POLLIN)) {
        receive();
    }
    if (waitpid(child, &status, 0) < 0) {
        fail_errno("waitpid");
    }
    child = 0;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* --- steps ---------------------------------------------------------------------- */

static void do_step(const char *text)
{
    static const struct {
        const char *name;
        void (*run)(const char *argument);
    } steps[] = {
        {"expect:", expect}, {"send:", send_text},    {"sum:", paste_and_expect_sum},
        {"raw", check_raw},  {"kill:", kill_command}, {"echo:", paste_and_expect_echo},
    };
    step = text;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        const size_t len = strlen(steps[i].name);
        if (strncmp(text, steps[i].name, len) == 0) {
            steps[i].run(text + len);
            return;
        }
    }
    fail("no such step");
}

static int talk_to_command(char **argv)
{
    char **command = argv;
    while (*command != NULL && strcmp(*command, "--") != 0) {
        command++;
    }
    if (*command == NULL || command[1] == NULL) {
        fail("no command");
    }
    *command++ = NULL;
    const struct termios before = start_command(command);
    for (; *argv != NULL; argv++) {
        do_step(*argv);
    }
    int status = finish_command();
    check_restored(&before);
    return status;
}

static void open_terminal(const char *path)
{
    line = terminal = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (line < 0) {
        fail_errno(path);
    }
    struct termios t = terminal_state();
    cfmakeraw(&t);
    tcsetattr(terminal, TCSANOW, &t);
}

static void open_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    line = socket(AF_UNIX, SOCK_STREAM, 0);
    if (line < 0 || connect(line, (struct sockaddr *)&address, sizeof(address)) < 0) {
        fail_errno(path);
    }
    fcntl(line, F_SETFL, O_NONBLOCK);
}

int main(int argc, char **argv)
{
    handle_signals();
    if (argc > 2 && strcmp(argv[1], "--tty") == 0) {
        open_terminal(argv[2]);
    } else if (argc > 2 && strcmp(argv[1], "--unix") == 0) {
        open_socket(argv[2]);
    } else {
        return talk_to_command(argv + 1);
    }
    for (argv += 3; *argv != NULL; argv++) {
        do_step(*argv);
    }
    return 0;
}
