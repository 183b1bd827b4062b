/*
 * Command-line parsing. Each option is one row of a table: name, argument,
 * help text and the function that takes its value. getopt_long() splits the
 * words; unknown options are answered with the nearest known one.
 */
#include "src/config_rows.h"

#include "src/base/opts.h"
#include "src/snapshot/file.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_DEFAULT (256ULL << 20)
#define ROWS_MAX       64
#define ROW_BASE       1000 /* what getopt_long() returns for row 0 */

/* In the order of --help. */
static const struct option_table *const tables[] = {
    &config_guest_options, &config_run_options,  &config_snapshot_options,
    &config_exec_options,  &config_info_options,
};

#define TABLES (sizeof(tables) / sizeof(tables[0]))

/* Row i of all tables; NULL after the last. */
static const struct option_row *row_at(size_t i)
{
    for (size_t t = 0; t < TABLES; t++) {
        if (i < tables[t]->count) {
            return &tables[t]->rows[i];
        }
        i -= tables[t]->count;
    }
    return NULL;
}

int config_list_add(struct string_list *list, const char *item, struct err *e)
{
    const char **grown = realloc(list->items, (list->count + 1) * sizeof(*grown));

    if (grown == NULL) {
        return err_set(e, ENOMEM, "out of memory while reading the command line");
    }
    list->items = grown;
    list->items[list->count++] = item;
    return 0;
}

int config_set_once(const char **field, const char *value, const char *option, struct err *e)
{
    if (*field != NULL) {
        return err_set(e, EINVAL, "--%s was given twice", option);
    }
    *field = value;
    return 0;
}

void config_init(struct config *c)
{
    *c = (struct config){.acpi = true, .pci = true, .posted = true};
}

static int unknown_option(const char *word, struct err *e)
{
    const char *names[ROWS_MAX];
    char bare[64];
    const char *nearest;
    size_t count = 0;

    while (*word == '-') {
        word++;
    }
    snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(word, "="), word);
    for (; count < ROWS_MAX && row_at(count) != NULL; count++) {
        names[count] = row_at(count)->name;
    }
    nearest = opt_nearest(bare, names, count);
    err_set(e, EINVAL, "unknown option --%s", bare);
    err_hint(e, nearest ? "did you mean --%s?" : "vmm --help lists the options", nearest);
    return -EINVAL;
}

static int check_combination(const struct config *c, struct err *e)
{
    for (size_t t = 0; t < TABLES; t++) {
        const int ret = tables[t]->check != NULL ? tables[t]->check(c, e) : 0;

        if (ret < 0) {
            return ret;
        }
    }
    if (c->action == ACTION_RUN && c->kernel == NULL && c->snapshot_load == NULL) {
        err_set(e, EINVAL, "no kernel was given");
        err_hint(e, "vmm --kernel FILE [--disk FILE]; vmm --help lists the options");
        return -EINVAL;
    }
    return 0;
}

/* Take the value of a row's option; a message without the option's name gets it. */
static int set_row(struct config *c, const struct option_row *row, const char *value, struct err *e)
{
    int ret = config_check_machine(row->name, e);

    if (ret == 0) {
        ret = row->set(c, value, e);
    }
    if (ret < 0 && e != NULL && strncmp(e->what, "--", 2) != 0) {
        err_prefix(e, "--%s", row->name);
    }
    return ret;
}

static int parse_words(struct config *c, int argc, char **argv, const struct option *longs,
                       struct err *e)
{
    const struct option_row *row;
    bool ended = false;
    int ret = 0;

    opterr = 0;
    optind = 1;
    while (ret == 0) {
        const int at = optind;
        const int found = getopt_long(argc, argv, "+:", longs, NULL);
        if (found == -1) {
            ended = optind > at; /* by a -- */
            break;
        }
        if (found == '?') {
            return unknown_option(argv[at], e);
        }
        if (found == ':') {
            return err_set(e, EINVAL, "%s needs a value", argv[at]);
        }
        row = row_at((size_t)(found - ROW_BASE));
        ret = set_row(c, row, optarg, e);
    }
    if (ret == 0 && ended) {
        c->exec.args = argv + optind;
        c->exec.arg_count = (size_t)(argc - optind);
    } else if (ret == 0 && optind < argc) {
        ret = err_set(e, EINVAL, "'%s' belongs to no option", argv[optind]);
        err_hint(e, "files are named by options: --kernel FILE, --disk FILE");
    }
    return ret;
}

