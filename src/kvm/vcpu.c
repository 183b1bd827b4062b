/*
 * vCPU threads: states of the set, kicks, the run loop. Making and resetting
 * vCPUs is in vcpu_setup.c.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, 4.10 KVM_RUN and immediate_exit
 * in section 5.
 * Locking: see vcpu.h. vcpus.lock is never held across KVM_RUN or a device.
 */
#include "src/kvm/vcpu.h"

#include "src/base/log.h"
#include "src/base/trace.h"
#include "src/kvm/exit.h"
#include "src/kvm/record.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Enough for any device callback; what is not touched costs nothing. */
#define STACK_SIZE (128UL * 1024)

/* --- the threads ------------------------------------------------------ */

static void set_immediate_exit(struct vcpu *v, uint8_t on)
{
    __atomic_store_n(&v->run->immediate_exit, on, __ATOMIC_RELAXED);
}

/* Wait until the guest may run. False: the thread is to end. */
static bool wait_for_turn(struct vcpu *v)
{
    struct vcpus *s = v->set;
    pthread_mutex_lock(&s->lock);
    s->idle++;
    pthread_cond_broadcast(&s->changed);
    while (s->wanted == VCPUS_PAUSED || (s->wanted == VCPUS_RUNNING && v->parked)) {
        pthread_cond_wait(&s->changed, &s->lock);
    }
    s->idle--;
    /* A kick from here on sets it again, so none is lost. */
    set_immediate_exit(v, 0);
    bool go_on = s->wanted == VCPUS_RUNNING;
    pthread_mutex_unlock(&s->lock);
    return go_on;
}

static void park(struct vcpu *v)
{
    pthread_mutex_lock(&v->set->lock);
    v->parked = true;
    pthread_mutex_unlock(&v->set->lock);
    trace(TRACE_vcpu_state, "vcpu %u parked", v->index);
}

/*
 * What one KVM_RUN came to; result as of kvm_ioctl(). False: back to
 * wait_for_turn(). After a failure exit_reason is left from some earlier exit.
 */
static bool after_run(struct vcpu *v, int result)
{
    if (result == -EINTR) {
        recorder_interrupted(v->set->recorder, v->index);
        return false;
    }
    if (result == -EAGAIN) { /* an application processor that was just started */
        return true;
    }
    bool go_on = false;
    if (result < 0) {
        exit_run_failed(v, -result);
    } else {
        go_on = exit_handle(v);
    }
    if (!go_on) {
        park(v);
    }
    return go_on;
}

/* Run the guest until a kick or the vCPU's end. */
static void run_guest(struct vcpu *v)
{
    struct vcpus *s = v->set;
    bool go_on = true;
    while (go_on) {
        int result = kvm_ioctl_num(s->kvm, v->fd, KVM_RUN, 0);
        mem_reader_online(&v->reader);
        coalesced_drain(&s->coalesced);
        go_on = after_run(v, result);
        mem_reader_offline(&v->reader);
    }
}

/* The process's signals are the main thread's; a vCPU's thread takes the kick alone. */
static void accept_kicks(void)
{
    sigset_t kick;
    sigemptyset(&kick);
    sigaddset(&kick, VCPU_KICK_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
}

static void *vcpu_main(void *arg)
{
    struct vcpu *v = arg;
    char name[16];
    snprintf(name, sizeof(name), "vcpu%u", v->index);
    prctl(PR_SET_NAME, name);
    log_set_sink(v->set->sink);
    v->tid = gettid();
    accept_kicks();
    if (!vcpu_init(v)) {
        return NULL;
    }
    if (v->set->spread) {
        sched_setaffinity(0, sizeof(v->set->cpus), &v->set->cpus);
    }
    mem_reader_register(&v->reader, v->set->env.topo);
    while (wait_for_turn(v)) {
        run_guest(v);
    }
    mem_reader_unregister(&v->reader);
    return NULL;
}

/* --- the set ---------------------------------------------------------- */

static void on_kick(int signal)
{
    (void)signal; /* its arrival is all: KVM_RUN returns EINTR */
}

static void install_kick(void)
{
    struct sigaction kick = {.sa_handler = on_kick};
    sigemptyset(&kick.sa_mask);
    sigaction(VCPU_KICK_SIGNAL, &kick, NULL);
}

/* All but what a thread's own mistakes raise: those must reach their handlers. */
static sigset_t other_signals(void)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
    sigset_t set;
    sigfillset(&set);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        sigdelset(&set, own[i]);
    }
    return set;
}

