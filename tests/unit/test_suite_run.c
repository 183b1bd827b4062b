/*
 * vmm-test's order of boots, with a script in place of vmm.
 */
#include "tools/suite/run.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct pool pool;
static char folder[] = "/tmp/vmm-suite-XXXXXX";
static char script[64], logs[64];

static void setup(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(script, sizeof(script), "%s/vmm", folder);
    snprintf(logs, sizeof(logs), "%s/logs", folder);
    setenv("TMPDIR", folder, 1);
}

static void teardown(void)
{
    char command[96];

    pool_free(&pool);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(suite_run, .init = setup, .fini = teardown);

static void nothing_began(void *opaque, const struct boot *b)
{
    (void)opaque, (void)b;
}

static void nothing_ended(void *opaque, const struct result *r)
{
    (void)opaque, (void)r;
}

static void write_script(const char *text)
{
    FILE *f = fopen(script, "w");

    cr_assert_not_null(f);
    fputs(text, f);
    fclose(f);
    cr_assert_eq(chmod(script, 0755), 0);
}

/* A state fails once; a free slot must not take that for its end while it runs again. */
Test(suite_run, what_is_from_a_state_waits_until_that_has_run_again)
{
    const struct boot state = {.name = "state",
                               .file = "s",
                               .prepares = true,
                               .time_limit_ns = 60 * NS_PER_SECOND,
                               .output_limit = 4096};
    const struct boot boot = {.name = "boot",
                              .file = "s",
                              .from = "state",
                              .time_limit_ns = 60 * NS_PER_SECOND,
                              .output_limit = 4096};
    struct result results[2] = {{.boot = &state}, {.boot = &boot, .state = &results[0]}};
    struct run run = {
        .options = {.vmm = script, .logs = logs, .jobs = 2, .reruns = 1},
        .listener = {.began = nothing_began, .ended = nothing_ended},
        .pool = &pool,
        .results = results,
        .count = 2,
    };
    struct err e = ERR_INIT;

    write_script("#!/bin/sh\n"
                 "[ \"$1\" = --snapshot-load ] && exit 0\n"
                 "[ -e \"$TMPDIR/once\" ] || { : >\"$TMPDIR/once\"; exit 3; }\n"
                 "sleep 0.2\n"
                 ": >\"$2\"\n");
    cr_assert_eq(run_boots(&run, &e), 0, "%s", e.what);
    cr_assert(results[0].outcome == OUTCOME_PASSED && results[0].flaky, "%s", results[0].reason);
    cr_assert_eq(results[1].outcome, OUTCOME_PASSED, "%s", results[1].reason);
}
