/*
 * A run for a person at a command line: signals, --timeout, the terminal, and why it
 * ended on stderr.
 *
 * Locking: main thread.
 */
#ifndef RUN_CLI_H
#define RUN_CLI_H

#include "src/machine.h"

/* Run the guest until it ends. Returns the exit status; messages are printed. */
int run_cli(struct machine *m);

#endif
