/*
 * Command-line parsing. Each option is one row of a table: name, argument,
 * help text and the function that takes its value. getopt_long() splits the
 * words; unknown options are answered with the nearest known one.
 */
#include "src/config.h"

#include "src/base/opts.h"
#include "src/clock.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_DEFAULT (256ULL << 20)
#define MEMORY_MIN     (1ULL << 20)
#define MEMORY_MAX     (1ULL << 46)
#define TIMEOUT_MAX_S  (365.0 * 24 * 3600)

struct option_row {
    const char *name;
    const char *arg; /* NULL: takes none */
    const char *help;
    int (*set)(struct config *c, const char *value, struct err *e);
};

static int list_add(struct string_list *list, const char *item, struct err *e)
{
    const char **grown = realloc(list->items, (list->count + 1) * sizeof(*grown));

    if (grown == NULL) {
        return err_set(e, ENOMEM, "out of memory while reading the command line");
    }
    list->items = grown;
    list->items[list->count++] = item;
    return 0;
}

static int set_once(const char **field, const char *value, const char *option, struct err *e)
{
    if (*field != NULL) {
        return err_set(e, EINVAL, "--%s was given twice", option);
    }
    *field = value;
    return 0;
}

static int set_kernel(struct config *c, const char *value, struct err *e)
{
    return set_once(&c->kernel, value, "kernel", e);
}

static int set_initrd(struct config *c, const char *value, struct err *e)
{
    return list_add(&c->initrds, value, e);
}

static int set_append(struct config *c, const char *value, struct err *e)
{
    return list_add(&c->appends, value, e);
}

static int set_disk(struct config *c, const char *value, struct err *e)
{
    return list_add(&c->disks, value, e);
}

static int set_memory(struct config *c, const char *value, struct err *e)
{
    int ret = opt_size(value, MEMORY_MIN, MEMORY_MAX, &c->memory, e);

    if (ret == 0 && c->memory % 4096 != 0) {
        ret = err_set(e, EINVAL, "%s is not a multiple of 4K", value);
    }
    if (ret < 0) {
        err_hint(e, "the guest needs at least 1M; a Linux guest 128M or more: --memory 256M");
    }
    return ret;
}

static int set_cpus(struct config *c, const char *value, struct err *e)
{
    uint64_t n;
    int ret = opt_u64(value, 1, UINT32_MAX, &n, e);

    if (ret == 0) {
        c->cpus = (unsigned)n;
    }
    return ret;
}

static int set_cpu(struct config *c, const char *value, struct err *e)
{
    if (strcmp(value, "help") == 0) {
        c->action = ACTION_LIST_CPU_FEATURES;
        return 0;
    }
    return set_once(&c->cpu, value, "cpu", e);
}

static int set_device(struct config *c, const char *value, struct err *e)
{
    const char *comma = strchr(value, ',');

    if (strcmp(value, "help") == 0) {
        c->action = ACTION_LIST_DEVICES;
        return 0;
    }
    if (comma != NULL && strcmp(comma, ",help") == 0) {
        c->action = ACTION_DEVICE_HELP;
        c->help_topic = value;
        return 0;
    }
    return list_add(&c->devices, value, e);
}

static int set_console(struct config *c, const char *value, struct err *e)
{
    return set_once(&c->console, value, "console", e);
}

static int set_trace(struct config *c, const char *value, struct err *e)
{
    if (strcmp(value, "help") == 0) {
        c->action = ACTION_LIST_TRACE;
        return 0;
    }
    return set_once(&c->trace, value, "trace", e);
}

static int set_trace_file(struct config *c, const char *value, struct err *e)
{
    return set_once(&c->trace_file, value, "trace-file", e);
}

static int set_timeout(struct config *c, const char *value, struct err *e)
{
    char *end;
    double seconds = strtod(value, &end);

    if (end == value || *end != '\0' || !isfinite(seconds) || seconds <= 0 ||
        seconds > TIMEOUT_MAX_S) {
        err_set(e, EINVAL, "'%s' is not a number of seconds greater than 0", value);
        err_hint(e, "for instance --timeout 30 or --timeout 0.5");
        return -EINVAL;
    }
    c->timeout_ns = (uint64_t)(seconds * (double)NS_PER_SEC);
    c->timeout_ns += c->timeout_ns == 0;
    return 0;
}

