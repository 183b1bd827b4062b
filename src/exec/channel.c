/*
 * vmm's end of the line: see channel.h.
 */
#include "src/exec/channel.h"

#include "src/base/le.h"

/* --- the UART's side ------------------------------------------------------------------ */

static struct channel *channel_of(struct chardev *c)
{
    return (struct channel *)c; /* its first member */
}

static void channel_free(struct chardev *c)
{
    (void)c;
}

static void channel_attach(struct chardev *c, const struct chardev_frontend *frontend)
{
    channel_of(c)->frontend = frontend;
}

static size_t channel_write(struct chardev *chardev, const uint8_t *data, size_t len)
{
    struct channel *c = channel_of(chardev);

    pthread_mutex_lock(&c->lock);
    const size_t room = ring_room(&c->rx);
    const size_t n = len < room ? len : room;
    ring_put(&c->rx, data, n);
    c->cut_short |= n < len;
    pthread_mutex_unlock(&c->lock);
    channel_wake(c);
    return n;
}

static void channel_accept_input(struct chardev *c)
{
    channel_wake(channel_of(c));
}

static void channel_flush(struct chardev *c)
{
    (void)c;
}

/* --- the loop's side -------------------------------------------------------------------- */

void channel_wake(struct channel *c)
{
    bh_schedule(&c->bh);
}

/* Take what the guest sent; *writable: the UART is to be told of room. */
static size_t fetch(struct channel *c, uint8_t *buf, size_t size, bool *writable)
{
    size_t len;

    pthread_mutex_lock(&c->lock);
    const uint8_t *data = ring_piece(&c->rx, &len);
    len = len < size ? len : size;
    for (size_t i = 0; i < len; i++) {
        buf[i] = data[i];
    }
    ring_drop(&c->rx, len);
    *writable = c->cut_short && len > 0;
    c->cut_short = c->cut_short && !*writable;
    pthread_mutex_unlock(&c->lock);
    return len;
}

static void give_up(struct channel *c)
{
    if (!c->is_broken) {
        c->is_broken = true;
        c->owner.broken(c->owner.opaque);
    }
}

static void parse(struct channel *c, const uint8_t *data, size_t len)
{
    while (!c->is_broken) {
        const enum frame_state state = frame_read(&c->reader, &data, &len);

        if (state == FRAME_MORE) {
            return;
        }
        if (state == FRAME_BAD || !c->owner.take(c->owner.opaque, &c->reader)) {
            give_up(c);
        }
    }
}

/* Bytes of r to the UART, as many as it takes. */
static void send_on_line(const struct channel *c, struct ring *r)
{
    const struct chardev_frontend *f = c->frontend;

    while (f != NULL && r->count > 0) {
        size_t len;
        const uint8_t *data = ring_piece(r, &len);
        const size_t room = f->can_receive(f->opaque);

        if (room == 0) {
            return;
        }
        len = len < room ? len : room;
        f->receive(f->opaque, data, len);
        ring_drop(r, len);
    }
}

/* A doorbell, if there is none on its way. */
static void ring_guest(struct channel *c)
{
    if (c->line.count == 0) {
        ring_put(&c->line, (const uint8_t *)"", 1);
    }
}

static void send_queued(struct channel *c)
{
    bool ring = false;

    if (c->window.on && !c->is_broken) {
        if (window_put(&c->window, &c->tx, &ring) < 0) {
            give_up(c);
        }
        if (ring) {
            ring_guest(c);
        }
        send_on_line(c, &c->line);
    } else {
        send_on_line(c, &c->tx);
    }
}

/*
 * What came on the line: frames, or doorbells once there is a window. No more than the ring holds:
 * a guest that fills it as fast as it is emptied must not keep the loop from all else.
 */
static void take_line(struct channel *c)
{
    uint8_t buf[4096];
    bool writable;
    size_t len, left = CHANNEL_RX;

    while (left > 0 &&
           (len = fetch(c, buf, left < sizeof(buf) ? left : sizeof(buf), &writable)) > 0) {
        left -= len;
        if (writable && c->frontend != NULL && c->frontend->writable != NULL) {
            c->frontend->writable(c->frontend->opaque);
        }
        if (!c->window.on) {
            parse(c, buf, len);
        }
    }
    if (left == 0) {
        channel_wake(c);
    }
}

/* The same of the window. */
static void take_window(struct channel *c)
{
    uint8_t buf[4096];
    bool ring;
    size_t left = WINDOW_TO_HOST_SIZE;
    int len = 0;

    while (left > 0 && c->window.on && !c->is_broken &&
           (len = window_take(&c->window, buf, left < sizeof(buf) ? left : sizeof(buf), &ring)) >
               0) {
        left -= (size_t)len;
        if (ring) {
            ring_guest(c);
        }
        parse(c, buf, (size_t)len);
    }
    if (len < 0) {
        give_up(c);
    } else if (left == 0) {
        channel_wake(c); /* there may be more, for which the guest does not ring */
    }
}

static void turn(void *opaque)
{
    struct channel *c = opaque;

    take_line(c);
    take_window(c);
    send_queued(c);
    c->owner.turn(c->owner.opaque);
    send_queued(c);
}

bool channel_open_window(struct channel *c, struct aspace *mem, const struct frame_reader *frame)
{
    /* Nothing else was sent yet, so the yes is all that is in tx, and what is in line then. */
    if (c->tx.count != 0 || !window_open(&c->window, mem, frame_payload(frame), frame_len(frame))) {
        return false;
    }
    channel_send(c, FRAME_WINDOW, 0, NULL, 0);
    size_t len;
    const uint8_t *data = ring_piece(&c->tx, &len);
    ring_put(&c->line, data, len);
    ring_drop(&c->tx, len);
    return true;
}

bool channel_has_room(const struct channel *c, size_t len)
{
    return ring_room(&c->tx) >= FRAME_HEADER + len;
}

void channel_send(struct channel *c, enum frame_type type, enum frame_stream stream,
                  const void *data, size_t len)
{
    uint8_t header[FRAME_HEADER];
    const struct frame_piece piece = {data, len};

    frame_header(header, type, stream, &piece, 1);
    ring_put(&c->tx, header, sizeof(header));
    ring_put(&c->tx, data, len);
    channel_wake(c);
}

void channel_send_u32(struct channel *c, enum frame_type type, enum frame_stream stream,
                      uint32_t value)
{
    uint8_t bytes[4];

    put_le32(bytes, value);
    channel_send(c, type, stream, bytes, sizeof(bytes));
}

void channel_init(struct channel *c, struct loop *loop, const struct channel_owner *owner)
{
    static const struct chardev_ops ops = {
        .free = channel_free,
        .attach = channel_attach,
        .write = channel_write,
        .accept_input = channel_accept_input,
        .flush = channel_flush,
    };

    c->chardev.ops = &ops;
    c->owner = *owner;
    c->tx = (struct ring){.data = c->tx_bytes, .size = sizeof(c->tx_bytes)};
    c->line = (struct ring){.data = c->line_bytes, .size = sizeof(c->line_bytes)};
    c->rx = (struct ring){.data = c->rx_bytes, .size = sizeof(c->rx_bytes)};
    bh_init(&c->bh, loop, turn, c);
    pthread_mutex_init(&c->lock, NULL);
}

void channel_destroy(struct channel *c)
{
    bh_cancel(&c->bh);
    pthread_mutex_destroy(&c->lock);
}
