/*
 * One boot that runs: see slot.h.
 */
#include "tools/suite/slot.h"

#include "tools/suite/command.h"
#include "tools/suite/kept.h"

#include <errno.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* vmm ends at once when it is told; one that does not is killed. */
#define GRACE_NS (2 * NS_PER_SECOND)

uint64_t time_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_SECOND + (uint64_t)ts.tv_nsec;
}

/* --- folders ---------------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    remove(path);
    return 0;
}

void remove_folder(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- beginning -------------------------------------------------------------------- */

static const char *folder_of(const struct run *run, const struct boot *b)
{
    return pool_printf(run->pool, "%s/%s", run->folder, b->name);
}

static int start(struct slot *s, struct run *run, struct err *e)
{
    const struct boot *b = s->result->boot;
    const struct boot *state = s->result->state != NULL ? s->result->state->boot : NULL;
    const char *snapshot = NULL;

    if (state != NULL || b->prepares) {
        const char *folder = state != NULL ? folder_of(run, state) : s->folder;
        snapshot = pool_printf(run->pool, "%s/snapshot", folder);
    }
    char **argv = command_build(b, run->options.vmm, snapshot, run->pool);
    s->result->command = command_text(argv, run->pool);
    if (mkdir(s->folder, 0700) < 0) {
        return err_set(e, errno, "cannot make the folder %s: %s", s->folder, strerror(errno));
    }
    struct plan plan = {
        .argv = argv,
        .folder = s->folder,
        .disks = state != NULL ? NULL : &b->disks,
        .input = b->input,
        .input_text = b->input_text,
        .input_length = b->input_length,
        .signals = &run->signals,
    };
    return child_start(&s->child, &plan, e);
}

void slot_begin(struct slot *s, struct run *run, struct result *r)
{
    const struct boot *b = r->boot;
    struct err e = ERR_INIT;

    *s = (struct slot){.result = r, .deadline = NEVER, .began = time_now()};
    s->folder = folder_of(run, b);
    watch_init(&s->console, &b->console, b->output_limit);
    watch_init(&s->messages, &b->messages, b->output_limit);
    if (r->attempts == 0) {
        kept_forget(run->options.logs, b->name);
    }
    r->attempts++;
    r->outcome = OUTCOME_NOT_RUN; /* again: what is from it waits for this attempt */
    run->listener.began(run->listener.opaque, b);
    if (start(s, run, &e) < 0) {
        s->child = (struct child){.pid = 0, .start = -1, .console = -1, .messages = -1};
        s->start_error = pool_copy(run->pool, e.what, strlen(e.what));
        slot_end(s, run);
    }
}

/* --- while it runs ----------------------------------------------------------------- */

void slot_read_start(struct slot *s, struct run *run)
{
    char why[sizeof(((struct err *)NULL)->what)];
    ssize_t n = read(s->child.start, why, sizeof(why));

    if (n < 0) {
        return;
    }
    if (n > 0) {
        s->start_error = printable(run->pool, why, strnlen(why, (size_t)n), sizeof(why));
        return;
    }
    close(s->child.start);
    s->child.start = -1;
    if (s->start_error == NULL && s->stop == STOP_NOT) {
        s->began = time_now();
        s->deadline = s->began + s->result->boot->time_limit_ns;
    }
}

/* Whether there may be more. */
static bool read_some(int *fd, struct watch *w)
{
    static char buffer[WATCH_LINE_MAX];
    ssize_t n = read(*fd, buffer, sizeof(buffer));

    if (n > 0) {
        watch_feed(w, buffer, (size_t)n);
        return !w->over;
    }
    if (n == 0) {
        close(*fd);
        *fd = -1;
    }
    return false;
}

void slot_read(struct slot *s, int *fd, struct watch *w)
{
    read_some(fd, w);
    if (s->console.forbidden != NULL || s->console.over || s->messages.over) {
        slot_stop(s, STOP_OUTPUT);
    }
}

void slot_stop(struct slot *s, enum stop why)
{
    if (s->stop == STOP_NOT) {
        s->stop = why;
        s->deadline = time_now() + GRACE_NS;
        child_signal(&s->child, SIGTERM);
    }
}

void slot_expire(struct slot *s)
{
    if (s->stop == STOP_NOT) {
        slot_stop(s, STOP_TIME_LIMIT);
    } else {
        s->deadline = NEVER;
        child_signal(&s->child, SIGKILL);
    }
}

/* --- the end ------------------------------------------------------------------------ */

/* Its group is dead or about to be: what is in the pipes is all. */
static void read_rest(struct slot *s, struct run *run)
{
    if (s->child.start >= 0) {
        slot_read_start(s, run);
    }
    while (s->child.console >= 0 && read_some(&s->child.console, &s->console)) {
    }
    while (s->child.messages >= 0 && read_some(&s->child.messages, &s->messages)) {
    }
    watch_end(&s->console);
    watch_end(&s->messages);
}

static void keep(struct slot *s, struct run *run, enum outcome outcome)
{
    struct result *r = s->result;
    struct tail console;
    struct tail messages;
    struct err e = ERR_INIT;

    if (outcome != OUTCOME_FAILED && !run->options.keep_all) {
        return;
    }
    console = tail_of(&s->console, run->pool);
    messages = tail_of(&s->messages, run->pool);
    if (kept_write(run->options.logs, r, run->pool, &s->console, &s->messages, &console, &messages,
                   &e) < 0) {
        fprintf(stderr, "vmm-test: error: %s\n", e.what);
        run->write_failed = true;
    }
    if (outcome == OUTCOME_FAILED) {
        r->console = console;
        r->messages = messages;
    }
}

/* A state that was not saved is none. */
static enum outcome check_state(const struct slot *s, struct run *run, const char **reason)
{
    const char *path = pool_printf(run->pool, "%s/snapshot", s->folder);
    if (access(path, F_OK) == 0) {
        return OUTCOME_PASSED;
    }
    *reason = "vmm saved no snapshot";
    return OUTCOME_FAILED;
}

void slot_end(struct slot *s, struct run *run)
{
    struct result *r = s->result;
    const char *reason = NULL;
    struct ending end = {.console = &s->console, .messages = &s->messages};

    r->seconds = (double)(time_now() - s->began) / (double)NS_PER_SECOND;
    if (s->child.pid > 0) {
        child_signal(&s->child, SIGKILL); /* the rest of the group: nobody writes any more */
        read_rest(s, run);
        end.wait_status = child_end(&s->child);
    }
    end.stop = s->stop;
    end.start_error = s->start_error;
    enum outcome outcome = verdict(r->boot, &end, run->pool, &reason);
    if (outcome == OUTCOME_PASSED && r->boot->prepares) {
        outcome = check_state(s, run, &reason);
    }
    keep(s, run, outcome);
    watch_free(&s->console);
    watch_free(&s->messages);
    if (!r->boot->prepares || outcome != OUTCOME_PASSED) {
        remove_folder(s->folder);
    }
    r->outcome = outcome;
    r->flaky = outcome == OUTCOME_PASSED && r->attempts > 1;
    if (!r->flaky) {
        r->reason = reason;
    }
    s->result = NULL;
}
