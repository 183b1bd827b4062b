/*
 * vmm's own standard streams, as ends of the guest program's: a sink writes what
 * the program wrote, a source reads what it is to read. Both are bounded by the
 * credit that the other side has.
 *
 * Locking: none; the loop's thread.
 */
#ifndef EXEC_STREAMS_H
#define EXEC_STREAMS_H

#include "src/exec/frame.h"
#include "src/exec/ring.h"
#include "src/loop.h"

/* --- output ---------------------------------------------------------------- */

struct sink {
    struct loop *loop;    /* NULL: not begun */
    struct loop_fd watch; /* fd -1: its reader is gone */
    int error;            /* errno of a write that failed; EPIPE is no failure */
    void (*changed)(void *opaque);
    void *opaque;
    struct ring ring;
    uint8_t bytes[STREAM_WINDOW];
};

/* On a descriptor like fd; changed is called when some was written, or never will be. */
void sink_init(struct sink *s, struct loop *loop, int fd, void (*changed)(void *opaque),
               void *opaque);
void sink_destroy(struct sink *s);

/* len bytes, within the credit that was granted. After sink_is_closed() they are dropped. */
void sink_put(struct sink *s, const uint8_t *data, size_t len);

static inline bool sink_is_empty(const struct sink *s)
{
    return s->ring.count == 0;
}

static inline bool sink_is_closed(const struct sink *s)
{
    return s->watch.fd < 0;
}

/* --- input ------------------------------------------------------------------ */

struct source {
    struct loop *loop;    /* NULL: not begun */
    struct loop_fd watch; /* fd -1: there is no more */
    struct bh again;      /* reads on what epoll does not watch */
    /* How many bytes can be taken now. */
    size_t (*room)(void *opaque);
    /* They came; len 0: the end. */
    void (*take)(void *opaque, const uint8_t *data, size_t len);
    void *opaque;
};

void source_init(struct source *s, struct loop *loop, int fd, size_t (*room)(void *opaque),
                 void (*take)(void *opaque, const uint8_t *data, size_t len), void *opaque);
/* There may be room, or none any more. */
void source_update(struct source *s);
void source_close(struct source *s);

#endif
