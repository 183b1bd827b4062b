/*
 * Raw mode of the terminal on stdin: see terminal.h.
 */
#include "src/console/terminal.h"

#include "src/base/log.h"
#include "src/console/chardev.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved, raw; /* written before `wanted` is set, constant after */
static _Atomic bool wanted;       /* from terminal_make_raw() to chardev_restore_terminal() */
static _Atomic bool is_raw;       /* false also while stopped or in the background */

/* May this process set the terminal's mode without being stopped for it? */
static bool in_foreground(void)
{
    pid_t group = tcgetpgrp(STDIN_FILENO);
    return group < 0 /* not our controlling terminal: no job control */ || group == getpgrp();
}

static void enter_raw(void)
{
    if (atomic_load(&wanted) && in_foreground() && tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0) {
        atomic_store(&is_raw, true);
        log_set_raw_terminal(true);
    }
}

static void leave_raw(void)
{
    if (atomic_exchange(&is_raw, false)) {
        log_set_raw_terminal(false);
        if (in_foreground()) {
            tcsetattr(STDIN_FILENO, TCSANOW, &saved);
        }
    }
}

void chardev_restore_terminal(void)
{
    atomic_store(&wanted, false);
    leave_raw();
}

/* --- signals ---------------------------------------------------------- */

/* The default action, already reinstalled (SA_RESETHAND), follows when this returns. */
static void on_fatal(int sig)
{
    int error = errno;
    chardev_restore_terminal();
    raise(sig);
    errno = error;
}

static void on_stop(int sig)
{
    (void)sig;
    int error = errno;
    leave_raw();
    kill(getpid(), SIGSTOP);
    errno = error;
}

static void on_continue(int sig)
{
    (void)sig;
    int error = errno;
    enter_raw(); /* a shell has changed the terminal's mode meanwhile */
    errno = error;
}

/* Handle sig unless somebody already handles or ignores it. */
static void handle(int sig, void (*handler)(int), int flags)
{
    struct sigaction old;
    if (sigaction(sig, NULL, &old) == 0 && (old.sa_flags & SA_SIGINFO) == 0 &&
        old.sa_handler == SIG_DFL) {
        struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
        sigaction(sig, &action, NULL);
    }
}

static void handle_signals(void)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE,  SIGILL,
                                SIGTERM, SIGHUP, SIGINT,  SIGQUIT, SIGSYS};
    for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
        handle(fatal[i], on_fatal, (int)SA_RESETHAND);
    }
    handle(SIGTSTP, on_stop, SA_RESTART);
    handle(SIGCONT, on_continue, SA_RESTART);
}

int terminal_make_raw(struct err *e)
{
    if (tcgetattr(STDIN_FILENO, &saved) < 0) {
        return err_set(e, errno, "cannot read the terminal's mode, %s", strerror(errno));
    }
    raw = saved;
    cfmakeraw(&raw);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    static bool once;
    if (!once) {
        once = true;
        atexit(chardev_restore_terminal);
        handle_signals();
    }
    atomic_store(&wanted, true);
    enter_raw();
    return 0;
}
