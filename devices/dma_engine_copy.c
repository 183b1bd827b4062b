/*
 * dma-engine's copies: what a START sets off. See dma_engine.c for the model.
 *
 * A short copy runs on the vCPU's thread, inside the START write. A long one is
 * left to the I/O thread, which gives the running channels a piece in turn and
 * looks the addresses up anew for each: between pieces there are no pointers
 * into guest memory, only the operands and how far the copy is.
 *
 * Locking: see dma_engine.h. The I/O thread is an online mem_reader.
 */
#include "devices/dma_engine.h"

#include "devices/dma_move.h"
#include "src/base/trace.h"

#include <errno.h>
#include <inttypes.h>

/* Map one side of a move of len bytes: fills iov and count. */
static enum dma_error map_side(struct dma_engine *e, uint64_t gpa, uint32_t len, bool write,
                               struct iovec *iov, int *count)
{
    *count = device_dma_map(&e->dev, gpa, len, write, iov, DMA_PIECES);
    if (*count == -EACCES) {
        return DMA_ERROR_MASTER;
    }
    /* What could be mapped does not wrap. */
    if (*count >= 0 && (len == 0 || gpa + (len - 1) <= e->dma_mask)) {
        return DMA_ERROR_NONE;
    }
    return write ? DMA_ERROR_DST : DMA_ERROR_SRC;
}

/* Map the next len bytes of c's copy. */
static enum dma_error map_next(struct dma_engine *e, const struct dma_channel *c, uint32_t len,
                               struct dma_move *m)
{
    const struct dma_operands *run = &c->run;
    m->backward = run->dst - run->src < run->size; /* modulo 2^64: does it begin in the source? */
    uint32_t at = m->backward ? run->size - c->copied - len : c->copied;
    enum dma_error error = map_side(e, run->src + at, len, false, m->src, &m->src_count);
    if (error == DMA_ERROR_NONE) {
        error = map_side(e, run->dst + at, len, true, m->dst, &m->dst_count);
    }
    return error;
}

static void finish(struct dma_engine *e, struct dma_channel *c, enum dma_error error)
{
    unsigned n = (unsigned)(c - e->channel);
    trace(TRACE_dma_engine_end, "%s channel %u copied %" PRIu32 " error %d", e->dev.id, n,
          c->copied, (int)error);
    if (error != DMA_ERROR_NONE) {
        guest_error(&e->dev.guest_errors, "%s: channel %u: a copy ended with error %d", e->dev.id,
                    n, (int)error);
    }
    c->running = false;
    c->error = error;
    c->done = error == DMA_ERROR_NONE ? DMA_DONE_OK : DMA_DONE_FAILED;
    dma_engine_finished(e, c);
}

/* Check everything; copy if it is little. c->running is set if the I/O thread has to. */
static enum dma_error begin(struct dma_engine *e, struct dma_channel *c)
{
    const uint32_t size = c->run.size;
    struct dma_move m;
    if (size > e->max_size) {
        return DMA_ERROR_SIZE;
    }
    if (c->run.flags != 0) {
        return DMA_ERROR_FLAGS;
    }
    enum dma_error error = map_next(e, c, size, &m);
    if (error == DMA_ERROR_NONE && size > DMA_SYNC_MAX) {
        c->running = true;
    } else if (error == DMA_ERROR_NONE) {
        dma_move(&m);
        c->copied = size;
    }
    return error;
}

void dma_engine_start(struct dma_engine *e, struct dma_channel *c)
{
    if (c->running) {
        guest_error(&e->dev.guest_errors, "%s: START of a channel that is running", e->dev.id);
        return;
    }
    c->run = c->next;
    c->done = 0;
    c->error = 0;
    c->copied = 0;
    trace(TRACE_dma_engine_start, "%s 0x%" PRIx64 " to 0x%" PRIx64 " size %" PRIu32, e->dev.id,
          c->run.src, c->run.dst, c->run.size);
    enum dma_error error = begin(e, c);
    if (c->running) {
        bh_schedule(&e->work);
    } else {
        finish(e, c, error);
    }
}

/* --- on the I/O thread -------------------------------------------------------- */

/* The running channel whose turn it is, or NULL. */
static struct dma_channel *next_running(struct dma_engine *e)
{
    for (unsigned i = 0; i < e->channels; i++) {
        e->turn = (e->turn + 1) % e->channels;
        if (e->channel[e->turn].running) {
            return &e->channel[e->turn];
        }
    }
    return NULL;
}

/* Move len bytes of c's copy. The lock is held, but not while they move. */
static void move_piece(struct dma_engine *e, struct dma_channel *c, const struct dma_move *m,
                       uint32_t len)
{
    e->in_flight = c;
    pthread_mutex_lock(&e->moving);
    device_unlock(&e->dev);
    dma_move(m);
    pthread_mutex_unlock(&e->moving);
    device_lock(&e->dev);
    if (e->in_flight == NULL) { /* a reset came in between; c may be running again */
        return;
    }
    e->in_flight = NULL;
    c->copied += len;
    if (c->copied == c->run.size) {
        finish(e, c, DMA_ERROR_NONE);
    }
}

/*
 * One piece of one copy. The next has another turn of the loop, where the thread
 * goes offline: who never does keeps every old view of memory alive.
 */
static void work(void *opaque)
{
    struct dma_engine *e = opaque;
    struct dma_move m;
    device_lock(&e->dev);
    struct dma_channel *c = next_running(e);
    if (c != NULL) {
        uint32_t left = c->run.size - c->copied;
        uint32_t len = left < DMA_PIECE ? left : DMA_PIECE;
        enum dma_error error = map_next(e, c, len, &m);
        if (error == DMA_ERROR_NONE) {
            move_piece(e, c, &m, len);
        } else {
            finish(e, c, error);
        }
        bh_schedule(&e->work);
    }
    device_unlock(&e->dev);
}

void dma_engine_cancel(struct dma_engine *e)
{
    for (unsigned n = 0; n < e->channels; n++) {
        e->channel[n].running = false;
    }
    e->in_flight = NULL;
    pthread_mutex_lock(&e->moving); /* until the piece in flight has ended */
    pthread_mutex_unlock(&e->moving);
}

static void join_topology(void *opaque)
{
    struct dma_engine *e = opaque;
    loop_set_topology(iothread_loop(e->iothread), e->dev.env->topo);
}

int dma_engine_start_thread(struct dma_engine *e, struct err *err)
{
    char name[16];
    snprintf(name, sizeof(name), "%.15s", e->dev.id);
    e->iothread = iothread_new(name, loop_clock(e->dev.env->loop), err);
    if (e->iothread == NULL) {
        return -EAGAIN;
    }
    pthread_mutex_init(&e->moving, NULL);
    bh_init(&e->work, iothread_loop(e->iothread), work, e);
    iothread_call(e->iothread, join_topology, e);
    return 0;
}

static void forget_work(void *opaque)
{
    struct dma_engine *e = opaque;
    bh_cancel(&e->work);
}

void dma_engine_pause(struct dma_engine *e)
{
    iothread_call(e->iothread, forget_work, e);
}

/* Without a running channel work() finds nothing to do. */
void dma_engine_resume(struct dma_engine *e)
{
    bh_schedule(&e->work);
}

void dma_engine_stop_thread(struct dma_engine *e)
{
    device_lock(&e->dev);
    dma_engine_cancel(e);
    device_unlock(&e->dev);
    iothread_call(e->iothread, forget_work, e);
    iothread_free(e->iothread);
    pthread_mutex_destroy(&e->moving);
}
