/*
 * Options that print or write something instead of running a guest.
 */
#include "src/config_rows.h"

#include "src/base/opts.h"

#include <errno.h>
#include <string.h>

/* "TOPIC" or "TOPIC,at=end". */
static int set_info(struct config *c, const char *value, struct err *e)
{
    static const char *const topics[] = {"mtree", "flatview", "qtree", "irq"};
    const size_t count = sizeof(topics) / sizeof(topics[0]);
    const size_t len = strcspn(value, ",");
    const char *nearest;
    char topic[64];

    if (value[len] != '\0' && strcmp(value + len, ",at=end") != 0) {
        err_set(e, EINVAL, "'%s' is no time to print the topic", value + len + 1);
        err_hint(e, "at=end, when the guest has ended; or nothing, without running it");
        return -EINVAL;
    }
    snprintf(topic, sizeof(topic), "%.*s", (int)len, value);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(topic, topics[i]) == 0) {
            c->info_at_end = value[len] != '\0';
            c->action = c->info_at_end ? c->action : ACTION_DESCRIBE;
            return config_set_once(&c->info, topics[i], "info", e);
        }
    }
    nearest = opt_nearest(topic, topics, count);
    err_set(e, EINVAL, "no topic is called '%s'", topic);
    err_hint(e, nearest ? "did you mean %s?" : "topics: mtree, flatview, qtree, irq", nearest);
    return -EINVAL;
}

static int set_dump_acpi(struct config *c, const char *value, struct err *e)
{
    c->action = ACTION_DESCRIBE;
    return config_set_once(&c->dump_acpi, value, "dump-acpi", e);
}

static int set_dump_fdt(struct config *c, const char *value, struct err *e)
{
    c->action = ACTION_DESCRIBE;
    return config_set_once(&c->dump_fdt, value, "dump-fdt", e);
}

static int set_doctor(struct config *c, const char *value, struct err *e)
{
    (void)value;
    (void)e;
    c->action = ACTION_DOCTOR;
    return 0;
}

static int set_help(struct config *c, const char *value, struct err *e)
{
    (void)value;
    (void)e;
    c->action = ACTION_HELP;
    return 0;
}

static int set_version(struct config *c, const char *value, struct err *e)
{
    (void)value;
    (void)e;
    c->action = ACTION_VERSION;
    return 0;
}

static int check(const struct config *c, struct err *e)
{
    if (c->action == ACTION_DESCRIBE && c->info_at_end) {
        err_set(e, EINVAL, "--info %s,at=end needs a run, and --dump-%s ends without one", c->info,
                c->dump_acpi != NULL ? "acpi" : "fdt");
        err_hint(e, "give one of the two");
        return -EINVAL;
    }
    return 0;
}

static const struct option_row rows[] = {
    {"info", "mtree|flatview|qtree|irq[,at=end]",
     "describe the machine and exit; at=end: on stderr when the guest has ended", set_info},
    {"dump-acpi", "DIR", "write the guest's ACPI tables and exit", set_dump_acpi},
    {"dump-fdt", "FILE", "write the guest's device tree and exit", set_dump_fdt},
    {"doctor", NULL, "say what this host's KVM can do, and exit", set_doctor},
    {"help", NULL, "this text", set_help},
    {"version", NULL, "vmm's version", set_version},
};

const struct option_table config_info_options = {TABLE_ROWS(rows), check};
