/*
 * A console that keeps only its last bytes, to show when a run went wrong.
 *
 * Locking: an own lock for what is kept, as writes come from any thread.
 */
#ifndef EXEC_TAIL_H
#define EXEC_TAIL_H

#include "src/console/backend.h"

#include <pthread.h>
#include <stdbool.h>

#define TAIL_SIZE 4096u

struct tail {
    struct chardev chardev; /* free() by chardev_free() */
    pthread_mutex_t lock;
    size_t total; /* bytes ever written */
    uint8_t bytes[TAIL_SIZE];
};

/* NULL with e set. */
struct tail *tail_new(struct err *e);

/* Is text in what is kept? */
bool tail_has(struct tail *t, const char *text);

/* The last lines, at most `lines`, to stderr, as "vmm: console: ...". */
void tail_print(struct tail *t, unsigned lines);

#endif
