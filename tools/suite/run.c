/*
 * Runs boots: see run.h.
 */
#include "tools/suite/run.h"

#include "tools/suite/slot.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define PIPES 3 /* of a slot */

/* --- whose turn it is --------------------------------------------------------------- */

enum turn { TURN_NOW, TURN_LATER, TURN_OVER };

/* Without its state a boot is not run, and ends as the state did. */
static enum turn end_without_state(struct run *run, struct result *r)
{
    r->outcome = r->state->outcome;
    r->reason = pool_printf(run->pool, "'%s', which it is from: %s", r->state->boot->name,
                            r->state->reason);
    run->listener.ended(run->listener.opaque, r);
    return TURN_OVER;
}

static enum turn turn_of(struct run *run, struct result *r)
{
    if (r->attempts > 0 || r->outcome != OUTCOME_NOT_RUN) {
        return TURN_OVER;
    }
    if (r->state == NULL || r->state->outcome == OUTCOME_PASSED) {
        return TURN_NOW;
    }
    return r->state->outcome == OUTCOME_NOT_RUN ? TURN_LATER : end_without_state(run, r);
}

/* Begin an attempt, and another if it could not even be started and may run again. */
static void begin_attempts(struct run *run, struct slot *s, struct result *r)
{
    do {
        slot_begin(s, run, r);
    } while (s->result == NULL && r->outcome == OUTCOME_FAILED &&
             r->attempts <= run->options.reruns);
    if (s->result == NULL) {
        run->listener.ended(run->listener.opaque, r);
    }
}

/* Its process has ended. It may run again, in the same slot. */
static void end_slot(struct run *run, struct slot *s)
{
    struct result *r = s->result;

    slot_end(s, run);
    if (r->outcome == OUTCOME_FAILED && !run->interrupted && r->attempts <= run->options.reruns) {
        begin_attempts(run, s, r);
    } else {
        run->listener.ended(run->listener.opaque, r);
    }
}

/* Begin the next boot that can in this slot; false if there is none now. */
static bool begin_next(struct run *run, struct slot *s)
{
    for (size_t i = run->next; i < run->count; i++) {
        struct result *r = &run->results[i];
        enum turn turn = turn_of(run, r);
        if (turn == TURN_OVER && i == run->next) {
            run->next++;
        }
        if (turn == TURN_NOW) {
            begin_attempts(run, s, r);
            return true;
        }
    }
    return false;
}

/* --- interrupts ------------------------------------------------------------------------------ */

/* Everything stops: gently, and the second time at once. */
static void interrupt(struct run *run)
{
    for (unsigned i = 0; i < run->options.jobs; i++) {
        struct slot *s = &run->slots[i];
        if (s->result != NULL && run->interrupted) {
            child_signal(&s->child, SIGKILL);
        } else if (s->result != NULL) {
            slot_stop(s, STOP_INTERRUPT);
        }
    }
    run->interrupted = true;
}

static void read_signals(struct run *run, int fd)
{
    struct signalfd_siginfo info;

    while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo != SIGCHLD) {
            interrupt(run);
        }
    }
}

/* --- the loop --------------------------------------------------------------------------- */

/* Fill the free slots; how many run. */
static unsigned fill_slots(struct run *run)
{
    unsigned running = 0;

    for (unsigned i = 0; i < run->options.jobs; i++) {
        struct slot *s = &run->slots[i];
        while (s->result == NULL && !run->interrupted && begin_next(run, s)) {
        }
        running += s->result != NULL;
    }
    return running;
}

static void set_poll(struct pollfd *fds, const struct slot *s)
{
    const int pipes[PIPES] = {s->child.start, s->child.console, s->child.messages};
    for (int i = 0; i < PIPES; i++) {
        fds[i] = (struct pollfd){.fd = s->result != NULL ? pipes[i] : -1, .events = POLLIN};
    }
}

