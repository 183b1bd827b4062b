/*
 * vmm: boots a kernel in a KVM virtual machine. This file is the table of
 * contents: read the command line, build the machine, run it, say how it ended.
 */
#include "src/arch/board.h"
#include "src/arch/cpu_spec.h"
#include "src/base/err.h"
#include "src/base/reserve.h"
#include "src/base/trace.h"
#include "src/config.h"
#include "src/device.h"
#include "src/doctor.h"
#include "src/machine.h"
#include "src/run_cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void list_trace_events(void)
{
    for (int i = 0; i < TRACE_EVENT_COUNT; i++) {
        printf("%-20s %s\n", trace_name((enum trace_event)i), trace_meaning((enum trace_event)i));
    }
}

/* "--device NAME,help": text begins with the name. */
static int help_on_device(const char *text, struct err *e)
{
    char name[64];
    const struct device_class *cls;

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, ","), text);
    cls = device_class_find(name, e);
    if (cls == NULL) {
        err_status(e, EXIT_USAGE);
        return -ENOENT;
    }
    device_class_help(cls, stdout);
    return 0;
}

static int describe(const struct config *config, struct err *e)
{
    struct machine *m = machine_new(config, e);
    int ret;

    if (m == NULL) {
        return -EINVAL;
    }
    ret = board_dump_tables(m, e);
    if (ret == 0 && config->info != NULL) {
        machine_info(m, config->info, stdout);
    }
    machine_free(m);
    return ret;
}

static int open_trace(const struct config *config, struct err *e)
{
    int ret = 0;

    if (config->trace != NULL) {
        ret = trace_enable(config->trace, e);
        if (ret < 0) {
            err_status(e, EXIT_USAGE);
        }
    }
    if (ret == 0 && config->trace_file != NULL) {
        ret = trace_open(config->trace_file, e);
    }
    return ret;
}

/* The guest's exit status, or a negative errno with e set. */
static int run(const struct config *config, struct err *e)
{
    struct machine *m;
    int status = open_trace(config, e);

    if (status < 0) {
        return status;
    }
    m = machine_new(config, e);
    if (m == NULL) {
        trace_close();
        return -EINVAL;
    }
    status = run_cli(m);
    machine_free(m);
    trace_close();
    return status;
}

/* The exit status, or a negative errno with e set. */
static int act(const struct config *config, struct err *e)
{
    switch (config->action) {
    case ACTION_RUN:
        return run(config, e);
    case ACTION_HELP:
        config_help(stdout);
        return 0;
    case ACTION_VERSION:
        puts("vmm " VMM_VERSION);
        return 0;
    case ACTION_DOCTOR:
        return doctor(stdout);
    case ACTION_LIST_DEVICES:
        device_list_help(stdout);
        return 0;
    case ACTION_DEVICE_HELP:
        return help_on_device(config->help_topic, e);
    case ACTION_LIST_MACHINES:
        config_machine_help(stdout);
        return 0;
    case ACTION_LIST_TRACE:
        list_trace_events();
        return 0;
    case ACTION_LIST_CPU_FEATURES:
        cpu_spec_help(&arch_cpu_features, stdout);
        return 0;
    case ACTION_DESCRIBE:
        return describe(config, e);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct config config;
    struct err e = ERR_INIT;
    int status;

    reserve_stdio();
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of write() */
    status = config_parse(&config, argc, argv, &e);
    if (status == 0 && config.action == ACTION_RUN && config.snapshot_load != NULL) {
        status = snapshot_open(&config, &e);
    }
    if (status == 0) {
        status = act(&config, &e);
    }
    if (status < 0) {
        err_print(&e);
        status = (int)e.status;
    }
    config_free(&config);
    if (fflush(stdout) != 0 && status == 0) {
        err_set(&e, errno, "cannot write to standard output: %s", strerror(errno));
        err_print(&e);
        status = EXIT_HOST;
    }
    return status;
}
