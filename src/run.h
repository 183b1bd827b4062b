/*
 * A machine on KVM: the accelerator's parts, and the run from the first
 * instruction to an exit status.
 *
 * Locking: set-up, run and tear-down on the main thread. Events and crashes
 * arrive from any thread; they are recorded under vm.lock, stop the vCPUs, and are
 * acted on by the main loop.
 */
#ifndef RUN_H
#define RUN_H

#include "src/base/err.h"
#include "src/machine.h"

/*
 * Open KVM, create the VM, its memory slots and interrupt controllers; point
 * m->env at them. Sets m->vm (also on failure, for vm_free()).
 */
int vm_new(struct machine *m, struct err *e);
void vm_free(struct machine *m);

/* Ctrl-A x: end the run with status 130. For struct chardev_escape. */
void vm_quit(void *machine);

#endif
