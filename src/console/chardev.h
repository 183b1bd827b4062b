/*
 * Character back ends: where a UART's bytes go to and come from. stdio, null,
 * file, pty, unix socket behind one interface, with the Ctrl-A escapes on
 * stdio.
 *
 * Input: at most 4 KiB are read ahead, so that the Ctrl-A keys work while the
 * guest does not read; beyond that a paste waits in the kernel until the front
 * end has room, and nothing is lost. The end of input ends input only.
 *
 * Output is buffered (4 KiB) and written when a line ends, when the buffer is
 * half full, or 20 ms of machine time after the first byte; who pauses the clock
 * calls chardev_flush(). When the reader is slow, chardev_write() takes less
 * than it was given and the front end is told (writable) once there is room.
 * Output that nobody can take any more (a closed pipe, no client, a full disk)
 * is dropped and the guest goes on.
 *
 * Ctrl-A keys are looked for only if stdin is a terminal, so that a pipe into
 * stdin carries every byte as it is.
 *
 * Locking: chardev_write, chardev_accept_input and chardev_flush from any thread
 * (internal lock). The rest is for the loop's thread, or while it does not run.
 * Front-end callbacks run on the loop's thread with no lock held.
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
 * (hint: the nearest). A terminal on stdin is put into raw mode here and
 * restored by chardev_free(), at exit, and on a fatal signal. escape is copied;
 * it is used by stdio only; NULL: Ctrl-A is an ordinary byte. Opening "pty"
 * prints the name of the other end on stderr. "unix:" listens and serves one
 * client at a time, others wait; a socket file that nobody listens on is
 * replaced, any other file is not. All but null ignore SIGPIPE for the process. NULL with e
 * set on failure.
 */
struct chardev *chardev_open(const char *spec, struct loop *loop,
                             const struct chardev_escape *escape, struct err *e);

/* Flush what can be written without waiting for ever (at most 1 s in all), restore the terminal,
 * free. NULL is allowed. */
void chardev_free(struct chardev *c);

/* frontend is borrowed until another is attached; NULL detaches. */
void chardev_attach(struct chardev *c, const struct chardev_frontend *frontend);

/* Take up to len bytes for output; returns how many were taken (0: full). Does not wait. */
size_t chardev_write(struct chardev *c, const uint8_t *data, size_t len);

/* The front end has room again: resume its input. Cheap when none waits. */
void chardev_accept_input(struct chardev *c);

/* Write out what is buffered now, as far as the reader takes it. */
void chardev_flush(struct chardev *c);

/* Restore the terminal at once; async-signal-safe. Done on fatal signals by itself. */
void chardev_restore_terminal(void);

#endif
