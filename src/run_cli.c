/*
 * Running a machine from the command line: see run_cli.h.
 */
#include "src/run_cli.h"

#include "src/console/chardev.h"
#include "src/exec/exec.h"
#include "src/run.h"
#include "src/vm.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* What ends a run from outside. */
struct watch {
    struct machine *m;
    struct timer timeout;
    bool timed_out;
    struct loop_fd signals; /* fd -1: not watched */
};

static void on_timeout(void *opaque)
{
    struct watch *w = opaque;

    w->timed_out = true;
    if (w->m->exec == NULL || !exec_timeout(w->m->exec)) {
        run_end(w->m, EXIT_TIMEOUT);
    }
}

static void on_signal(void *opaque, uint32_t events)
{
    struct watch *w = opaque;
    struct signalfd_siginfo info;

    (void)events;
    if (read(w->signals.fd, &info, sizeof(info)) != sizeof(info)) {
        return;
    }
    if (w->m->exec == NULL || !exec_signal(w->m->exec, (int)info.ssi_signo)) {
        run_end(w->m, EXIT_INTERRUPT);
    }
}

/*
 * SIGINT and friends become an event of the loop; threads made from here on inherit the mask. One
 * that is ignored from the start stays so: nohup(1) says so, and a shell does of its background
 * jobs.
 */
static int watch_signals(struct watch *w, struct err *e)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction now;
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN) {
            sigaddset(&set, signals[i]);
        }
    }
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    w->signals = (struct loop_fd){
        .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .ready = on_signal, .opaque = w};
    if (w->signals.fd < 0) {
        return err_set(e, errno, "cannot watch signals: %s", strerror(errno));
    }
    return loop_add_fd(w->m->loop, &w->signals, EPOLLIN);
}

static void unwatch(struct watch *w)
{
    timer_cancel(&w->timeout);
    if (w->signals.fd >= 0) {
        loop_del_fd(w->m->loop, &w->signals);
        close(w->signals.fd);
    }
}

/* --snapshot-save promised a file. */
static void miss_snapshot(const struct config *c, struct run *run)
{
    run->status = EXIT_HOST;
    err_set(&run->err, ENODATA, "no snapshot was made: the guest ended before it was ready");
    if (c->save.pattern != NULL) {
        err_hint(&run->err, "no line of its console had '%s'", c->save.pattern);
    } else {
        err_hint(&run->err,
                 "it never wrote to the device snapshot-ready; when=console:TEXT waits for a "
                 "text instead");
    }
}

/* Say on stderr why the run ended, where the status alone does not. */
static void explain_end(const struct watch *w)
{
    const struct machine *m = w->m;
    const struct run *run = &m->vm->run;
    struct err e = ERR_INIT;

    if (run->crash != NULL && run->status == (int)run->crash->status) {
        crash_print(run->crash, stderr);
    } else if (run->err.what[0] != '\0') {
        err_print(&run->err);
    } else if (w->timed_out && run->status == EXIT_TIMEOUT) { /* else it is a program's own */
        err_set(&e, ETIMEDOUT, "the guest did not end within --timeout %g seconds",
                (double)m->config->timeout_ns / (double)NS_PER_SEC);
        err_print(&e);
    }
}

static void run_to_end(struct watch *w)
{
    struct machine *m = w->m;

    if (m->config->timeout_ns != 0) {
        timer_arm(&w->timeout, clock_now(&m->clock) + m->config->timeout_ns);
    }
    run_go(m);
    vcpus_stop(&m->vm->vcpus);
    chardev_flush(m->console);
    chardev_restore_terminal(); /* what follows has lines of its own */
    if (m->exec != NULL) {
        exec_explain(m->exec);
    }
    if (m->config->save.path != NULL && !m->vm->run.saved && m->vm->run.status == EXIT_OK) {
        miss_snapshot(m->config, &m->vm->run);
    }
    explain_end(w);
    if (m->config->info_at_end) {
        machine_info(m, m->config->info, stderr); /* stdout is the guest's */
    }
}

int run_cli(struct machine *m)
{
    struct watch w = {.m = m, .signals.fd = -1};
    struct err e = ERR_INIT;
    int ret = run_start(m, &e);
    int status;

    timer_init(&w.timeout, m->loop, on_timeout, &w);
    if (ret == 0) {
        ret = watch_signals(&w, &e);
    }
    if (ret == 0) {
        run_to_end(&w);
        status = m->vm->run.status;
    } else {
        err_print(&e);
        status = (int)e.status;
    }
    vcpus_stop(&m->vm->vcpus);
    unwatch(&w);
    return status;
}
