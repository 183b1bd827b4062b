/*
 * Running a machine of the library to what its user waits for.
 *
 * vCPU threads look at each guest event as it happens; whoever finds what ends the run first notes
 * it and asks for a stop, and the thread in vmm_run() returns once all vCPUs are paused.
 */
#include "src/run.h"
#include "src/console/memory.h"
#include "src/lib/internal.h"
#include "src/vm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_DEFAULT  1000000
#define CPU_MS_DEFAULT  5000
#define IDLE_MS_DEFAULT 5000
#define LINE_PIECE      4096 /* of a line on the console; vmm.h says so */

/* --- on vCPU threads ------------------------------------------------------- */

void lib_found(struct vmm *m, enum vmm_why why, const struct exit_record *record)
{
    const struct exit_record none = {0};
    struct found *f = &m->found;

    pthread_mutex_lock(&m->found_lock);
    if (!f->any || (why == VMM_MATCHED && f->why == VMM_MATCHED && record != NULL &&
                    record->number < f->record.number)) {
        *f = (struct found){.any = true, .why = why, .record = record != NULL ? *record : none};
    }
    pthread_mutex_unlock(&m->found_lock);
    run_stop(m->machine);
}

static bool wanted(const struct vmm *m, const struct exit_record *record)
{
    struct vmm_exit x;

    if (m->goal.pattern == NULL) {
        return m->goal.next_exit;
    }
    lib_describe(m, record, &x);
    return vmm_pattern_matches(m->goal.pattern, &x);
}

static void on_event(void *opaque, const struct exit_record *record)
{
    struct vmm *m = opaque;

    if (wanted(m, record)) {
        lib_found(m, VMM_MATCHED, record);
    } else if (record->number >= m->events_end) {
        lib_found(m, VMM_EVENTS, NULL);
    }
}

static void on_silent(void *opaque, unsigned cpu)
{
    (void)cpu;
    lib_found(opaque, VMM_SILENT, NULL);
}

/* --- the console ----------------------------------------------------------- */

/* Does the text, from the line at m->line on, have what is waited for? Complete lines are passed,
 * and so are pieces of one that does not end: each byte that comes has all of the rest compared. */
static bool find_line(struct vmm *m, const char *text, size_t len)
{
    while (true) {
        const char *line = text + m->line;
        const size_t left = len - m->line;
        const size_t here = left < LINE_PIECE ? left : LINE_PIECE;
        const char *end = memchr(line, '\n', here);
        const size_t line_len = end != NULL ? (size_t)(end - line) : here;
        regmatch_t match = {.rm_so = 0, .rm_eo = (regoff_t)line_len};

        if (regexec(m->goal.regex, line, 1, &match, REG_STARTEND) == 0) {
            m->match_end = m->line + (size_t)match.rm_eo;
            return true;
        }
        if (end == NULL && here < LINE_PIECE) {
            return false;
        }
        m->line += line_len + (end != NULL);
    }
}

/* On the thread that writes, under the console's lock. */
static void on_output(void *opaque, const char *text, size_t len)
{
    struct vmm *m = opaque;

    if (m->match_end == 0 && find_line(m, text, len)) {
        lib_found(m, VMM_MATCHED, NULL);
    }
}

/* --- the run --------------------------------------------------------------- */

static struct vmm_limits effective(const struct vmm *m, const struct vmm_limits *limits)
{
    struct vmm_limits l = limits != NULL ? *limits : m->limits;

    l.events = l.events != 0 ? l.events : EVENTS_DEFAULT;
    l.cpu_ms = l.cpu_ms != 0 ? l.cpu_ms : CPU_MS_DEFAULT;
    l.idle_ms = l.idle_ms != 0 ? l.idle_ms : IDLE_MS_DEFAULT;
    return l;
}

void vmm_set_limits(struct vmm *m, const struct vmm_limits *limits)
{
    m->limits = limits != NULL ? *limits : (struct vmm_limits){0};
}

static const char *status_text(int status)
{
    switch (status) {
    case EXIT_OK:
        return "the guest powered off";
    case EXIT_PANIC:
        return "the guest panicked";
    default:
        return "the guest ended with a status of its own";
    }
}

static void describe_stop(const struct vmm *m, const struct vmm_limits *l, struct vmm_stop *s)
{
    const struct run *run = &m->machine->vm->run;
    char *text = s->text;
    const size_t size = sizeof(s->text);

    switch (s->why) {
    case VMM_MATCHED:
        snprintf(text, size, "what was waited for came");
        break;
    case VMM_EVENTS:
        snprintf(text, size, "%" PRIu64 " guest events came", l->events);
        break;
    case VMM_SILENT:
        snprintf(text, size, "a vCPU ran for %u ms without a guest event", l->cpu_ms);
        break;
    case VMM_IDLE:
        snprintf(text, size, "the guest waited for an interrupt for %u ms", l->idle_ms);
        break;
    case VMM_DEAD:
        snprintf(text, size, "all vCPUs are halted with interrupts off");
        break;
    case VMM_ENDED:
        snprintf(text, size, "%s",
                 run->crash != NULL ? run->crash->reason : status_text(run->status));
        break;
    case VMM_STOPPED:
        snprintf(text, size, "vmm_interrupt() was called");
        break;
    }
}

/* Events that came while the vCPUs were stopping, not looked at yet. True: one is what is wanted.
 */