/* Wait for something, at most until the nearest deadline. */
static void wait_for_events(struct run *run, struct pollfd *fds)
{
    uint64_t deadline = NEVER;
    uint64_t now = time_now();
    struct timespec left;

    for (unsigned i = 0; i < run->options.jobs; i++) {
        const struct slot *s = &run->slots[i];
        set_poll(&fds[1 + PIPES * i], s);
        if (s->result != NULL && s->deadline < deadline) {
            deadline = s->deadline;
        }
    }
    uint64_t ns = deadline > now ? deadline - now : 0;
    left.tv_sec = (time_t)(ns / NS_PER_SECOND);
    left.tv_nsec = (long)(ns % NS_PER_SECOND);
    if (ppoll(fds, 1 + PIPES * run->options.jobs, deadline == NEVER ? NULL : &left, NULL) < 0) {
        fds[0].revents = 0; /* EINTR: nothing is known of the descriptors */
        for (unsigned i = 0; i < PIPES * run->options.jobs; i++) {
            fds[1 + i].revents = 0;
        }
    }
}

/* What came in time counts before the deadline does. */
static void handle_slot(struct run *run, struct slot *s, const struct pollfd *fds)
{
    if (fds[0].revents != 0) {
        slot_read_start(s, run);
    }
    if (fds[1].revents != 0) {
        slot_read(s, &s->child.console, &s->console);
    }
    if (fds[2].revents != 0) {
        slot_read(s, &s->child.messages, &s->messages);
    }
    if (child_has_ended(&s->child)) {
        end_slot(run, s);
    } else if (time_now() >= s->deadline) {
        slot_expire(s);
    }
}

static void loop(struct run *run, int signal_fd, struct pollfd *fds)
{
    fds[0] = (struct pollfd){.fd = signal_fd, .events = POLLIN};
    while (fill_slots(run) > 0) {
        wait_for_events(run, fds);
        if (fds[0].revents != 0) {
            read_signals(run, signal_fd);
        }
        for (unsigned i = 0; i < run->options.jobs; i++) {
            if (run->slots[i].result != NULL) {
                handle_slot(run, &run->slots[i], &fds[1 + PIPES * i]);
            }
        }
    }
}

/* --- around it ----------------------------------------------------------------------------- */

static bool is_ignored(int number)
{
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

static int watch_signals(struct run *run, struct err *e)
{
    static const int numbers[] = {SIGCHLD, SIGINT, SIGTERM, SIGQUIT};
    sigset_t set;

    signal(SIGCHLD, SIG_DFL); /* where it is ignored the kernel reaps children, and tells nobody */
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        sigaddset(&set, numbers[i]);
    }
    if (!is_ignored(SIGHUP)) { /* as nohup(1) does; a signalfd would give it all the same */
        sigaddset(&set, SIGHUP);
    }
    sigprocmask(SIG_BLOCK, &set, &run->signals);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd >= 0 ? fd : err_set(e, errno, "cannot watch signals: %s", strerror(errno));
}

static int make_folder(struct run *run, struct err *e)
{
    const char *tmp = getenv("TMPDIR");
    char *folder =
        pool_printf(run->pool, "%s/vmm-test.XXXXXX", tmp != NULL && tmp[0] == '/' ? tmp : "/tmp");

    if (mkdtemp(folder) == NULL) {
        int ret = err_set(e, errno, "cannot make a folder %s: %s", folder, strerror(errno));
        err_hint(e, "TMPDIR names another place");
        return ret;
    }
    run->folder = folder;
    return 0;
}

int run_boots(struct run *run, struct err *e)
{
    unsigned jobs = run->options.jobs;
    int signal_fd = watch_signals(run, e);
    int ret = signal_fd < 0 ? signal_fd : make_folder(run, e);

    if (ret < 0) {
        return ret;
    }
    run->slots = pool_alloc(run->pool, jobs * sizeof(run->slots[0]));
    loop(run, signal_fd, pool_alloc(run->pool, (1 + PIPES * (size_t)jobs) * sizeof(struct pollfd)));
    remove_folder(run->folder);
    close(signal_fd);
    sigprocmask(SIG_SETMASK, &run->signals, NULL);
    return 0;
}
