/*
 * The command line: defaults, every option, and what a typing mistake is told.
 */
#include "src/config.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define MAX_WORDS 16

static struct config config;
static struct err err;

/* Parse a NULL-terminated list of words that follow the program's name. config keeps pointers into
 * argv. */
static int parse(const char *const *words)
{
    static char name[] = "vmm";
    static char *argv[MAX_WORDS + 2] = {name};
    static char copies[MAX_WORDS][128];
    int argc = 1;

    for (; *words != NULL; words++, argc++) {
        cr_assert(argc <= MAX_WORDS && strlen(*words) < sizeof(copies[0]));
        strcpy(copies[argc - 1], *words);
        argv[argc] = copies[argc - 1];
    }
    argv[argc] = NULL;
    err = ERR_INIT;
    return config_parse(&config, argc, argv, &err);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

/* The words must be refused as a usage error whose text and hint hold these pieces. */
#define REFUSED(what_part, hint_part, ...)                                                         \
    do {                                                                                           \
        cr_assert_lt(PARSE(__VA_ARGS__), 0);                                                       \
        cr_assert_eq(err.status, EXIT_USAGE);                                                      \
        cr_assert(strstr(err.what, what_part), "'%s' lacks '%s'", err.what, what_part);            \
        cr_assert(strstr(err.hint, hint_part), "'%s' lacks '%s'", err.hint, hint_part);            \
        config_free(&config);                                                                      \
    } while (0)

/* The machine of this architecture, and the option that writes its tables. */
#ifdef __x86_64__
#define MACHINE "pc"
#define DUMP    "--dump-acpi"
#else
#define MACHINE "virt"
#define DUMP    "--dump-fdt"
#endif

Test(config, defaults)
{
    cr_assert_eq(PARSE("--kernel", "k"), 0);
    cr_assert_eq(config.action, ACTION_RUN);
    cr_assert_str_eq(config.kernel, "k");
    cr_assert_eq(config.memory, 256ULL << 20);
    cr_assert_eq(config.cpus, 1);
    cr_assert_str_eq(config.cpu, "host");
    cr_assert_str_eq(config.console, "stdio");
    cr_assert(config.acpi);
    cr_assert(config.pci);
    cr_assert_not(config.no_reboot);
    cr_assert_eq(config.timeout_ns, 0);
    config_free(&config);
}

Test(config, both_spellings_and_repetition)
{
    cr_assert_eq(PARSE("--kernel=k", "--initrd", "a", "--initrd=b", "--append", "x y", "--append=z",
                       "--disk", "d1,ro", "--disk=d2"),
                 0);
    cr_assert_eq(config.initrds.count, 2);
    cr_assert_str_eq(config.initrds.items[1], "b");
    cr_assert_eq(config.appends.count, 2);
    cr_assert_str_eq(config.appends.items[0], "x y");
    cr_assert_eq(config.disks.count, 2);
    cr_assert_str_eq(config.disks.items[0], "d1,ro");
    config_free(&config);
}

Test(config, numbers)
{
    cr_assert_eq(PARSE("--kernel=k", "--memory=6G", "--cpus=3", "--timeout=0.5"), 0);
    cr_assert_eq(config.memory, 6ULL << 30);
    cr_assert_eq(config.cpus, 3);
    cr_assert_eq(config.timeout_ns, 500000000);
    config_free(&config);
}

Test(config, bad_numbers)
{
    REFUSED("--memory", "--memory 256M", "--kernel=k", "--memory=0");
    REFUSED("--memory", "--memory 256M", "--kernel=k", "--memory=1");
    REFUSED("--memory", "", "--kernel=k", "--memory=1048577");
    REFUSED("--memory", "", "--kernel=k", "--memory=99999999999G");
    REFUSED("--memory", "", "--kernel=k", "--memory=12X");
    REFUSED("--memory", "", "--kernel=k", "--memory=");
    REFUSED("--cpus", "", "--kernel=k", "--cpus=0");
    REFUSED("--cpus", "", "--kernel=k", "--cpus=-1");
    REFUSED("--cpus", "", "--kernel=k", "--cpus=two");
    REFUSED("--timeout", "--timeout 30", "--kernel=k", "--timeout=0");
    REFUSED("--timeout", "--timeout 30", "--kernel=k", "--timeout=-3");
    REFUSED("--timeout", "--timeout 30", "--kernel=k", "--timeout=nan");
    REFUSED("--timeout", "--timeout 30", "--kernel=k", "--timeout=5s");
}

Test(config, mistakes_are_answered_with_the_nearest)
{
    REFUSED("unknown option --kernal", "did you mean --kernel?", "--kernal=x");
    REFUSED("unknown option --memroy", "did you mean --memory?", "--kernel=k", "--memroy", "1G");
    REFUSED("unknown option --frobnicate", "vmm --help", "--frobnicate");
    REFUSED("flatviev", "did you mean flatview?", "--info=flatviev");
    REFUSED("no machine is called 'q35'", MACHINE, "--kernel=k", "--machine=q35");
    REFUSED("no property 'pcy'", "pci=on|off", "--kernel=k", "--machine=" MACHINE ",pcy=off");
    REFUSED("'bzImage' belongs to no option", "--kernel FILE", "bzImage");
}

Test(config, options_of_work_not_begun_are_unknown)
{
    REFUSED("unknown option --qmp", "", "--kernel=k", "--qmp=unix:q");
    REFUSED("unknown option --gdb", "", "--kernel=k", "--gdb=tcp:1234");
    REFUSED("unknown option --seccomp", "", "--kernel=k", "--seccomp=on");
    REFUSED("unknown option --monitor", "", "--kernel=k", "--monitor=stdio");
}

Test(config, combinations)
{
    REFUSED("no kernel", "--kernel FILE", "--memory=1G");
    REFUSED("--kernel was given twice", "", "--kernel=a", "--kernel=b");
    REFUSED("--trace-file", "--trace", "--kernel=k", "--trace-file=t");
    REFUSED("needs a value", "", "--kernel");
}

#ifdef __x86_64__
Test(config, machine_properties)
{
    cr_assert_eq(PARSE("--kernel=k", "--machine=pc,acpi=off"), 0);
    cr_assert_not(config.acpi);
    config_free(&config);
    cr_assert_eq(PARSE("--kernel=k", "--machine", "pc"), 0);
    cr_assert(config.acpi);
    config_free(&config);
    cr_assert_eq(PARSE("--kernel=k", "--machine=pc,pci=off"), 0);
    cr_assert_not(config.pci);
    cr_assert(config.acpi);
    config_free(&config);
    cr_assert_eq(PARSE("--kernel=k", "--machine=pc"), 0);
    cr_assert(!config.testdev && !config.pm);
    config_free(&config);
    cr_assert_eq(PARSE("--kernel=k", "--machine=pc,testdev=on,pm=on"), 0);
    cr_assert(config.testdev && config.pm);
    config_free(&config);
    REFUSED("pci: ", "", "--kernel=k", "--machine=pc,pci=perhaps");
    REFUSED("acpi", "", "--kernel=k", "--machine=pc,acpi=maybe");
    REFUSED("acpi", "", "--kernel=k", "--machine=pc,acpi");
    REFUSED("'virt' is for arm64 hosts", "this build has: pc", "--kernel=k", "--machine=virt");
    REFUSED("no property 'gic'", "acpi=on|off", "--kernel=k", "--machine=pc,gic=3");
    REFUSED("--dtb is for the machine 'virt'", "has: pc", "--kernel=k", "--dtb=f");
    REFUSED("--dump-fdt is for the machine 'virt'", "has: pc", "--dump-fdt", "f");
}
#else
Test(config, machine_properties)
{
    cr_assert_eq(PARSE("--kernel=k", "--machine=virt,gic=2"), 0);
    cr_assert_eq(config.gic, 2);
    config_free(&config);
    cr_assert_eq(PARSE("--kernel=k", "--machine=virt,pci=off"), 0);
    cr_assert_eq(config.gic, 0);
    cr_assert_not(config.pci);
    config_free(&config);
    REFUSED("gic: '4' is out of range", "", "--kernel=k", "--machine=virt,gic=4");
    REFUSED("'pc' is for x86-64 hosts", "this build has: virt", "--kernel=k", "--machine=pc");
    REFUSED("--dump-acpi is for the machine 'pc'", "has: virt", "--dump-acpi", "d");
}
#endif

Test(config, a_topic_now_or_at_the_end)
{
    cr_assert_eq(PARSE("--kernel=k", "--info=flatview,at=end"), 0);
    cr_assert_eq(config.action, ACTION_RUN);
    cr_assert_str_eq(config.info, "flatview");
    cr_assert(config.info_at_end);
    config_free(&config);
    cr_assert_eq(PARSE("--info=irq"), 0);
    cr_assert_eq(config.action, ACTION_DESCRIBE);
    cr_assert_not(config.info_at_end);
    config_free(&config);
    REFUSED("no kernel", "--kernel FILE", "--info=flatview,at=end");
    REFUSED("'at=start' is no time", "at=end", "--kernel=k", "--info=mtree,at=start");
    REFUSED("'' is no time", "at=end", "--kernel=k", "--info=mtree,");
    REFUSED("no topic is called 'mtre'", "did you mean mtree?", "--kernel=k", "--info=mtre,at=end");
    REFUSED("no topic is called ''", "topics: mtree", "--kernel=k", "--info=,at=end");
    REFUSED("--info was given twice", "", "--kernel=k", "--info=irq,at=end", "--info=mtree,at=end");
    REFUSED("--info irq,at=end needs a run", "", "--kernel=k", "--info=irq,at=end", DUMP "=d");
    REFUSED("--info irq,at=end needs a run", "", "--kernel=k", DUMP "=d", "--info=irq,at=end");
}

Test(config, actions_need_no_kernel)
{
    static const struct {
        const char *words[3];
        enum config_action action;
    } cases[] = {
        {{"--help"}, ACTION_HELP},
        {{"--version"}, ACTION_VERSION},
        {{"--doctor"}, ACTION_DOCTOR},
        {{"--device", "help"}, ACTION_LIST_DEVICES},
        {{"--device", "uart16550,help"}, ACTION_DEVICE_HELP},
        {{"--machine", "help"}, ACTION_LIST_MACHINES},
        {{"--trace", "help"}, ACTION_LIST_TRACE},
        {{"--cpu", "help"}, ACTION_LIST_CPU_FEATURES},
        {{"--info", "mtree"}, ACTION_DESCRIBE},
        {{DUMP, "dir"}, ACTION_DESCRIBE},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_assert_eq(parse(cases[i].words), 0, "case %zu: %s", i, err.what);
        cr_assert_eq(config.action, cases[i].action, "case %zu", i);
        config_free(&config);
    }
}

/* Every option of --help is accepted by the parser, so that the text stays true. */
Test(config, help_lists_only_what_works)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    config_help(out);
    fclose(out);
    for (const char *at = text; (at = strstr(at, "\n  --")) != NULL; at++) {
        char word[64];

        cr_assert_eq(sscanf(at, "\n  %60s", word), 1);
        PARSE(word);
        cr_assert_null(strstr(err.what, "unknown option"), "%s", word);
        config_free(&config);
    }
    cr_assert(strstr(text, "126 the guest crashed"));
    free(text);
}

