/*
 * The part that stdio, file, pty and unix have in common: a stream of bytes
 * over one descriptor for input and one for output, with read-ahead, output
 * buffering and flow control as chardev.h promises.
 *
 * Locking: `lock` covers the output side (from "output" on). The input side
 * belongs to the loop's thread; `stalled` is its one mark for other threads.
 */
#ifndef CONSOLE_STREAM_H
#define CONSOLE_STREAM_H

#include "src/console/backend.h"

#include <pthread.h>
#include <stdatomic.h>

#define STREAM_BUFFER 4096 /* no more than PIPE_BUF: see write_some() */

struct stream;

/* What a kind does its own way. Any may be NULL. On the loop's thread if not said otherwise. */
struct stream_hooks {
    /* Take the kind's keys out of data, in place; returns how many bytes stay. */
    size_t (*filter)(struct stream *s, uint8_t *data, size_t len);
    /* read() failed or found the end. NULL: there is no more input. */
    void (*input_ended)(struct stream *s);
    /* write() failed for good, output was dropped. NULL: one warning, then silence. */
    void (*output_failed)(struct stream *s);
    /* Any thread, lock held: is nobody there to read, so that output is to be dropped? */
    bool (*absent)(struct stream *s);
    /* Give back what the kind holds, apart from the stream; it is not watched any more. */
    void (*release)(struct stream *s);
};

struct stream {
    struct chardev chardev;
    const struct stream_hooks *hooks;
    const char *name; /* for messages */
    struct loop *loop;
    const struct chardev_frontend *frontend;

    /* input */
    struct loop_fd in_watch; /* fd -1: no input (any more) */
    uint32_t in_events;      /* what to watch for: EPOLLIN, and EPOLLET where a level would spin */
    bool in_unwatchable;     /* epoll refuses it (a regular file): it is always ready */
    struct bh in_bh;
    size_t in_first, in_len; /* in[]: what was read and not delivered */
    _Atomic bool stalled;    /* input waits for room in the front end */
    uint8_t in[STREAM_BUFFER];

    /* output */
    pthread_mutex_t lock;
    struct loop_fd out_watch; /* fd -1: nobody there, output is dropped */
    struct bh out_bh;         /* brings news from write_some() to the loop's thread */
    struct timer flush_timer;
    bool blocked;     /* the reader is slow: wait for EPOLLOUT */
    bool starved;     /* a front end was cut short: tell it of room */
    int out_error;    /* errno of a failed write; output is dropped. 0: none */
    bool told_failed; /* the hook or the user knows of out_error */
    size_t out_len;
    uint8_t out[STREAM_BUFFER];
};

/*
 * Begin a zeroed stream without descriptors. name is borrowed. stream_ops are
 * its chardev's; free releases the memory with free().
 */
void stream_init(struct stream *s, const char *name, const struct stream_hooks *hooks,
                 struct loop *loop);

/*
 * Give it its input (-1: none), owned by the stream. events: EPOLLIN, with
 * EPOLLET where a hang-up would otherwise be reported for ever.
 */
void stream_set_input(struct stream *s, int fd, uint32_t events);
/* Give it its output, owned by the stream; -1: nobody there. Forgets an earlier error. */
void stream_set_output(struct stream *s, int fd);

/*
 * A descriptor of our own for fd: for a terminal or pipe a new open file, so that
 * O_NONBLOCK does not reach the processes we share fd with; else a duplicate.
 * flags: O_RDONLY or O_WRONLY. -1 with errno set.
 */
int stream_private_fd(int fd, int flags);

#endif
