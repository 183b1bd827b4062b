/*
 * Many machines in one process, and what is left of them: nothing.
 */
#include "tests/boot/machines/machines.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#define THREADS  8
#define EACH     4
#define ROUNDS   8
#define PATIENCE 1000000

GUEST(factorial);
GUEST(chatter);

static void check_host(void)
{
    vmm_free(vmmtest_machine("memory=1M")); /* or the test is skipped */
}

/* One life of a machine; what it computes is its own. True: it went as it should. */
static bool one_life(void)
{
    struct vmm *m = vmm_new((const char *const[]){"memory=1M", EDU, "posted=off", NULL}, NULL);
    struct vmm_stop stop = {0};
    bool ok = m != NULL &&
              vmm_load(m, MODE, CODE, guest_factorial, GUEST_SIZE(factorial), NULL) == 0 &&
              vmm_run(m, NULL, &stop, NULL) == 0 && stop.why == VMM_ENDED && stop.status == 0 &&
              strcmp(vmm_console(m, NULL), "x") == 0;

    vmm_free(m);
    return ok;
}

static void *lives(void *arg)
{
    bool *ok = arg;

    for (int i = 0; i < EACH && *ok; i++) {
        *ok = one_life();
    }
    return NULL;
}

/* Machines alive at the same time on one thread, run in turns. */
Test(many, interleaved)
{
    struct vmm *m[THREADS];
    struct vmm_stop stop;

    for (int i = 0; i < THREADS; i++) {
        m[i] = vmmtest_machine("memory=1M");
        LOAD(m[i], MODE, CODE, chatter);
    }
    for (uint64_t round = 1; round <= 5; round++) {
        for (int i = 0; i < THREADS; i++) {
            cr_assert(vmm_run_to_exit(m[i], NULL, NULL, &stop, NULL) == 0);
            cr_assert(stop.exit.value == round);
        }
    }
    for (int i = 0; i < THREADS; i++) {
        vmm_free(m[i]);
    }
}

static unsigned entries(const char *folder)
{
    unsigned n = 0;
    DIR *d = opendir(folder);

    while (d != NULL && readdir(d) != NULL) {
        n++;
    }
    closedir(d);
    return n;
}

static unsigned long memory_kib(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    cr_assert(f != NULL && fscanf(f, "%*u %lu", &pages) == 1);
    fclose(f);
    return pages * (unsigned long)sysconf(_SC_PAGESIZE) / 1024;
}

/* THREADS * EACH lives. */
static void live(void)
{
    pthread_t threads[THREADS];
    bool ok[THREADS];

    for (int i = 0; i < THREADS; i++) {
        ok[i] = true;
        pthread_create(&threads[i], NULL, lives, &ok[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        cr_assert(ok[i], "thread %d", i);
    }
}

Test(many, at_once_in_threads)
{
    check_host();
    live();
}

/* Whether only so many threads are left: one that was joined is listed until the kernel has buried
 * it. */
static bool threads_become(unsigned wanted)
{
    for (int i = 0; i < PATIENCE; i++) {
        if (entries("/proc/self/task") == wanted) {
            return true;
        }
        sched_yield();
    }
    return false;
}

/* tests/bench/machines.c does the same 10,000 times. */
Test(many, leave_nothing)
{
    const unsigned threads = entries("/proc/self/task");
    check_host();
    live();
    const unsigned fds = entries("/proc/self/fd");
    const unsigned long kib = memory_kib();
    for (int i = 0; i < ROUNDS; i++) {
        live();
    }
    cr_assert(entries("/proc/self/fd") == fds);
    cr_assert(threads_become(threads));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they keep what was freed */
    cr_assert(memory_kib() <= kib + 1024, "%lu KiB, then %lu", kib, memory_kib());
#else
    (void)kib;
#endif
}

/* Also a machine that was stopped in mid-run, or that never ran. */
Test(many, freed_at_any_time)
{
    struct vmm *m = vmmtest_machine("memory=1M", "cpus=4", EDU);
    struct vmm_stop stop;

    vmm_free(m);
    m = vmmtest_machine("memory=1M", "cpus=4");
    LOAD(m, MODE, CODE, chatter);
    vmm_free(m);
    m = vmmtest_machine("memory=1M", "cpus=4");
    LOAD(m, MODE, CODE, chatter);
    cr_assert(vmm_run(m, &(struct vmm_limits){.events = 3}, &stop, NULL) == 0);
    vmm_free(m);
}

/* The process's own affairs stay as they are. */
Test(many, process_is_left_alone)
{
    struct sigaction before[_NSIG], after;
    sigset_t mask_before, mask_after;

    for (int i = 1; i < _NSIG; i++) {
        sigaction(i, NULL, &before[i]);
    }
    pthread_sigmask(SIG_SETMASK, NULL, &mask_before);
    vmm_free(vmmtest_machine("memory=1M", "cpus=2", EDU));
    for (int i = 1; i < _NSIG; i++) {
        const bool libc_own = sigaction(i, NULL, &after) < 0;
        cr_assert(i == SIGRTMIN || libc_own || after.sa_handler == before[i].sa_handler,
                  "signal %d", i);
    }
    pthread_sigmask(SIG_SETMASK, NULL, &mask_after);
    for (int i = 1; i < _NSIG; i++) {
        cr_assert(sigismember(&mask_before, i) == sigismember(&mask_after, i), "signal %d", i);
    }
}