/* --- the library's way in --------------------------------------------------------- */

Test(config, options_of_a_guest_one_by_one)
{
    err = ERR_INIT;
    config_init(&config);
    cr_assert_eq(config_set_guest(&config, "memory", "2M", &err), 0);
    cr_assert_eq(config_set_guest(&config, "device", "edu", &err), 0);
    cr_assert_eq(config_set_guest(&config, "no-reboot", NULL, &err), 0);
    cr_assert(config.memory == 2 << 20 && config.devices.count == 1 && config.no_reboot);
    cr_assert(config.posted && config.action == ACTION_RUN);
    config_free(&config);
}

Test(config, options_that_are_no_guests)
{
    static const struct {
        const char *name, *value, *what;
    } bad[] = {
        {"memory", NULL, "--memory needs a value"},  {"memory", "x", "--memory: 'x'"},
        {"trace", "*", "unknown option --trace"},    {"help", NULL, "unknown option --help"},
        {"cpu", "help", "for the command line"},     {"no-reboot", "yes", "unknown option"},
        {"memori", "1M", "unknown option --memori"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err = ERR_INIT;
        config_init(&config);
        cr_assert_eq(config_set_guest(&config, bad[i].name, bad[i].value, &err), -EINVAL);
        cr_assert(strstr(err.what, bad[i].what), "'%s' lacks '%s'", err.what, bad[i].what);
        cr_assert_eq(err.status, EXIT_USAGE);
        config_free(&config);
    }
}

Test(config, a_program_and_its_words)
{
    cr_assert_eq(PARSE("--exec", "./p", "--kernel", "k", "--exec-dir=d", "--out", "o", "--modules",
                       "m,n", "--", "--kernel", "-x", "--"),
                 0);
    cr_assert_str_eq(config.exec.program, "./p");
    cr_assert_eq(config.exec.arg_count, 3);
    cr_assert_str_eq(config.exec.args[0], "--kernel");
    cr_assert_str_eq(config.exec.args[2], "--");
    cr_assert_str_eq(config.exec.dir, "d");
    cr_assert_str_eq(config.exec.out, "o");
    cr_assert_str_eq(config.exec.modules, "m,n");
    cr_assert_str_eq(config.console, "null");
    config_free(&config);
    cr_assert_eq(PARSE("--kernel", "k", "--exec", "p", "--"), 0);
    cr_assert_eq(config.exec.arg_count, 0);
    config_free(&config);
}

Test(config, what_a_program_does_not_go_with)
{
    REFUSED("'a' belongs to no option", "for the program of --exec", "--kernel", "k", "--", "a");
    REFUSED("'a' belongs to no option", "files are named", "--kernel", "k", "--exec", "p", "a");
    REFUSED("'a' belongs", "", "--kernel", "k", "a", "--", "b");
    REFUSED("--out goes with --exec", "--exec ./program", "--kernel", "k", "--out", "o");
    REFUSED("--modules goes with --exec", "", "--kernel", "k", "--modules", "o");
    REFUSED("--console stdio with --exec", "file:PATH", "--kernel", "k", "--exec", "p", "--console",
            "stdio");
    REFUSED("do not go together", "", "--kernel", "k", "--exec", "p", "--snapshot-save", "s");
    REFUSED("do not go together", "", "--exec", "p", "--snapshot-load", "s");
    REFUSED("no kernel", "", "--exec", "p");
    REFUSED("twice", "", "--kernel", "k", "--exec", "p", "--exec", "q");
}
