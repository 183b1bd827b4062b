/*
 * A console in memory: output is kept for whoever asks, input is what was sent. For machines
 * of the library.
 *
 * Of output MEMORY_CONSOLE_MAX bytes are kept that nobody has forgotten; further output is lost,
 * counted and warned of once. A guest cannot make it larger.
 *
 * Locking: output has a lock of its own, which memory_console_watch's function is called under.
 * memory_console_send() and the rest are for the loop's thread, or while it does not run.
 */
#ifndef CONSOLE_MEMORY_H
#define CONSOLE_MEMORY_H

#include "src/console/chardev.h"

#define MEMORY_CONSOLE_MAX       (1UL << 20)
#define MEMORY_CONSOLE_INPUT_MAX (64UL << 10)

/* NULL with e set: out of memory. */
struct chardev *memory_open(struct loop *loop, struct err *e);

/* Output that was not forgotten; *len bytes and a NUL. Valid until the next output. */
const char *memory_console_text(struct chardev *chardev, size_t *len);
/* Forget the first n bytes of it. */
void memory_console_forget(struct chardev *chardev, size_t n);

/* Call fn with all that was not forgotten whenever there is more of it; NULL: nobody. On the
 * writer's thread. */
void memory_console_watch(struct chardev *chardev,
                          void (*fn)(void *opaque, const char *text, size_t len), void *opaque);

/* More input. 0, -ENOSPC: not all of it fits, nothing was taken; -ENOMEM. */
int memory_console_send(struct chardev *chardev, const void *data, size_t len);

#endif
