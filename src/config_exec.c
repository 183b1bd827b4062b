/*
 * Options that run one program in the guest (docs/exec.md).
 */
#include "src/config_rows.h"

#include <errno.h>
#include <string.h>

static int set_exec(struct config *c, const char *value, struct err *e)
{
    if (*value == '\0') {
        return err_set(e, EINVAL, "the program has no name");
    }
    return config_set_once(&c->exec.program, value, "exec", e);
}

static int set_exec_dir(struct config *c, const char *value, struct err *e)
{
    return config_set_once(&c->exec.dir, value, "exec-dir", e);
}

static int set_out(struct config *c, const char *value, struct err *e)
{
    return config_set_once(&c->exec.out, value, "out", e);
}

static int set_modules(struct config *c, const char *value, struct err *e)
{
    return config_set_once(&c->exec.modules, value, "modules", e);
}

/* The first of the options that mean nothing without --exec; NULL: none was given. */
static const char *needs_exec(const struct exec_options *x)
{
    return x->dir != NULL       ? "--exec-dir"
           : x->out != NULL     ? "--out"
           : x->modules != NULL ? "--modules"
                                : NULL;
}

static int check(const struct config *c, struct err *e)
{
    const char *const alone = needs_exec(&c->exec);

    if (c->exec.program == NULL && alone != NULL) {
        err_set(e, EINVAL, "%s goes with --exec", alone);
        err_hint(e, "name the program that the guest is to run: --exec ./program");
        return -EINVAL;
    }
    if (c->exec.program == NULL && c->exec.arg_count > 0) {
        err_set(e, EINVAL, "'%s' belongs to no option", c->exec.args[0]);
        err_hint(e, "words after -- are for the program of --exec");
        return -EINVAL;
    }
    if (c->exec.program != NULL && c->console != NULL && strcmp(c->console, "stdio") == 0) {
        err_set(e, EINVAL, "--console stdio with --exec: stdin and stdout are the program's");
        err_hint(e, "--console file:PATH keeps the kernel's log");
        return -EINVAL;
    }
    if (c->exec.program != NULL && (c->save.path != NULL || c->snapshot_load != NULL)) {
        return err_set(e, EINVAL,
                       "--exec and snapshots do not go together: a session is not saved");
    }
    return 0;
}

static const struct option_row rows[] = {
    {"exec", "PROGRAM [... -- ARG...]",
     "run this program of the host in the guest; vmm ends with its exit status", set_exec},
    {"exec-dir", "DIR", "a copy of this folder is /work in the guest, and its current folder",
     set_exec_dir},
    {"out", "DIR", "what the program leaves in /out ($OUT) comes back to this folder", set_out},
    {"modules", "DIR[,NAME]",
     "load the kernel modules that the guest's devices need, and those named, from a folder with "
     "modules.dep",
     set_modules},
};

const struct option_table config_exec_options = {TABLE_ROWS(rows), check};
