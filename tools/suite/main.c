/*
 * vmm-test: runs suites of boots of vmm. This file is the table of contents:
 * read the suites, choose boots, run them, report.
 *
 *   suite.h, parse.c, keywords.c, words.c, pattern.c   what is to be run
 *   run.c, slot.c, child.c, disks.c, command.c          running it
 *   watch.c, verdict.c                                  what came, and what that means
 *   report.c, junit.c, screen.c, kept.c, outfile.c      telling
 */
#include "src/base/reserve.h"
#include "tools/suite/options.h"
#include "tools/suite/outfile.h"
#include "tools/suite/screen.h"

#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_SOME_FAILED = 1 };

static int complain(const struct err *e, int status)
{
    fprintf(stderr, "vmm-test: error: %s\n", e->what);
    if (e->hint[0] != '\0') {
        fprintf(stderr, "vmm-test: hint: %s\n", e->hint);
    }
    return status;
}

/* All files, so that mistakes of all are seen. 0 or an exit status. */
static int read_suites(const struct options *o, struct suite *suite)
{
    int status = 0;

    for (int i = 0; i < o->suite_count; i++) {
        struct err e = ERR_INIT;
        if (suite_read(suite, o->suites[i], stderr, &e) < 0) {
            status = EXIT_USAGE;
            if (e.what[0] != '\0') {
                complain(&e, status);
            }
        }
    }
    return status;
}

/* --- choosing --------------------------------------------------------------------- */

static bool is_wanted(const struct options *o, const struct boot *b)
{
    bool wanted = o->filters.count == 0;
    for (size_t i = 0; i < o->filters.count && !wanted; i++) {
        wanted = fnmatch(list_at(&o->filters, i), b->name, 0) == 0;
    }
    return wanted;
}

/* A state is chosen with the first boot that is from it. */
static bool is_needed(const struct options *o, const struct suite *suite, const struct boot *b)
{
    for (size_t i = 0; b->prepares && i < suite->boots.count; i++) {
        const struct boot *other = list_at(&suite->boots, i);
        if (other->from != NULL && strcmp(other->from, b->name) == 0 && is_wanted(o, other)) {
            return true;
        }
    }
    return is_wanted(o, b);
}

static const struct result *result_of(const struct run *run, const char *state)
{
    for (size_t i = 0; state != NULL && i < run->count; i++) {
        const struct boot *b = run->results[i].boot;
        if (b->prepares && strcmp(b->name, state) == 0) {
            return &run->results[i];
        }
    }
    return NULL;
}

static void choose(const struct options *o, struct suite *suite, struct run *run)
{
    run->results = pool_alloc(&suite->pool, suite->boots.count * sizeof(run->results[0]));
    for (size_t i = 0; i < suite->boots.count; i++) {
        const struct boot *b = list_at(&suite->boots, i);
        if (is_needed(o, suite, b)) {
            run->results[run->count++].boot = b;
        }
    }
    for (size_t i = 0; i < run->count; i++) {
        run->results[i].state = result_of(run, run->results[i].boot->from);
    }
}

/* --- running ----------------------------------------------------------------------- */

static bool write_report(const char *path, const struct run *run,
                         void (*report)(const struct result *results, size_t count, FILE *to))
{
    struct err e = ERR_INIT;
    char *text = NULL;
    size_t length;

    if (path == NULL) {
        return true;
    }
    FILE *to = open_memstream(&text, &length);
    if (to != NULL) {
        report(run->results, run->count, to);
    }
    if (to == NULL || fclose(to) != 0) {
        err_set(&e, errno, "cannot make the report %s: %s", path, strerror(errno));
    } else {
        outfile_write(path, text, length, &e);
    }
    free(text);
    if (e.what[0] != '\0') {
        complain(&e, EXIT_HOST);
    }
    return e.what[0] == '\0';
}

static int status_of(const struct run *run, const struct counts *c, bool reported)
{
    if (run->interrupted) {
        return EXIT_INTERRUPT;
    }
    if (!reported || run->write_failed) {
        return EXIT_HOST;
    }
    return c->failed > 0 ? STATUS_SOME_FAILED : EXIT_OK;
}

static void tell_interrupted(const struct run *run)
{
    size_t left = 0;

    for (size_t i = 0; i < run->count; i++) {
        left += run->results[i].outcome == OUTCOME_NOT_RUN;
    }
    if (run->interrupted) {
        fprintf(stderr, "vmm-test: interrupted; %zu of %zu boots were not run\n", left, run->count);
    }
}

/* People read standard error where a report has standard output. */
static FILE *screen_stream(const struct options *o)
{
    bool taken = (o->tap != NULL && strcmp(o->tap, "-") == 0) ||
                 (o->junit != NULL && strcmp(o->junit, "-") == 0);
    return taken ? stderr : stdout;
}

static int run_suite(const struct options *o, struct suite *suite, struct run *run)
{
    struct screen screen;
    struct err e = ERR_INIT;

    signal(SIGPIPE, SIG_IGN); /* and a file too large: errors of write() */
    signal(SIGXFSZ, SIG_IGN);
    screen_init(&screen, screen_stream(o), &suite->pool, run->count);
    run->options = o->run;
    run->pool = &suite->pool;
    run->listener = (struct run_listener){screen_began, screen_ended, &screen};
    if (run_boots(run, &e) < 0) {
        return complain(&e, EXIT_HOST);
    }
    bool reported = write_report(o->tap, run, report_tap);
    reported = write_report(o->junit, run, report_junit) && reported;
    struct counts c = count_results(run->results, run->count);
    tell_interrupted(run);
    screen_finish(&screen, &c);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        err_set(&e, EIO, "cannot write to standard output");
        complain(&e, EXIT_HOST);
        reported = false;
    }
    return status_of(run, &c, reported);
}

static int act(const struct options *o, struct suite *suite)
{
    struct run run = {0};
    struct err e = ERR_INIT;
    int status;

    if (o->action == ACTION_HELP) {
        options_help(stdout);
        return EXIT_OK;
    }
    if (o->action == ACTION_VERSION) {
        puts("vmm-test " VMM_VERSION);
        return EXIT_OK;
    }
    status = read_suites(o, suite);
    if (status != 0) {
        return status;
    }
    choose(o, suite, &run);
    if (run.count == 0) {
        err_set(&e, ENOENT, "no boot has a name that --filter asks for");
        err_hint(&e, "vmm-test --list prints the names");
        return complain(&e, EXIT_USAGE);
    }
    if (o->action == ACTION_LIST) {
        for (size_t i = 0; i < run.count; i++) {
            puts(run.results[i].boot->name);
        }
        return EXIT_OK;
    }
    return run_suite(o, suite, &run);
}

int main(int argc, char **argv)
{
    struct options options;
    struct suite suite = {0};
    struct err e = ERR_INIT;
    int status;

    reserve_stdio(); /* or pipes to a child take the numbers it wants for others */
    if (options_parse(&options, &suite, argc, argv, &e) < 0) {
        status = complain(&e, EXIT_USAGE);
    } else {
        status = act(&options, &suite);
    }
    suite_free(&suite);
    return status;
}