int config_parse(struct config *c, int argc, char **argv, struct err *e)
{
    struct option longs[ROWS_MAX + 1] = {0};
    int ret;

    config_init(c);
    for (size_t i = 0; i < ROWS_MAX && row_at(i) != NULL; i++) {
        longs[i].name = row_at(i)->name;
        longs[i].has_arg = row_at(i)->arg ? required_argument : no_argument;
        longs[i].val = ROW_BASE + (int)i;
    }
    ret = parse_words(c, argc, argv, longs, e);
    if (ret == 0) {
        ret = check_combination(c, e);
    }
    if (ret < 0) {
        err_status(e, EXIT_USAGE);
    }
    if (c->snapshot_load == NULL) {
        config_defaults(c);
    }
    if (c->console == NULL) {
        c->console = c->exec.program != NULL ? "null" : "stdio";
    }
    return ret;
}

void config_defaults(struct config *c)
{
    c->memory = c->memory != 0 ? c->memory : MEMORY_DEFAULT;
    c->cpus = c->cpus != 0 ? c->cpus : 1;
    c->cpu = c->cpu != NULL ? c->cpu : "host";
}

/* The row of an option that the library takes, too. */
static const struct option_row *guest_row(const char *name)
{
    for (size_t i = 0; i < config_guest_options.count; i++) {
        if (strcmp(config_guest_options.rows[i].name, name) == 0) {
            return &config_guest_options.rows[i];
        }
    }
    return NULL;
}

int config_set_guest(struct config *c, const char *name, const char *value, struct err *e)
{
    const struct option_row *row = guest_row(name);
    int ret = 0;

    if (row != NULL && row->arg != NULL && value == NULL) {
        ret = err_set(e, EINVAL, "--%s needs a value", name);
    } else if (row != NULL) {
        ret = set_row(c, row, value, e);
    } else if (strcmp(name, "no-reboot") == 0 && value == NULL) {
        c->no_reboot = true;
    } else {
        ret = unknown_option(name, e);
    }
    if (ret == 0 && c->action != ACTION_RUN) {
        ret = err_set(e, EINVAL, "--%s %s is for the command line", name, value);
    }
    if (ret < 0) {
        err_status(e, EXIT_USAGE);
    }
    return ret;
}

void config_free(struct config *c)
{
    free(c->initrds.items);
    free(c->appends.items);
    free(c->disks.items);
    free(c->devices.items);
    free(c->save.path);
    free(c->save.pattern);
    snapshot_file_close(c->snapshot);
    for (size_t i = 0; i < c->owned_count; i++) {
        free(c->owned[i]);
    }
    free(c->owned);
}

void config_help(FILE *out)
{
    fputs("usage: vmm --kernel FILE [options]\n"
          "Boots a kernel in a KVM virtual machine.\n\n",
          out);
    for (size_t i = 0; row_at(i) != NULL; i++) {
        const struct option_row *row = row_at(i);

        if (config_check_machine(row->name, NULL) == 0) {
            fprintf(out, "  --%s%s%s\n        %s\n", row->name, row->arg ? " " : "",
                    row->arg ? row->arg : "", row->help);
        }
    }
    fputs("\nConsole keys on a terminal: Ctrl-A x quits, Ctrl-A h lists the keys.\n"
          "\nExit status: 0 power-off (or a reboot under --no-reboot); the guest's own value from\n"
          "debug-exit, or its program's from --exec; 2 usage error; 77 this host cannot run "
          "guests; 124 --timeout ran out;\n"
          "125 vmm could not set up or run; 126 the guest crashed; 127 the guest's kernel\n"
          "panicked; 130 interrupted.\n",
          out);
}
