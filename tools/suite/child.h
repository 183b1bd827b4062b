/*
 * One vmm process of a boot: in a process group and an empty folder of its own,
 * standard output and error in pipes, and gone when vmm-test is.
 *
 * What may take long (copying disks) is done in the child before it becomes
 * vmm, so that other boots are not held up; a pipe that exec closes tells when
 * that is done, or what went wrong.
 */
#ifndef SUITE_CHILD_H
#define SUITE_CHILD_H

#include "tools/suite/suite.h"

#include <signal.h>
#include <sys/types.h>

/* What is to be started. All borrowed; used only during child_start(). */
struct plan {
    char *const *argv;        /* argv[0] is vmm: a path, or a name to look up in PATH */
    const char *folder;       /* exists; disks are made in it, as disk0, disk1, ... */
    const struct list *disks; /* struct disk; or NULL */
    enum input_kind input;
    const char *input_text;
    size_t input_length;
    const sigset_t *signals; /* mask of signals that vmm begins with */
};

struct child {
    pid_t pid; /* and that of its group */
    int start; /* -1 when closed, and so for the others */
    int console;
    int messages;
};

/* 0, or a negative errno and a message. */
int child_start(struct child *c, const struct plan *plan, struct err *e);

/* Send a signal to the whole group. Only before child_end(). */
void child_signal(const struct child *c, int number);

/* Whether the process has ended. It stays a zombie, and its id its own, until child_end(). */
bool child_has_ended(const struct child *c);

/* It has ended, or is about to: reap, close; the wait status. */
int child_end(struct child *c);

#endif
