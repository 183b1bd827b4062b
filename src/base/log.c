/*
 * Messages on stderr: see log.h.
 */
#include "src/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

/* A guest mistake is printed this many times before only powers of two are. */
#define GUEST_ERRORS_PRINTED 4

static _Atomic bool raw_terminal;
static _Thread_local const struct log_sink *thread_sink;

void log_set_raw_terminal(bool raw)
{
    atomic_store(&raw_terminal, raw && isatty(STDERR_FILENO));
}

const char *log_line_end(void)
{
    return atomic_load_explicit(&raw_terminal, memory_order_relaxed) ? "\r\n" : "\n";
}

void log_set_sink(const struct log_sink *sink)
{
    thread_sink = sink;
}

const struct log_sink *log_sink(void)
{
    return thread_sink;
}

/* One "vmm: kind text tail" line in one write, so that lines of threads do not mix. */
static void __attribute__((format(printf, 3, 0)))
print_line(const char *kind, const char *tail, const char *fmt, va_list ap)
{
    char line[LINE_MAX_BYTES];
    const size_t room = sizeof(line) - strlen("\r\n");
    size_t len = (size_t)snprintf(line, room, "vmm: %s", kind);
    int text = vsnprintf(line + len, room - len, fmt, ap);
    if (text < 0) {
        return;
    }
    len = strlen(line);
    len += (size_t)snprintf(line + len, room - len, "%s", tail);
    if (len > room - 1) { /* the tail was cut */
        len = room - 1;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)line[i];
        if (c < ' ' || c == 0x7f) {
            line[i] = '?';
        }
    }
    if (thread_sink != NULL) {
        thread_sink->line(thread_sink->opaque, line, len);
        return;
    }
    const char *end = log_line_end();
    memcpy(line + len, end, strlen(end));
    len += strlen(end);
    while (write(STDERR_FILENO, line, len) < 0 && errno == EINTR) {
    }
}

void log_message(const char *kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    print_line(kind, "", fmt, ap);
    va_end(ap);
}

void log_warn(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    print_line("warning: ", "", fmt, ap);
    va_end(ap);
}

void log_info(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    print_line("", "", fmt, ap);
    va_end(ap);
}

void guest_error(struct guest_errors *g, const char *fmt, ...)
{
    uint64_t n = atomic_fetch_add_explicit(&g->count, 1, memory_order_relaxed) + 1;
    if (n > GUEST_ERRORS_PRINTED && (n & (n - 1)) != 0) {
        return;
    }
    char tail[40] = "";
    if (n > GUEST_ERRORS_PRINTED) {
        snprintf(tail, sizeof(tail), " (%" PRIu64 " times)", n);
    }
    va_list ap;
    va_start(ap, fmt);
    print_line("guest: ", tail, fmt, ap);
    va_end(ap);
}
