/*
 * A console that is watched: when a line of what the guest writes contains a text, it is
 * told, with the write that completes it.
 *
 * Locking: the front end's writes come one at a time (a UART's lock); seen() is called
 * by them, on any thread.
 */
#ifndef CONSOLE_WATCH_H
#define CONSOLE_WATCH_H

#include "src/console/chardev.h"

/*
 * Put a watch around c, which belongs to it from now on (also on failure). text: not empty;
 * copied. seen is called each time. NULL with e set: out of memory.
 */
struct chardev *chardev_watch(struct chardev *c, const char *text, void (*seen)(void *opaque),
                              void *opaque, struct err *e);

#endif
