/*
 * A front end for tests of chardevs: see fake_frontend.h.
 */
#include "tests/unit/fake_frontend.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define GOT_MAX (2U << 20)

static size_t can_receive(void *opaque)
{
    struct fake_frontend *f = opaque;
    pthread_mutex_lock(&f->lock);
    size_t room = f->fifo - (f->got_len - f->used_len);
    pthread_mutex_unlock(&f->lock);
    return room;
}

static void receive(void *opaque, const uint8_t *data, size_t len)
{
    struct fake_frontend *f = opaque;
    pthread_mutex_lock(&f->lock);
    cr_assert(len > 0 && len <= f->fifo - (f->got_len - f->used_len), "more than asked for");
    cr_assert(f->got_len + len <= GOT_MAX);
    memcpy(f->got + f->got_len, data, len);
    f->got_len += len;
    if (f->stop_loop != NULL && f->got_len >= f->stop_at) {
        loop_stop(f->stop_loop);
        f->stop_loop = NULL;
    }
    pthread_mutex_unlock(&f->lock);
}

static void writable(void *opaque)
{
    ((struct fake_frontend *)opaque)->writable_calls++;
}

void fake_frontend_init(struct fake_frontend *f, size_t fifo)
{
    *f = (struct fake_frontend){.fifo = fifo, .got = malloc(GOT_MAX)};
    cr_assert_not_null(f->got);
    pthread_mutex_init(&f->lock, NULL);
    f->ops = (struct chardev_frontend){
        .can_receive = can_receive, .receive = receive, .writable = writable, .opaque = f};
}

void fake_frontend_free(struct fake_frontend *f)
{
    free(f->got);
    pthread_mutex_destroy(&f->lock);
}

void fake_frontend_drain(struct fake_frontend *f)
{
    pthread_mutex_lock(&f->lock);
    f->used_len = f->got_len;
    pthread_mutex_unlock(&f->lock);
}

void fake_frontend_run_until(struct fake_frontend *f, struct loop *loop, size_t len)
{
    pthread_mutex_lock(&f->lock);
    bool wait = f->got_len < len;
    f->stop_at = len;
    f->stop_loop = wait ? loop : NULL;
    pthread_mutex_unlock(&f->lock);
    if (wait) {
        loop_run(loop);
    }
}
