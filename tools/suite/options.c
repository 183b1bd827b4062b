/*
 * The command line of vmm-test: see options.h.
 */
#include "tools/suite/options.h"

#include "src/base/opts.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#define JOBS_MAX   256
#define RERUNS_MAX 100

static const struct option long_options[] = {
    {"jobs", required_argument, NULL, 'j'},
    {"filter", required_argument, NULL, 'f'},
    {"list", no_argument, NULL, 'l'},
    {"vmm", required_argument, NULL, 'v'},
    {"define", required_argument, NULL, 'D'},
    {"tap", required_argument, NULL, 't'},
    {"junit", required_argument, NULL, 'x'},
    {"logs", required_argument, NULL, 'o'},
    {"keep-all", no_argument, NULL, 'k'},
    {"rerun", required_argument, NULL, 'r'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

void options_help(FILE *to)
{
    fputs(
        "usage: vmm-test [OPTION]... SUITE...\n"
        "\n"
        "Boots every machine that the suite files describe, and checks what each prints and how\n"
        "it ends (docs/vmm-test.md). Ends with `N passed, N failed, N skipped`.\n"
        "\n"
        "  --jobs N, -j N    boots at the same time (as many as there are CPUs)\n"
        "  --filter GLOB     run only boots whose name matches; may repeat\n"
        "  --list            print the names of the boots, and exit\n"
        "  --vmm PATH        the vmm to run (the one beside vmm-test, else in PATH)\n"
        "  -D NAME=VALUE     define ${NAME} for the suites (the environment's are there, too)\n"
        "  --tap FILE        write TAP version 13; - is standard output\n"
        "  --junit FILE      write JUnit XML; - is standard output\n"
        "  --logs DIR        where consoles of failing boots are kept (vmm-test-logs)\n"
        "  --keep-all        keep the consoles of all boots\n"
        "  --rerun N         run a boot that fails again, up to N times; passing then is flaky\n"
        "  --help, --version\n"
        "\n"
        "exit status: 0 none failed, 1 some failed, 2 usage or a mistake in a suite, 125 vmm-test\n"
        "could not work, 130 interrupted\n",
        to);
}

/* vmm beside this program, or else by PATH. */
static const char *find_vmm(struct pool *pool)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    if (n > 0) {
        self[n] = '\0';
        slash = strrchr(self, '/');
        if (slash != NULL) {
            const char *beside = pool_printf(pool, "%.*s/vmm", (int)(slash - self), self);
            if (access(beside, X_OK) == 0) {
                return beside;
            }
        }
    }
    return "vmm";
}

/* Boots run in folders of their own, so a path is made absolute. */
static int set_vmm(struct options *o, struct suite *suite, const char *path, struct err *e)
{
    char folder[PATH_MAX];

    o->run.vmm = path;
    if (path[0] != '/' && strchr(path, '/') != NULL) {
        if (getcwd(folder, sizeof(folder)) == NULL) {
            return err_set(e, errno, "cannot find the current folder: %s", strerror(errno));
        }
        o->run.vmm = pool_printf(&suite->pool, "%s/%s", folder, path);
    }
    return 0;
}

static int set_number(unsigned *to, const char *option, unsigned min, unsigned max, struct err *e)
{
    uint64_t n;
    int ret = opt_u64(optarg, min, max, &n, e);

    if (ret < 0) {
        err_prefix(e, "%s", option);
        return ret;
    }
    *to = (unsigned)n;
    return 0;
}

static int set_option(struct options *o, struct suite *suite, int letter, struct err *e)
{
    switch (letter) {
    case 'j':
        return set_number(&o->run.jobs, "--jobs", 1, JOBS_MAX, e);
    case 'r':
        return set_number(&o->run.reruns, "--rerun", 0, RERUNS_MAX, e);
    case 'f':
        list_add(&suite->pool, &o->filters, optarg);
        return 0;
    case 'v':
        return set_vmm(o, suite, optarg, e);
    case 'D':
        return suite_define(suite, optarg, e);
    case 't':
        o->tap = optarg;
        return 0;
    case 'x':
        o->junit = optarg;
        return 0;
    case 'o':
        o->run.logs = optarg;
        return 0;
    case 'k':
        o->run.keep_all = true;
        return 0;
    case 'l':
        o->action = ACTION_LIST;
        return 0;
    default:
        o->action = letter == 'h' ? ACTION_HELP : ACTION_VERSION;
        return 0;
    }
}

/* A word that getopt did not take. */
static int bad_option(char **argv, int letter, struct err *e)
{
    const char *word = argv[optind - 1];
    struct opt_guess guess;

    if (letter == ':') {
        return err_set(e, EINVAL, "%s needs a value", word);
    }
    int ret = err_set(e, EINVAL, "unknown option %s", word);
    opt_guess_start(&guess, word + strspn(word, "-"));
    for (size_t i = 0; long_options[i].name != NULL; i++) {
        opt_guess_try(&guess, long_options[i].name);
    }
    if (guess.best != NULL) {
        err_hint(e, "did you mean --%s?", guess.best);
    } else {
        err_hint(e, "vmm-test --help lists them");
    }
    return ret;
}

static unsigned default_jobs(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    return n < JOBS_MAX ? (unsigned)n : JOBS_MAX;
}

static int check(const struct options *o, struct err *e)
{
    if (o->action != ACTION_RUN && o->action != ACTION_LIST) {
        return 0;
    }
    if (o->suite_count == 0) {
        int ret = err_set(e, EINVAL, "no suite");
        err_hint(e, "vmm-test SUITE...; vmm-test --help tells more");
        return ret;
    }
    if (o->tap != NULL && o->junit != NULL && strcmp(o->tap, "-") == 0 &&
        strcmp(o->junit, "-") == 0) {
        return err_set(e, EINVAL, "--tap and --junit cannot both go to standard output");
    }
    return 0;
}

int options_parse(struct options *o, struct suite *suite, int argc, char **argv, struct err *e)
{
    int letter;
    int ret = 0;

    *o = (struct options){.run = {.logs = "vmm-test-logs", .jobs = default_jobs()}};
    o->run.vmm = find_vmm(&suite->pool);
    optind = 0; /* start over: the tests parse more than once */
    while (ret == 0 && (letter = getopt_long(argc, argv, ":j:D:h", long_options, NULL)) >= 0) {
        ret = letter == '?' || letter == ':' ? bad_option(argv, letter, e)
                                             : set_option(o, suite, letter, e);
    }
    o->suites = &argv[optind];
    o->suite_count = argc - optind;
    return ret == 0 ? check(o, e) : ret;
}
