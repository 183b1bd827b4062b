/*
 * The terminal on stdin: raw mode, and the ways back from it.
 *
 * Raw mode ends on chardev_restore_terminal(), at exit, on signals that end the
 * process (where nobody else handles them), and while it is stopped. A process
 * in the background leaves the terminal alone until it is continued in front.
 *
 * Locking: the state is atomic and the functions are async-signal-safe, apart
 * from terminal_make_raw(), which set-up calls once.
 */
#ifndef CONSOLE_TERMINAL_H
#define CONSOLE_TERMINAL_H

#include "src/base/err.h"

/* Put the terminal on stdin into raw mode. -errno. */
int terminal_make_raw(struct err *e);

#endif