static int set_no_reboot(struct config *c, const char *value, struct err *e)
{
    (void)value;
    (void)e;
    c->no_reboot = true;
    return 0;
}

static int set_dtb(struct config *c, const char *value, struct err *e)
{
    return set_once(&c->dtb, value, "dtb", e);
}

static int set_dump_fdt(struct config *c, const char *value, struct err *e)
{
    c->action = ACTION_DESCRIBE;
    return set_once(&c->dump_fdt, value, "dump-fdt", e);
}

static int set_dump_acpi(struct config *c, const char *value, struct err *e)
{
    c->action = ACTION_DESCRIBE;
    return set_once(&c->dump_acpi, value, "dump-acpi", e);
}

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
            return set_once(&c->info, topics[i], "info", e);
        }
    }
    nearest = opt_nearest(topic, topics, count);
    err_set(e, EINVAL, "no topic is called '%s'", topic);
    err_hint(e, nearest ? "did you mean %s?" : "topics: mtree, flatview, qtree, irq", nearest);
    return -EINVAL;
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

static const struct option_row rows[] = {
    {"kernel", "FILE",
     "x86-64: bzImage, ELF vmlinux, multiboot-1 or flat real-mode image; arm64: Image, Image.gz or "
     "flat image",
     set_kernel},
    {"initrd", "FILE", "initial RAM disk; several are concatenated", set_initrd},
    {"append", "STRING", "kernel command line; several are joined with a space", set_append},
    {"disk", "FILE[,ro][,format=raw][,serial=S]", "a virtio disk: vda, vdb, ... in order",
     set_disk},
    {"memory", "SIZE", "guest RAM, with K M G T (256M)", set_memory},
    {"cpus", "N", "number of vCPUs (1)", set_cpus},
    {"cpu", "host[,-FEATURE][,+FEATURE]", "CPU features the guest sees; 'help' lists (host)",
     set_cpu},
    {"device", "NAME[,PROP=VALUE]", "add a device; 'help' lists, 'NAME,help' describes",
     set_device},
    {"machine", "NAME[,PROP=VALUE]", "machine type; 'help' lists", config_set_machine},
    {"console", "stdio|null|file:PATH|pty|unix:PATH", "where the first UART goes (stdio)",
     set_console},
    {"trace", "PATTERN[,...]", "print events whose names match; 'help' lists", set_trace},
    {"trace-file", "PATH", "events to a file; .json for Perfetto", set_trace_file},
    {"timeout", "SECONDS", "stop with status 124 after that time", set_timeout},
    {"no-reboot", NULL, "a guest reboot ends vmm with status 0", set_no_reboot},
    {"info", "mtree|flatview|qtree|irq[,at=end]",
     "describe the machine and exit; at=end: on stderr when the guest has ended", set_info},
    {"dump-acpi", "DIR", "write the guest's ACPI tables and exit", set_dump_acpi},
    {"dump-fdt", "FILE", "write the guest's device tree and exit", set_dump_fdt},
    {"dtb", "FILE", "give the guest this device tree instead of vmm's", set_dtb},
    {"doctor", NULL, "say what this host's KVM can do, and exit", set_doctor},
    {"help", NULL, "this text", set_help},
    {"version", NULL, "vmm's version", set_version},
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static int unknown_option(const char *word, struct err *e)
{
    const char *names[ROW_COUNT];
    char bare[64];
    const char *nearest;

    while (*word == '-') {
        word++;
    }
    snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(word, "="), word);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        names[i] = rows[i].name;
    }
    nearest = opt_nearest(bare, names, ROW_COUNT);
    err_set(e, EINVAL, "unknown option --%s", bare);
    err_hint(e, nearest ? "did you mean --%s?" : "vmm --help lists the options", nearest);
    return -EINVAL;
}

