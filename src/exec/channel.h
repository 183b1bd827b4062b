/*
 * vmm's end of the serial line to the guest's init: a character back end for a
 * UART, with frames (frame.h) on the other side.
 *
 * Locking: `lock` covers what the guest sent and nobody has looked at; the rest
 * belongs to the loop's thread, and so do the callbacks, which run without a lock.
 */
#ifndef EXEC_CHANNEL_H
#define EXEC_CHANNEL_H

#include "src/console/backend.h"
#include "src/exec/frame.h"
#include "src/exec/ring.h"
#include "src/exec/window_host.h"

#include <pthread.h>

#define CHANNEL_RX 65536u
#define CHANNEL_TX (4 * FRAME_MAX)

struct channel_owner {
    /* A frame came. false: it makes no sense. */
    bool (*take)(void *opaque, const struct frame_reader *frame);
    /* What came is no frame, or take() was false; nothing is read any more. */
    void (*broken)(void *opaque);
    /* After all frames there were: there may be room for others now. */
    void (*turn)(void *opaque);
    void *opaque;
};

struct channel {
    struct chardev chardev;
    const struct chardev_frontend *frontend;
    struct channel_owner owner;
    struct bh bh;
    struct frame_reader reader;
    bool is_broken;
    struct window window;
    struct ring tx; /* frames for the guest */
    uint8_t tx_bytes[CHANNEL_TX];
    struct ring line; /* with a window: bytes for the line */
    uint8_t line_bytes[4 * FRAME_HEADER];

    pthread_mutex_t lock;
    struct ring rx;
    bool cut_short; /* a write found no room: tell the UART when there is */
    uint8_t rx_bytes[CHANNEL_RX];
};

/* chardev.ops->free leaves the memory to the owner. */
void channel_init(struct channel *c, struct loop *loop, const struct channel_owner *owner);
void channel_destroy(struct channel *c);

/* Use the window that a frame tells of from now on, and say yes. false: it makes no sense. */
bool channel_open_window(struct channel *c, struct aspace *mem, const struct frame_reader *frame);

/* Look at what there is, soon, on the loop's thread. Any thread. */
void channel_wake(struct channel *c);

/* Room for a frame with len bytes of payload? Then send it. */
bool channel_has_room(const struct channel *c, size_t len);
void channel_send(struct channel *c, enum frame_type type, enum frame_stream stream,
                  const void *data, size_t len);
void channel_send_u32(struct channel *c, enum frame_type type, enum frame_stream stream,
                      uint32_t value);

#endif
