/*
 * --exec: one program of the host run in the guest, with vmm's own stdin, stdout
 * and stderr as its own, and its exit status as vmm's (docs/exec.md).
 *
 * The session talks with the guest's init over a serial line (frame.h). The guest
 * is hostile: what it sends is checked, and nonsense ends the run with an error.
 *
 * Locking: exec_guest_ended() from any thread; the rest on the loop's thread, or
 * while it does not run.
 */
#ifndef EXEC_EXEC_H
#define EXEC_EXEC_H

#include "src/base/err.h"
#include "src/config.h"
#include "src/loop.h"

#include <stdbool.h>

struct aspace;
struct chardev;
struct exec;

/*
 * Pack the program and all it needs (pack.h) and prepare the session. line: the guest's name of its
 * end, "/dev/ttyS1". mem: guest memory. ended: everything has been carried over and this is vmm's
 * exit status; on the loop's thread, once. config is borrowed. NULL with e set.
 */
struct exec *exec_new(const struct config *config, const char *line, struct loop *loop,
                      struct aspace *mem, void (*ended)(void *opaque, int status), void *opaque,
                      struct err *e);
/* Its chardevs are not used any more. NULL is allowed. */
void exec_free(struct exec *x);

/* Path of the initramfs, which comes after those of the user. */
const char *exec_initrd(const struct exec *x);

/* What the second UART is wired to; exec's. */
struct chardev *exec_channel(struct exec *x);

/* A console for the kernel's log that is shown if the run goes wrong; the caller's, to free before
 * x. NULL with e set. */
struct chardev *exec_open_console(struct exec *x, struct err *e);

/* Pass a signal to the program. false: it does not run yet, or had its chance: end the run. */
bool exec_signal(struct exec *x, int signo);

/* Time is up: SIGTERM for the program. false: it does not run: end the run. */
bool exec_timeout(struct exec *x);

/* The guest powered off, reset, panicked or crashed. status: vmm's exit status if there is no
 * other. */
void exec_guest_ended(struct exec *x, int status);

/* After the run: say on stderr what went wrong with it, if something did. */
void exec_explain(struct exec *x);

#endif