static int check_combination(const struct config *c, struct err *e)
{
    if (c->trace_file != NULL && c->trace == NULL) {
        err_set(e, EINVAL, "--trace-file without --trace records nothing");
        err_hint(e, "add --trace '*', or a pattern from --trace help");
        return -EINVAL;
    }
    if (c->action == ACTION_DESCRIBE && c->info_at_end) {
        err_set(e, EINVAL, "--info %s,at=end needs a run, and --dump-%s ends without one", c->info,
                c->dump_acpi != NULL ? "acpi" : "fdt");
        err_hint(e, "give one of the two");
        return -EINVAL;
    }
    if (c->action == ACTION_RUN && c->kernel == NULL) {
        err_set(e, EINVAL, "no kernel was given");
        err_hint(e, "vmm --kernel FILE [--disk FILE]; vmm --help lists the options");
        return -EINVAL;
    }
    return 0;
}

static int parse_words(struct config *c, int argc, char **argv, const struct option *longs,
                       struct err *e)
{
    int row, ret = 0;

    opterr = 0;
    optind = 1;
    while (ret == 0) {
        const int at = optind;

        row = getopt_long(argc, argv, ":", longs, NULL);
        if (row == -1) {
            break;
        }
        if (row == '?') {
            return unknown_option(argv[at], e);
        }
        if (row == ':') {
            return err_set(e, EINVAL, "%s needs a value", argv[at]);
        }
        ret = config_check_machine(rows[row - 1000].name, e);
        if (ret == 0) {
            ret = rows[row - 1000].set(c, optarg, e);
        }
        if (ret < 0 && strncmp(e->what, "--", 2) != 0) {
            err_prefix(e, "--%s", rows[row - 1000].name);
        }
    }
    if (ret == 0 && optind < argc) {
        ret = err_set(e, EINVAL, "'%s' belongs to no option", argv[optind]);
        err_hint(e, "files are named by options: --kernel FILE, --disk FILE");
    }
    return ret;
}

int config_parse(struct config *c, int argc, char **argv, struct err *e)
{
    struct option longs[ROW_COUNT + 1] = {0};
    int ret;

    *c = (struct config){.memory = MEMORY_DEFAULT, .cpus = 1, .acpi = true, .pci = true};
    for (size_t i = 0; i < ROW_COUNT; i++) {
        longs[i].name = rows[i].name;
        longs[i].has_arg = rows[i].arg ? required_argument : no_argument;
        longs[i].val = 1000 + (int)i;
    }
    ret = parse_words(c, argc, argv, longs, e);
    if (ret == 0) {
        ret = check_combination(c, e);
    }
    if (ret < 0) {
        err_status(e, EXIT_USAGE);
    }
    if (c->console == NULL) {
        c->console = "stdio";
    }
    if (c->cpu == NULL) {
        c->cpu = "host";
    }
    return ret;
}

void config_free(struct config *c)
{
    free(c->initrds.items);
    free(c->appends.items);
    free(c->disks.items);
    free(c->devices.items);
}

void config_help(FILE *out)
{
    fputs("usage: vmm --kernel FILE [options]\n"
          "Boots a kernel in a KVM virtual machine.\n\n",
          out);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (config_check_machine(rows[i].name, NULL) < 0) {
            continue;
        }
        fprintf(out, "  --%s%s%s\n        %s\n", rows[i].name, rows[i].arg ? " " : "",
                rows[i].arg ? rows[i].arg : "", rows[i].help);
    }
    fputs("\nConsole keys on a terminal: Ctrl-A x quits, Ctrl-A h lists the keys.\n"
          "\nExit status: 0 power-off (or a reboot under --no-reboot); the guest's own value from\n"
          "debug-exit; 2 usage error; 77 this host cannot run guests; 124 --timeout ran out;\n"
          "125 vmm could not set up or run; 126 the guest crashed; 127 the guest's kernel\n"
          "panicked; 130 interrupted.\n",
          out);
}
