/*
 * Messages, one line each, on stderr if not said otherwise: "vmm: warning: ...". Guest console
 * bytes alone go to stdout. Lines end CR LF while the terminal is in raw mode.
 *
 * Locking: one write(2) a line; safe from any thread.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* At most about 1000 bytes a line; control characters (a hostile file name) show as '?'. */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "vmm: " kind text: what the others are made of. kind: "error: ", "" ... */
void log_message(const char *kind, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Where a thread's messages go instead of stderr: a machine of the library takes those of its
 * threads. line() may be called by several threads at once; text is without a line end, not
 * NUL-terminated. NULL: stderr. Threads begin with NULL: who makes one passes its own on.
 */
struct log_sink {
    void (*line)(void *opaque, const char *text, size_t len);
    void *opaque;
};
void log_set_sink(const struct log_sink *sink);
const struct log_sink *log_sink(void);

/* The console tells the log when the terminal needs "\r\n". */
void log_set_raw_terminal(bool raw);

/* How a line on stderr ends now: "\n" or "\r\n". */
const char *log_line_end(void);

/*
 * Mistakes of the guest: always counted, seldom printed. One such counter sits
 * at each place where a guest can do wrong; the first few are printed, then
 * each power of two ("... (1024 times)"), so that a hostile guest cannot flood
 * stderr. Never allocates.
 */
struct guest_errors {
    _Atomic uint64_t count;
};

void guest_error(struct guest_errors *g, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static inline uint64_t guest_error_count(const struct guest_errors *g)
{
    return atomic_load_explicit(&g->count, memory_order_relaxed);
}

#endif