/*
 * The kernel likes to put a new or woken thread on the CPU of the thread that
 * made or woke it, where it waits until that one sleeps. Until a vCPU is ready
 * its thread is kept off the main thread's CPU, so that both get on.
 */
static void keep_off_this_cpu(struct vcpus *s, pthread_attr_t *attr)
{
    cpu_set_t others;
    int cpu = sched_getcpu();
    s->spread =
        cpu >= 0 && sched_getaffinity(0, sizeof(s->cpus), &s->cpus) == 0 && CPU_COUNT(&s->cpus) > 1;
    if (s->spread) {
        others = s->cpus;
        CPU_CLR((size_t)cpu, &others);
        pthread_attr_setaffinity_np(attr, sizeof(others), &others);
    }
}

int vcpus_start_threads(struct vcpus *s)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_attr_t attr;
    const sigset_t blocked = other_signals();
    sigset_t old;
    int r = 0;
    pthread_once(&once, install_kick);
    s->sink = log_sink();
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    keep_off_this_cpu(s, &attr);
    pthread_sigmask(SIG_SETMASK, &blocked, &old);
    for (unsigned i = 0; i < s->count && r == 0; i++) {
        struct vcpu *v = &s->vcpu[i];
        r = pthread_create(&v->thread, &attr, vcpu_main, v);
        v->started = r == 0;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    return -r;
}

static void want(struct vcpus *s, enum vcpus_state state)
{
    static const char *const names[] = {"new", "pause", "run", "stop"};
    trace(TRACE_vcpu_state, "all: %s", names[state]);
    s->wanted = state;
    pthread_cond_broadcast(&s->changed);
    for (unsigned i = 0; state != VCPUS_RUNNING && i < s->count; i++) {
        struct vcpu *v = &s->vcpu[i];
        if (v->run == NULL) { /* not created: its thread looks at wanted before it runs */
            continue;
        }
        set_immediate_exit(v, 1);
        if (v->started && !pthread_equal(v->thread, pthread_self())) {
            pthread_kill(v->thread, VCPU_KICK_SIGNAL);
        }
    }
}

void vcpus_resume(struct vcpus *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->wanted == VCPUS_PAUSED) {
        want(s, VCPUS_RUNNING);
    }
    pthread_mutex_unlock(&s->lock);
}

void vcpus_ask_pause(struct vcpus *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->wanted == VCPUS_RUNNING) {
        want(s, VCPUS_PAUSED);
    }
    pthread_mutex_unlock(&s->lock);
}

void vcpus_pause(struct vcpus *s)
{
    vcpus_ask_pause(s);
    pthread_mutex_lock(&s->lock);
    while (s->wanted == VCPUS_PAUSED && s->idle < s->count) {
        pthread_cond_wait(&s->changed, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
}

void vcpus_stop(struct vcpus *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->wanted != VCPUS_STOPPED) {
        want(s, VCPUS_STOPPED);
    }
    pthread_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < s->count; i++) {
        if (s->vcpu[i].started) {
            pthread_join(s->vcpu[i].thread, NULL);
            s->vcpu[i].started = false;
        }
    }
}

uint64_t vcpus_exits(const struct vcpus *s, unsigned reason)
{
    uint64_t sum = 0;
    for (unsigned i = 0; reason < VCPU_EXIT_REASONS && i < s->count; i++) {
        sum += atomic_load_explicit(&s->vcpu[i].exits[reason], memory_order_relaxed);
    }
    return sum;
}

void crash_print(const struct crash *c, FILE *out)
{
    fprintf(out, "vmm: error: vCPU %u: %s\n", c->vcpu, c->reason);
    cpu_dump_print(c->dump, out);
}
