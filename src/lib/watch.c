/*
 * Ends for guests that give none: one that runs without guest events, and one that waits
 * for ever.
 *
 * Running: a timer of each vCPU thread's CPU time sends the signal that gets it out of the guest;
 * the thread then compares its CPU time and the number of events with those of the last such moment
 * (src/kvm/record.c). Host load does not count.
 *
 * Waiting: every 20 ms of machine time the main loop looks whether events or CPU time have moved.
 * If not, it pauses the vCPUs and asks KVM what they would do.
 *
 * Source: timer_create(2), SIGEV_THREAD_ID; pthread_getcpuclockid(3).
 */
#include "src/lib/internal.h"
#include "src/run.h"
#include "src/vm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS   20
#define MOVED_NS  (1 * NS_PER_MS)
#define TIMER_TID _sigev_un._tid /* glibc's name of sigev_notify_thread_id */

/* --- running without events -------------------------------------------------- */

static int make_timer(const struct vcpu *v, timer_t *timer)
{
    struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = VCPU_KICK_SIGNAL};
    clockid_t clock;
    const int ret = pthread_getcpuclockid(v->thread, &clock);

    ev.TIMER_TID = v->tid;
    if (ret != 0) {
        return -ret;
    }
    return timer_create(clock, &ev, timer) < 0 ? -errno : 0;
}

/* One for each vCPU. NULL with e set. */
static timer_t *make_timers(const struct vcpus *s, struct vmm_error *e)
{
    timer_t *timers = calloc(s->count, sizeof(*timers));
    int ret = timers != NULL ? 0 : -ENOMEM;
    unsigned made = 0;

    while (ret == 0 && made < s->count) {
        ret = make_timer(&s->vcpu[made], &timers[made]);
        made += ret == 0;
    }
    if (ret == 0) {
        return timers;
    }
    while (made-- > 0) {
        timer_delete(timers[made]);
    }
    free(timers);
    lib_fail(e, -ret, "cannot watch the CPU time of vCPUs: %s", strerror(-ret));
    return NULL;
}

static int set_timers(struct vmm *m, unsigned ms, struct vmm_error *e)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    const struct itimerspec spec = {.it_interval = t, .it_value = t};

    if (m->silent_timers == NULL) {
        m->silent_timers = make_timers(&m->machine->vm->vcpus, e);
        if (m->silent_timers == NULL) {
            return -EAGAIN;
        }
    }
    for (unsigned i = 0; i < m->config.cpus && m->silent_ms != ms; i++) {
        timer_settime(m->silent_timers[i], 0, &spec, NULL);
    }
    m->silent_ms = ms;
    return 0;
}

/* --- waiting ----------------------------------------------------------------- */

static uint64_t vcpus_cpu_ns(const struct vcpus *s)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < s->count; i++) {
        struct timespec t;
        clockid_t clock;
        if (pthread_getcpuclockid(s->vcpu[i].thread, &clock) == 0 &&
            clock_gettime(clock, &t) == 0) {
            sum += (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
        }
    }
    return sum;
}

/* What the vCPUs, all paused, would do: the liveliest of them counts. */
static enum vcpu_activity activity(const struct vcpus *s)
{
    enum vcpu_activity all = VCPU_DEAD;

    for (unsigned i = 0; i < s->count && all != VCPU_RUNS; i++) {
        const enum vcpu_activity one = arch_vcpu_activity(s->kvm, s->vcpu[i].fd);
        all = one < all ? one : all;
    }
    return all;
}

/* Nothing has moved since the last look. */
static void look_closer(struct vmm *m)
{
    struct vcpus *s = &m->machine->vm->vcpus;

    vcpus_pause(s);
    /* The board's way of sleep ends by its devices. */
    const enum vcpu_activity a = m->machine->vm->run.asleep ? VCPU_WAITS : activity(s);
    m->quiet_ms = a == VCPU_RUNS ? 0 : m->quiet_ms + LOOK_MS;
    if (a == VCPU_DEAD) {
        lib_found(m, VMM_DEAD, NULL);
    } else if (m->quiet_ms >= m->idle_ms) {
        lib_found(m, VMM_IDLE, NULL);
    }
    run_go_on(m->machine);
}

static void arm(struct vmm *m)
{
    timer_arm(&m->idle_timer, clock_now(&m->machine->clock) + LOOK_MS * NS_PER_MS);
}

static void look(void *opaque)
{
    struct vmm *m = opaque;
    const uint64_t events = vmm_events(m);
    const uint64_t cpu_ns = vcpus_cpu_ns(&m->machine->vm->vcpus);

    if (events != m->idle_events || cpu_ns - m->idle_cpu_ns > MOVED_NS) {
        m->quiet_ms = 0;
    } else {
        look_closer(m);
    }
    m->idle_events = events;
    m->idle_cpu_ns = cpu_ns;
    arm(m);
}

/* --- both -------------------------------------------------------------------- */

int watch_begin(struct vmm *m, const struct vmm_limits *limits, struct vmm_error *e)
{
    for (unsigned i = 0; i < m->recorder->cpus; i++) {
        m->recorder->rings[i].seen_ns = 0; /* what earlier runs used does not count */
    }
    m->recorder->silent_ns = limits->cpu_ms * NS_PER_MS;
    m->idle_ms = limits->idle_ms;
    m->quiet_ms = 0;
    m->idle_events = vmm_events(m);
    m->idle_cpu_ns = vcpus_cpu_ns(&m->machine->vm->vcpus);
    timer_init(&m->idle_timer, m->machine->loop, look, m);
    const int ret = set_timers(m, limits->cpu_ms, e);
    if (ret == 0) {
        arm(m);
    }
    return ret;
}

void watch_end(struct vmm *m)
{
    timer_cancel(&m->idle_timer);
}

void watch_free(struct vmm *m)
{
    for (unsigned i = 0; m->silent_timers != NULL && i < m->config.cpus; i++) {
        timer_delete(m->silent_timers[i]);
    }
    free(m->silent_timers);
}