static bool look_back(struct vmm *m)
{
    const uint64_t behind = vmm_events(m) - m->looked;
    const size_t kept = (size_t)m->config.cpus * m->exits_kept;
    const size_t max = behind < kept ? (size_t)behind : kept;
    struct exit_record *list = max != 0 ? calloc(max, sizeof(*list)) : NULL;
    const size_t n = list != NULL ? recorder_last(m->recorder, m->looked, list, max) : 0;
    bool found = false;

    for (size_t i = 0; i < n && !found; i++) {
        m->looked = list[i].number;
        found = wanted(m, &list[i]);
        if (found) {
            m->found = (struct found){.any = true, .why = VMM_MATCHED, .record = list[i]};
        }
    }
    free(list);
    return found;
}

/* Let it run until something is found or it ends. */
static bool go(struct vmm *m)
{
    bool ended = false;

    clock_resume(&m->machine->clock);
    while (!ended && !m->found.any && !atomic_load(&m->interrupted)) {
        ended = run_go(m->machine);
    }
    clock_pause(&m->machine->clock);
    return ended;
}

/* What came first, from what was found and whether the machine ended. */
static void conclude(struct vmm *m, bool ended, const struct vmm_limits *l, struct vmm_stop *s)
{
    const struct found *f = &m->found;
    const bool matched = f->any && f->why == VMM_MATCHED;

    *s = (struct vmm_stop){.why = f->why};
    if (ended && !matched) {
        s->why = VMM_ENDED;
        s->status = m->machine->vm->run.status;
    } else if (!f->any) {
        s->why = VMM_STOPPED;
        atomic_store(&m->interrupted, false);
    }
    if (matched && f->record.number != 0) {
        lib_describe(m, &f->record, &s->exit);
    }
    m->looked = s->exit.number != 0 ? s->exit.number : vmm_events(m);
    describe_stop(m, l, s);
    m->last = *s;
}

static int run(struct vmm *m, const struct vmm_limits *limits, struct vmm_stop *stop,
               struct vmm_error *e)
{
    const struct vmm_limits l = effective(m, limits);
    const struct run *inner = &m->machine->vm->run;
    bool ended = false;

    m->events_end = vmm_events(m) + l.events;
    m->recorder->event = on_event;
    m->recorder->silent = on_silent;
    m->recorder->opaque = m;
    m->ran = true;
    if (!m->found.any) {
        const int ret = watch_begin(m, &l, e);
        if (ret < 0) {
            return ret;
        }
        ended = go(m);
        watch_end(m);
    }
    conclude(m, ended, &l, stop);
    if (inner->err.what[0] != '\0') {
        lib_error(e, &inner->err);
        return -EIO;
    }
    return 0;
}

/* Begin a run that looks for goal. */
static int run_to(struct vmm *m, const struct goal *goal, const struct vmm_limits *limits,
                  struct vmm_stop *stop, struct vmm_error *e)
{
    struct vmm_stop ignored;
    const struct log_sink *outer = lib_enter(m);
    int ret;

    m->goal = *goal;
    m->found = (struct found){0};
    m->line = m->match_end = 0;
    if (!m->loaded) {
        ret = lib_fail(e, EINVAL, "there is nothing to run: use vmm_load(), or the option kernel");
    } else {
        if (goal->next_exit || goal->pattern != NULL) {
            look_back(m);
        }
        ret = run(m, limits, stop != NULL ? stop : &ignored, e);
    }
    m->goal = (struct goal){0};
    lib_leave(outer);
    return ret;
}

int vmm_run(struct vmm *m, const struct vmm_limits *limits, struct vmm_stop *stop,
            struct vmm_error *e)
{
    return run_to(m, &(struct goal){0}, limits, stop, e);
}

int vmm_run_to_exit(struct vmm *m, const struct vmm_pattern *p, const struct vmm_limits *limits,
                    struct vmm_stop *stop, struct vmm_error *e)
{
    return run_to(m, &(struct goal){.next_exit = p == NULL, .pattern = p}, limits, stop, e);
}

/* The console is kept, and looked at by on_output(). */
static int run_to_line(struct vmm *m, const regex_t *regex, const struct vmm_limits *limits,
                       struct vmm_stop *stop, struct vmm_error *e)
{
    struct chardev *console = m->machine->console;
    size_t len;
    int ret;

    m->goal.regex = regex;
    m->line = m->match_end = 0;
    const char *text = memory_console_text(console, &len);
    if (find_line(m, text, len)) {
        *stop = (struct vmm_stop){.why = VMM_MATCHED};
        describe_stop(m, &m->limits, stop);
        ret = 0;
    } else {
        memory_console_watch(console, on_output, m);
        ret = run_to(m, &(struct goal){.regex = regex}, limits, stop, e);
        memory_console_watch(console, NULL, NULL);
    }
    memory_console_forget(console, m->match_end);
    return ret;
}

int vmm_run_to_console(struct vmm *m, const char *regex, const struct vmm_limits *limits,
                       struct vmm_stop *stop, struct vmm_error *e)
{
    struct vmm_stop ignored;
    char why[100];
    regex_t compiled;

    if (m->config.console != NULL) {
        return lib_fail(e, EINVAL, "the machine has no console (console=null)");
    }
    const int bad = regcomp(&compiled, regex, REG_EXTENDED);
    if (bad != 0) {
        regerror(bad, &compiled, why, sizeof(why));
        return lib_fail(e, EINVAL, "'%s' is no regular expression: %s", regex, why);
    }
    const int ret = run_to_line(m, &compiled, limits, stop != NULL ? stop : &ignored, e);
    regfree(&compiled);
    return ret;
}

void vmm_interrupt(struct vmm *m)
{
    atomic_store(&m->interrupted, true);
    run_stop(m->machine);
}
