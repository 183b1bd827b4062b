/*
 * Character back ends: where a UART's bytes go to and come from. stdio, null,
 * file, pty, unix socket behind one interface, with the Ctrl-A escapes on
 * stdio.
 *
 * Input is pulled: a back end reads from its descriptor only while the front
 * end has room, so a paste at full speed waits in the kernel and nothing is
 * lost. Output is buffered (4 KiB) and written when a line ends, when the
 * buffer is half full, or a few milliseconds after the first byte; when the
 * reader is slow, chardev_write() takes less than it was given and the front
 * end is told (writable) once there is room.
 *
 * Locking: chardev_write from any thread (internal lock). Front-end callbacks run
 * on the loop's thread with no lock held.
 */
#ifndef CONSOLE_CHARDEV_H
#define CONSOLE_CHARDEV_H

#include "src/base/err.h"
#include "src/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chardev;

/* The device's side. */
struct chardev_frontend {
    /* How many bytes can be taken now. */
    size_t (*can_receive)(void *opaque);
    /* At most as many bytes as can_receive said. */
    void (*receive)(void *opaque, const uint8_t *data, size_t len);
    /* Room for output again, after a short chardev_write(). May be NULL. */
    void (*writable)(void *opaque);
    void *opaque;
};

/* What Ctrl-A keys ask for; the machine decides. Called on the loop's thread. */
struct chardev_escape {
    void (*quit)(void *opaque);    /* Ctrl-A x */
    void (*monitor)(void *opaque); /* Ctrl-A c; NULL: no monitor, says so */
    void *opaque;
};

/*
 * spec: stdio | null | file:PATH | pty | unix:PATH. -EINVAL for anything else
 * (hint: the nearest). The terminal is put into raw mode here and restored by
 * chardev_free(), at exit, and on a fatal signal. escape is copied; it is used by stdio only.
 * Opening "pty" prints the name of the other end on stderr. "unix:" listens; one client at a time.
 */
struct chardev *chardev_open(const char *spec, struct loop *loop,
                             const struct chardev_escape *escape, struct err *e);

/* Flush what can be written without waiting for ever (at most 1 s in all), restore the terminal,
 * free. */
void chardev_free(struct chardev *c);

/* NULL frontend detaches. */
void chardev_attach(struct chardev *c, const struct chardev_frontend *frontend);

/* Take up to len bytes for output; returns how many were taken (0: full). Never blocks for long. */
size_t chardev_write(struct chardev *c, const uint8_t *data, size_t len);

/* The front end has room again: resume reading input. Any thread. */
void chardev_accept_input(struct chardev *c);

/* Write out what is buffered now, as far as the reader takes it. Any thread. */
void chardev_flush(struct chardev *c);

/* Restore the terminal at once; async-signal-safe. Installed for fatal signals by chardev_open().
 */
void chardev_restore_terminal(void);

#endif
