/*
 * Verdicts: see verdict.h.
 */
#include "tools/suite/verdict.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

/* How much of a line is quoted. */
#define QUOTED_BYTES 160

char *printable(struct pool *pool, const char *text, size_t length, size_t most)
{
    bool cut = length > most;
    char *copy = pool_copy(pool, text, cut ? most : length);
    size_t n = cut ? most : length;

    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)copy[i] < ' ' || copy[i] == 0x7f) {
            copy[i] = '?';
        }
    }
    return cut ? pool_printf(pool, "%s...", copy) : copy;
}

/* vmm's own message: what follows "vmm: error: ", else NULL. */
static const char *error_message(const struct watch *messages, struct pool *pool)
{
    static const char start[] = "vmm: error: ";
    const char *at = messages->length == 0
                         ? NULL
                         : memmem(messages->data, messages->length, start, strlen(start));
    if (at == NULL) {
        return NULL;
    }
    at += strlen(start);
    size_t left = (size_t)(messages->data + messages->length - at);
    const char *end = memchr(at, '\n', left);
    return printable(pool, at, end != NULL ? (size_t)(end - at) : left, QUOTED_BYTES);
}

/* Statuses of vmm that say how a guest ended. */
static const char *status_meaning(int status)
{
    switch (status) {
    case EXIT_TIMEOUT:
        return "vmm's --timeout ran out";
    case EXIT_CRASH:
        return "the guest crashed";
    case EXIT_PANIC:
        return "the guest's kernel panicked";
    case EXIT_INTERRUPT:
        return "vmm was interrupted";
    default:
        return NULL;
    }
}

static const char *forbidden(const char *stream, const struct watch *w, struct pool *pool)
{
    if (w->forbidden == NULL) {
        return NULL;
    }
    return pool_printf(
        pool, "forbidden pattern \"%s\" at %s line %lu: %s",
        printable(pool, w->forbidden->text, strlen(w->forbidden->text), QUOTED_BYTES), stream,
        w->forbidden_line,
        printable(pool, w->data + w->forbidden_at, w->forbidden_length, QUOTED_BYTES));
}

static const char *too_much(const char *stream, const struct watch *w, struct pool *pool)
{
    if (!w->over) {
        return NULL;
    }
    return pool_printf(pool, "printed more than %" PRIu64 " KiB on its %s (output-limit)",
                       (w->limit + 1023) / 1024, stream);
}

/* The first expected pattern that did not come, or NULL. */
static const char *missing(const char *stream, const struct watch *w, struct pool *pool)
{
    const struct list *expect = &w->wanted->expect;
    if (w->came == expect->count) {
        return NULL;
    }
    const struct pattern *p = list_at(expect, w->came);
    return pool_printf(pool, "%spattern %zu of %zu did not come: \"%s\"", stream, w->came + 1,
                       expect->count, printable(pool, p->text, strlen(p->text), QUOTED_BYTES));
}

static const char *wrong_status(const struct boot *b, const struct ending *end, struct pool *pool)
{
    if (WIFSIGNALED(end->wait_status)) {
        int number = WTERMSIG(end->wait_status);
        return pool_printf(pool, "vmm was killed by signal %d (%s)", number, strsignal(number));
    }
    int status = WEXITSTATUS(end->wait_status);
    if (status == b->status) {
        return NULL;
    }
    const char *why = status_meaning(status);
    if (why != NULL) {
        return pool_printf(pool, "%s (status %d, expected %d)", why, status, b->status);
    }
    why = status == EXIT_USAGE || status == EXIT_HOST || status == EXIT_NO_KVM
              ? error_message(end->messages, pool)
              : NULL;
    return pool_printf(pool, "status %d, expected %d%s%s", status, b->status,
                       why != NULL ? ": " : "", why != NULL ? why : "");
}

static const char *join(const char *a, const char *b, struct pool *pool)
{
    if (a == NULL || b == NULL) {
        return a != NULL ? a : b;
    }
    return pool_printf(pool, "%s; %s", a, b);
}

/* What did not come, of both streams. */
static const char *all_missing(const struct ending *end, struct pool *pool)
{
    return join(missing("", end->console, pool), missing("message ", end->messages, pool), pool);
}

static const char *time_limit(const struct boot *b, const struct ending *end, struct pool *pool)
{
    const char *what = all_missing(end, pool);
    const char *text = pool_printf(pool, "time limit of %g s ran out",
                                   (double)b->time_limit_ns / (double)NS_PER_SECOND);
    return join(text, what, pool);
}

static const char *failure(const struct boot *b, const struct ending *end, struct pool *pool)
{
    const char *reason = end->start_error;

    if (reason == NULL && end->stop == STOP_INTERRUPT) {
        reason = "interrupted";
    }
    if (reason == NULL) {
        reason = forbidden("console", end->console, pool);
    }
    if (reason == NULL) {
        reason = forbidden("message", end->messages, pool);
    }
    if (reason == NULL) {
        reason = too_much("console", end->console, pool);
    }
    if (reason == NULL) {
        reason = too_much("standard error", end->messages, pool);
    }
    if (reason == NULL && end->stop == STOP_TIME_LIMIT) {
        reason = time_limit(b, end, pool);
    }
    if (reason == NULL) {
        reason = join(wrong_status(b, end, pool), all_missing(end, pool), pool);
    }
    return reason;
}

/* Status 77 where nothing else went wrong first: vmm cannot run guests here. */
static bool is_skipped(const struct boot *b, const struct ending *end)
{
    return end->start_error == NULL && end->stop == STOP_NOT && WIFEXITED(end->wait_status) &&
           WEXITSTATUS(end->wait_status) == EXIT_NO_KVM && b->status != EXIT_NO_KVM;
}

enum outcome verdict(const struct boot *b, const struct ending *end, struct pool *pool,
                     const char **reason)
{
    if (is_skipped(b, end)) {
        const char *why = error_message(end->messages, pool);
        *reason = why != NULL ? why : "vmm cannot run guests here (status 77)";
        return OUTCOME_SKIPPED;
    }
    *reason = failure(b, end, pool);
    return *reason == NULL ? OUTCOME_PASSED : OUTCOME_FAILED;
}
