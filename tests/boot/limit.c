/*
 * limit: run a command that must not go on for ever, however busy the machine is.
 *
 *   limit SECONDS COMMAND [ARGUMENT]...
 *
 * COMMAND takes the place of this process, so signals, terminal and exit status are its own. It is
 * killed, and stderr says by which limit, when one of these has run out since its start.
 *
 * CPU time: SECONDS. Outside the lab it is that of COMMAND and of the children that it waited for.
 * In the lab it is that of the whole lab machine, which tools/lab writes to /run/lab/cpu: the
 * clocks in there go on while the host is busy with other work.
 *
 * The clock: ten times as long. It is the last resort, for a command that waits for what never
 * comes.
 *
 * A process apart watches COMMAND by a pidfd and ends with it. Locking: none.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LAB_CPU          "/run/lab/cpu"
#define LAST_RESORT      10 /* times SECONDS */
#define EXIT_CANNOT      125
#define EXIT_NOT_STARTED 127

static _Noreturn void cannot(const char *what)
{
    fprintf(stderr, "limit: error: %s: %s\n", what, strerror(errno));
    exit(EXIT_CANNOT);
}

/* Seconds since some moment. */
static double clock_seconds(clockid_t clock)
{
    struct timespec t = {0};
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What a file begins with, as a string; empty if it cannot be read. */
static void read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);
    text[n > 0 ? n : 0] = '\0';
    if (fd >= 0) {
        close(fd);
    }
}

/* The CPU time of a process, its threads and the children it has waited for, in seconds; 0 if it is
 * gone. */
static double process_seconds(pid_t pid)
{
    char path[32], text[1024];
    unsigned long ticks[4] = {0};
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    read_text(path, text, sizeof(text));
    const char *fields = strrchr(text, ')'); /* a name may have blanks */
    if (fields != NULL) {
        sscanf(fields, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu", &ticks[0],
               &ticks[1], &ticks[2], &ticks[3]);
    }
    return (double)(ticks[0] + ticks[1] + ticks[2] + ticks[3]) / (double)sysconf(_SC_CLK_TCK);
}

static double progress(pid_t pid)
{
    char text[32];
    if (access(LAB_CPU, R_OK) != 0) {
        return process_seconds(pid);
    }
    read_text(LAB_CPU, text, sizeof(text));
    return strtod(text, NULL);
}

static _Noreturn void end(pid_t pid, int pidfd, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "limit: error: ended %d: ", pid);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    _exit(0);
}

static _Noreturn void watch(pid_t pid, int pidfd, double limit)
{
    const double started = clock_seconds(CLOCK_MONOTONIC);
    const double began = progress(pid);
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};

    while (poll(&ended, 1, 1000) <= 0) {
        if (progress(pid) - began > limit) {
            end(pid, pidfd, "it has had its limit of %g s of %s", limit,
                access(LAB_CPU, R_OK) == 0 ? "the lab's CPU time" : "CPU time");
        }
        if (clock_seconds(CLOCK_MONOTONIC) - started > LAST_RESORT * limit) {
            end(pid, pidfd, "%g s have passed by the clock, ten times its limit",
                LAST_RESORT * limit);
        }
    }
    _exit(0);
}

/* The watcher must not keep open what belongs to the command, but for stderr. */
static void let_go(int pidfd)
{
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    if (dup2(pidfd, STDIN_FILENO) != STDIN_FILENO) {
        _exit(EXIT_CANNOT);
    }
    close_range(STDERR_FILENO + 1, ~0U, 0);
}

/* Start the watcher of this process. It is no child of it, which the command might count. */
static void start_watcher(double limit)
{
    const pid_t self = getpid();
    int pidfd = (int)syscall(SYS_pidfd_open, self, 0);
    if (pidfd < 0) {
        cannot("pidfd_open");
    }
    pid_t child = fork();
    if (child < 0) {
        cannot("fork");
    }
    if (child == 0) {
        if (fork() != 0) {
            _exit(0);
        }
        setsid(); /* a terminal's signals are the command's */
        let_go(pidfd);
        watch(self, STDIN_FILENO, limit);
    }
    close(pidfd);
    waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
    char *rest = NULL;
    const double limit = argc > 2 ? strtod(argv[1], &rest) : 0;
    if (argc <= 2 || *rest != '\0' || !(limit > 0)) {
        fprintf(stderr, "usage: limit SECONDS COMMAND [ARGUMENT]...\n");
        return 2;
    }
    start_watcher(limit);
    execvp(argv[2], argv + 2);
    fprintf(stderr, "limit: error: cannot run %s: %s\n", argv[2], strerror(errno));
    return EXIT_NOT_STARTED;
}
