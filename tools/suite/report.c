/*
 * Results for a person, and TAP: see result.h.
 */
#include "tools/suite/result.h"

#include <string.h>

/* --- counting ---------------------------------------------------------------------- */

struct counts count_results(const struct result *results, size_t count)
{
    struct counts c = {0};

    for (size_t i = 0; i < count; i++) {
        switch (results[i].outcome) {
        case OUTCOME_PASSED:
            c.passed++;
            c.flaky += results[i].flaky;
            break;
        case OUTCOME_FAILED:
            c.failed++;
            break;
        case OUTCOME_NOT_RUN:
        case OUTCOME_SKIPPED:
            c.skipped++;
            break;
        }
    }
    return c;
}

void print_counts(const struct counts *c, FILE *to)
{
    fprintf(to, "%u passed, %u failed, %u skipped", c->passed, c->failed, c->skipped);
    if (c->flaky > 0) {
        fprintf(to, ", %u flaky", c->flaky);
    }
    fputc('\n', to);
}

static const char *skip_reason(const struct result *r)
{
    return r->reason != NULL ? r->reason : "not run: interrupted";
}

/* --- failures in detail ---------------------------------------------------------------- */

/* Control characters could do anything to a terminal. */
static void print_tail(const char *indent, const struct tail *t, FILE *to)
{
    bool at_start = true;

    for (size_t i = 0; i < t->length; i++) {
        unsigned char c = (unsigned char)t->text[i];
        if (at_start) {
            fputs(indent, to);
        }
        at_start = c == '\n';
        if (c != '\r') {
            fputc((c < ' ' && c != '\n' && c != '\t') || c == 0x7f ? '?' : c, to);
        }
    }
    if (!at_start) {
        fputc('\n', to);
    }
}

static void print_stream(const char *indent, const char *name, const struct tail *t, FILE *to)
{
    char deeper[16];

    if (t->text == NULL || (t->length == 0 && t->path == NULL)) {
        return;
    }
    fprintf(to, "%s%s (%lu line%s): %s\n", indent, name, t->lines, t->lines == 1 ? "" : "s",
            t->path != NULL ? t->path : "");
    snprintf(deeper, sizeof(deeper), "%s  ", indent);
    print_tail(deeper, t, to);
}

/* What is known of a failure: indent is at most 10 characters. */
static void print_details(const char *indent, const struct result *r, FILE *to)
{
    fprintf(to, "%s%s:%u: %s\n", indent, r->boot->file, r->boot->line, r->reason);
    if (r->command != NULL) {
        fprintf(to, "%scommand: %s\n", indent, r->command);
    }
    print_stream(indent, "console", &r->console, to);
    print_stream(indent, "messages", &r->messages, to);
}

void report_plain(const struct result *r, FILE *to)
{
    switch (r->outcome) {
    case OUTCOME_PASSED:
        fprintf(to, "ok - %s", r->boot->name);
        if (r->flaky) {
            fprintf(to, " # flaky: attempt %u passed, before: %s", r->attempts, r->reason);
        }
        fputc('\n', to);
        break;
    case OUTCOME_FAILED:
        fprintf(to, "not ok - %s\n", r->boot->name);
        print_details("    ", r, to);
        break;
    case OUTCOME_NOT_RUN:
    case OUTCOME_SKIPPED:
        fprintf(to, "skip - %s # %s\n", r->boot->name, skip_reason(r));
        break;
    }
}

/* --- TAP ----------------------------------------------------------------------------------- */

/* A '#' in a description would begin a directive, unless it is escaped. Names have none. */
void report_tap(const struct result *results, size_t count, FILE *to)
{
    fprintf(to, "TAP version 13\n1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        const struct result *r = &results[i];
        bool failed = r->outcome == OUTCOME_FAILED;
        fprintf(to, "%sok %zu - %s", failed ? "not " : "", i + 1, r->boot->name);
        if (r->outcome == OUTCOME_SKIPPED || r->outcome == OUTCOME_NOT_RUN) {
            fprintf(to, " # SKIP %s", skip_reason(r));
        }
        fputc('\n', to);
        if (failed) {
            print_details("# ", r, to);
        } else if (r->flaky) {
            fprintf(to, "# flaky: attempt %u passed, before: %s\n", r->attempts, r->reason);
        }
    }
}
