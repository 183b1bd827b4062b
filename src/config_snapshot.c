/*
 * Options for snapshots: when to make one, and which one to begin with.
 */
#include "src/config_rows.h"

#include "src/arch/cpu_spec.h"
#include "src/base/opts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CONSOLE "console:"

static int set_when(struct config *c, const char *value, struct err *e)
{
    if (strcmp(value, "ready") == 0) {
        return 0;
    }
    if (strncmp(value, CONSOLE, strlen(CONSOLE)) != 0 || value[strlen(CONSOLE)] == '\0') {
        err_set(e, EINVAL, "when=%s is no time for a snapshot", value);
        err_hint(e, "when=ready, or when=console:TEXT with what the console shows");
        return -EINVAL;
    }
    free(c->save.pattern);
    c->save.pattern = strdup(value + strlen(CONSOLE));
    return c->save.pattern != NULL ? 0 : err_set(e, ENOMEM, "out of memory");
}

static int set_then(struct config *c, const char *value, struct err *e)
{
    c->save.go_on = strcmp(value, "run") == 0;
    if (c->save.go_on || strcmp(value, "exit") == 0) {
        return 0;
    }
    err_set(e, EINVAL, "then=%s is nothing to do after a snapshot", value);
    err_hint(e, "then=exit or then=run");
    return -EINVAL;
}

static int set_save_part(struct config *c, const struct opt *o, struct err *e)
{
    const char *value = o->value != NULL ? o->value : "";

    if (strcmp(o->key, "when") == 0) {
        return set_when(c, value, e);
    }
    if (strcmp(o->key, "then") == 0) {
        return set_then(c, value, e);
    }
    err_set(e, EINVAL, "'%s' is no part of it", o->key);
    err_hint(e, "FILE[,when=ready|console:TEXT][,then=exit|run]");
    return -EINVAL;
}

static int set_save(struct config *c, const char *value, struct err *e)
{
    struct opt_list list;
    int ret;

    if (c->save.path != NULL) {
        return err_set(e, EINVAL, "--snapshot-save was given twice");
    }
    ret = opt_list_parse(&list, value, e);
    if (ret < 0) {
        return ret;
    }
    c->vmgenid = true;
    c->save.path = strdup(list.name);
    ret = c->save.path != NULL ? 0 : err_set(e, ENOMEM, "out of memory");
    for (size_t i = 0; i < list.count && ret == 0; i++) {
        ret = set_save_part(c, &list.opts[i], e);
    }
    opt_list_free(&list);
    return ret;
}

static int set_load(struct config *c, const char *value, struct err *e)
{
    return config_set_once(&c->snapshot_load, value, "snapshot-load", e);
}

static int check(const struct config *c, struct err *e)
{
    if (c->save.path != NULL && cpu_spec_switch(c->cpu, "hyperv")) {
        return err_set(e, EINVAL,
                       "--snapshot-save does not go with --cpu hyperv=on, whose state "
                       "is not saved");
    }
    if (c->snapshot_load != NULL && c->action == ACTION_DESCRIBE) {
        return err_set(e, EINVAL,
                       "--snapshot-load begins a run, and --info and --dump-... end "
                       "without one");
    }
    return 0;
}

static const struct option_row rows[] = {
    {"snapshot-save", "FILE[,when=ready|console:TEXT][,then=exit|run]",
     "save the machine when the guest says ready (device snapshot-ready) or its console shows "
     "TEXT; then end with status 0, or run on",
     set_save},
    {"snapshot-load", "FILE", "go on from a snapshot: same machine, private copies of its disks",
     set_load},
};

const struct option_table config_snapshot_options = {TABLE_ROWS(rows), check};
