/*
 * Trace points: see trace.h. The JSON form is the "JSON Array Format" of the
 * Trace Event Format that Chrome and Perfetto read.
 */
#include "src/base/trace.h"

#include "src/base/log.h"
#include "src/base/opts.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX 512

static const struct {
    const char *name;
    const char *meaning;
} events[TRACE_EVENT_COUNT] = {
#define TRACE_ROW(ev, text) {.name = #ev, .meaning = (text)},
    TRACE_EVENTS(TRACE_ROW)
#undef TRACE_ROW
};

_Atomic unsigned char trace_enabled[TRACE_EVENT_COUNT];

/* Where events go; set before threads start. */
static int trace_fd = STDERR_FILENO;
static bool trace_json;
static uint64_t start_ns; /* event times count from here */

const char *trace_name(enum trace_event event)
{
    return events[event].name;
}

const char *trace_meaning(enum trace_event event)
{
    return events[event].meaning;
}

static uint64_t monotonic_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

/* --- switches --------------------------------------------------------- */

static int unknown_pattern(const char *pattern, struct err *e)
{
    struct opt_guess guess;
    opt_guess_start(&guess, pattern);
    for (size_t i = 0; i < TRACE_EVENT_COUNT; i++) {
        opt_guess_try(&guess, events[i].name);
    }
    int ret = err_set(e, EINVAL, "no trace event matches '%s'", pattern);
    if (guess.best != NULL) {
        err_hint(e, "did you mean '%s'?", guess.best);
    } else {
        err_hint(e, "--trace help lists the events");
    }
    return ret;
}

static bool enable_matching(const char *pattern)
{
    bool found = false;
    for (size_t i = 0; i < TRACE_EVENT_COUNT; i++) {
        if (fnmatch(pattern, events[i].name, 0) == 0) {
            atomic_store_explicit(&trace_enabled[i], 1, memory_order_relaxed);
            found = true;
        }
    }
    return found;
}

int trace_enable(const char *patterns, struct err *e)
{
    char *copy = strdup(patterns);
    if (copy == NULL) {
        return err_set(e, ENOMEM, "out of memory");
    }
    if (start_ns == 0) {
        start_ns = monotonic_ns();
    }
    int ret = 0;
    char *rest = copy;
    while (ret == 0 && rest != NULL) {
        const char *pattern = strsep(&rest, ",");
        if (!enable_matching(pattern)) {
            ret = unknown_pattern(pattern, e);
        }
    }
    free(copy);
    return ret;
}

/* --- output ----------------------------------------------------------- */

static void write_once(const char *data, size_t len)
{
    while (write(trace_fd, data, len) < 0 && errno == EINTR) {
    }
}

int trace_open(const char *path, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) {
        return err_set(e, errno, "cannot write trace file '%s', %s", path, strerror(errno));
    }
    trace_close();
    trace_fd = fd;
    size_t len = strlen(path);
    trace_json = len >= 5 && strcmp(path + len - 5, ".json") == 0;
    if (trace_json) {
        /* One event that always comes first lets each later one begin with its comma. */
        static const char head[] = "[\n{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,"
                                   "\"args\":{\"name\":\"vmm\"}}";
        write_once(head, sizeof(head) - 1);
    }
    return 0;
}

void trace_close(void)
{
    if (trace_fd == STDERR_FILENO) {
        return;
    }
    if (trace_json) {
        write_once("\n]\n", 3);
    }
    close(trace_fd);
    trace_fd = STDERR_FILENO;
    trace_json = false;
}

/* text as the inside of a JSON string. out has room for 6 bytes a byte, and NUL. */
static void json_escape(char *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            *out++ = '\\';
            *out++ = (char)c;
        } else if (c < ' ' || c >= 0x7f) {
            out += sprintf(out, "\\u%04x", (unsigned)c);
        } else {
            *out++ = (char)c;
        }
    }
    *out = '\0';
}

static pid_t thread_id(void)
{
    static _Thread_local pid_t tid;
    if (tid == 0) {
        tid = gettid();
    }
    return tid;
}

void trace_emit(enum trace_event event, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);

    uint64_t ns = monotonic_ns() - start_ns;
    uint64_t us = ns / 1000;
    unsigned frac = (unsigned)(ns % 1000);
    char line[TEXT_MAX * 6 + 256];
    int len;
    if (trace_json) {
        char escaped[TEXT_MAX * 6];
        json_escape(escaped, text);
        len = snprintf(line, sizeof(line),
                       ",\n{\"name\":\"%s\",\"ph\":\"i\",\"s\":\"t\",\"pid\":1,\"tid\":%d,"
                       "\"ts\":%" PRIu64 ".%03u,\"args\":{\"text\":\"%s\"}}",
                       events[event].name, (int)thread_id(), us, frac, escaped);
    } else {
        len = snprintf(line, sizeof(line), "trace: %9" PRIu64 ".%03u %s %s%s", us, frac,
                       events[event].name, text, trace_fd == STDERR_FILENO ? log_line_end() : "\n");
    }
    write_once(line, (size_t)len);
}
