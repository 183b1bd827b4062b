/*
 * A loop with a thread of its own: see loop.h.
 *
 * Locking: none beyond the loop's; iothread_call() waits on a semaphore.
 */
#include "src/base/log.h"
#include "src/loop.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct iothread {
    struct loop *loop;
    pthread_t thread;
    const struct log_sink *sink; /* of who made it */
};

static void *iothread_main(void *opaque)
{
    struct iothread *t = opaque;
    log_set_sink(t->sink);
    loop_run(t->loop);
    return NULL;
}

/*
 * Signals belong to the main thread, apart from those a fault raises in the
 * thread itself: blocked, they would kill before the terminal is restored.
 */
static void block_signals(sigset_t *old)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    sigset_t set;
    sigfillset(&set);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        sigdelset(&set, faults[i]);
    }
    pthread_sigmask(SIG_SETMASK, &set, old);
}

struct iothread *iothread_new(const char *name, struct clock *clock, struct err *e)
{
    struct iothread *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        err_set(e, ENOMEM, "cannot make I/O thread '%s', out of memory", name);
        return NULL;
    }
    t->sink = log_sink();
    t->loop = loop_new(clock, e);
    if (t->loop == NULL) {
        free(t);
        return NULL;
    }
    sigset_t old;
    block_signals(&old);
    int ret = pthread_create(&t->thread, NULL, iothread_main, t);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (ret != 0) {
        err_set(e, ret, "cannot make I/O thread '%s', %s", name, strerror(ret));
        loop_free(t->loop);
        free(t);
        return NULL;
    }
    pthread_setname_np(t->thread, name);
    return t;
}

struct loop *iothread_loop(struct iothread *t)
{
    return t->loop;
}

struct call {
    struct bh bh;
    void (*fn)(void *opaque);
    void *opaque;
    sem_t done;
};

static void run_call(void *opaque)
{
    struct call *c = opaque;
    c->fn(c->opaque);
    sem_post(&c->done);
}

void iothread_call(struct iothread *t, void (*fn)(void *opaque), void *opaque)
{
    struct call c = {.fn = fn, .opaque = opaque};
    sem_init(&c.done, 0, 0);
    bh_init(&c.bh, t->loop, run_call, &c);
    bh_schedule(&c.bh);
    while (sem_wait(&c.done) < 0 && errno == EINTR) {
    }
    sem_destroy(&c.done);
}

void iothread_free(struct iothread *t)
{
    if (t == NULL) {
        return;
    }
    loop_stop(t->loop);
    pthread_join(t->thread, NULL);
    loop_free(t->loop);
    free(t);
}
