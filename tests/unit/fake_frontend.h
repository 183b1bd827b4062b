/*
 * A front end for tests of chardevs: a FIFO that keeps what it received, and a
 * loop around it.
 */
#ifndef TESTS_FAKE_FRONTEND_H
#define TESTS_FAKE_FRONTEND_H

#include "src/console/chardev.h"

#include <pthread.h>

struct fake_frontend {
    struct chardev_frontend ops; /* to attach */
    pthread_mutex_t lock;
    uint8_t *got;    /* all bytes received so far */
    size_t got_len;  /* received */
    size_t used_len; /* of them taken out of the FIFO again */
    size_t fifo;     /* size of the FIFO: received and not used */
    unsigned writable_calls;
    struct loop *stop_loop; /* stop it once got_len reaches stop_at */
    size_t stop_at;
};

/* fifo: bytes of room; SIZE_MAX for all there is. Free with fake_frontend_free(). */
void fake_frontend_init(struct fake_frontend *f, size_t fifo);
void fake_frontend_free(struct fake_frontend *f);

/* As a guest that reads everything that arrived: empties the FIFO. Any thread. */
void fake_frontend_drain(struct fake_frontend *f);

/* Run loop until len bytes have been received in all. */
void fake_frontend_run_until(struct fake_frontend *f, struct loop *loop, size_t len);

#endif
