/*
 * Making, loading and freeing a machine of the library, and its messages.
 */
#include "src/arch/board.h"
#include "src/base/opts.h"
#include "src/lib/internal.h"
#include "src/mem/dma.h"
#include "src/run.h"
#include "src/vm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define EXITS_DEFAULT 64
#define EXITS_MAX     65536

const char *vmm_version(void)
{
    return VMM_VERSION;
}

/* --- errors and messages -------------------------------------------------- */

void lib_error(struct vmm_error *to, const struct err *from)
{
    if (to != NULL) {
        to->status = (int)from->status;
        snprintf(to->what, sizeof(to->what), "%s", from->what);
        snprintf(to->hint, sizeof(to->hint), "%s", from->hint);
    }
}

int lib_fail(struct vmm_error *e, int code, const char *fmt, ...)
{
    va_list ap;

    if (e != NULL) {
        *e = (struct vmm_error){.status = EXIT_HOST};
        va_start(ap, fmt);
        vsnprintf(e->what, sizeof(e->what), fmt, ap);
        va_end(ap);
    }
    return -code;
}

/* Where the log is full its older half goes, up to the end of a line. */
static void add_message(void *opaque, const char *text, size_t len)
{
    struct message_log *log = opaque;

    pthread_mutex_lock(&log->lock);
    if (len + 1 > LOG_SIZE - log->len) {
        const char *keep = memchr(log->text + log->len / 2, '\n', log->len - log->len / 2);
        const size_t gone = keep != NULL ? (size_t)(keep + 1 - log->text) : log->len;
        log->len -= gone;
        memmove(log->text, log->text + gone, log->len);
    }
    if (len < LOG_SIZE - log->len) {
        memcpy(log->text + log->len, text, len);
        log->len += len;
        log->text[log->len++] = '\n';
    }
    pthread_mutex_unlock(&log->lock);
}

const char *vmm_log(struct vmm *m)
{
    pthread_mutex_lock(&m->log.lock);
    memcpy(m->log.copy, m->log.text, m->log.len);
    m->log.copy[m->log.len] = '\0';
    pthread_mutex_unlock(&m->log.lock);
    return m->log.copy;
}

const struct log_sink *lib_enter(struct vmm *m)
{
    const struct log_sink *outer = log_sink();

    log_set_sink(&m->log.sink);
    return outer;
}

void lib_leave(const struct log_sink *outer)
{
    log_set_sink(outer);
}

/* --- options -------------------------------------------------------------- */

static int set_console(const char *value, struct config *c, struct err *e)
{
    if (value == NULL || strcmp(value, "null") != 0) {
        err_set(e, EINVAL, "console: a machine of the library keeps its console in memory");
        err_hint(e, "leave it out, or console=null");
        err_status(e, EXIT_USAGE);
        return -EINVAL;
    }
    c->console = "null";
    return 0;
}

/* The library's own, then those of the command line. */
static int set_option(struct vmm *m, const char *name, const char *value, struct err *e)
{
    uint64_t n;
    int ret;

    if (strcmp(name, "console") == 0) {
        return set_console(value, &m->config, e);
    }
    if (strcmp(name, "snapshot-load") == 0 && value != NULL) {
        m->config.snapshot_load = value;
        return 0;
    }
    if (strcmp(name, "posted") == 0) {
        ret = opt_bool(value != NULL ? value : "", &m->config.posted, e);
    } else if (strcmp(name, "exits") == 0) {
        ret = opt_u64(value != NULL ? value : "", 1, EXITS_MAX, &n, e);
        m->exits_kept = ret == 0 ? (unsigned)n : m->exits_kept;
    } else {
        return config_set_guest(&m->config, name, value, e);
    }
    if (ret < 0) {
        err_prefix(e, "%s", name);
        err_status(e, EXIT_USAGE);
    }
    return ret;
}

static int take_options(struct vmm *m, const char *const *options, struct err *e)
{
    size_t count = 0;
    int ret = 0;

    config_init(&m->config);
    m->config.cpu_host = lib_cpu_host();
    m->exits_kept = EXITS_DEFAULT;
    while (options != NULL && options[count] != NULL) {
        count++;
    }
    m->options = calloc(count + 1, sizeof(*m->options));
    for (size_t i = 0; i < count && ret == 0; i++) {
        char *copy = m->options != NULL ? strdup(options[i]) : NULL;
        if (copy == NULL) {
            return err_set(e, ENOMEM, "out of memory for a machine's options");
        }
        m->options[i] = copy;
        char *value = strchr(copy, '=');
        if (value != NULL) {
            *value++ = '\0';
        }
        ret = set_option(m, copy, value, e);
    }
    if (m->config.snapshot_load == NULL) {
        config_defaults(&m->config);
    } else if (ret == 0) {
        ret = snapshot_open(&m->config, e);
    }
    if (m->config.kernel == NULL) {
        m->config.no_reboot = true; /* what vmm_load() has put into RAM would be gone */
    }
    return ret;
}

/* --- the machine ---------------------------------------------------------- */

static int build(struct vmm *m, const char *const *options, struct err *e)
{
    int ret = take_options(m, options, e);

    if (ret < 0) {
        return ret;
    }
    m->recorder = recorder_new(m->config.cpus, m->exits_kept);
    if (m->recorder == NULL) {
        return err_set(e, ENOMEM, "out of memory for %u vCPUs", m->config.cpus);
    }
    m->machine = machine_new(&m->config, e);
    if (m->machine == NULL) {
        return -EINVAL;
    }
    m->machine->vm->vcpus.recorder = m->recorder;
    if (m->config.kernel != NULL || m->config.snapshot != NULL) {
        ret = run_start(m->machine, e);
        m->loaded = ret == 0;
    }
    clock_pause(&m->machine->clock);
    return ret;
}

struct vmm *vmm_new(const char *const *options, struct vmm_error *e)
{
    struct vmm *m = calloc(1, sizeof(*m));
    struct err inner = ERR_INIT;

    if (m == NULL) {
        lib_fail(e, ENOMEM, "out of memory for a machine");
        return NULL;
    }
    m->log.sink = (struct log_sink){.line = add_message, .opaque = &m->log};
    pthread_mutex_init(&m->log.lock, NULL);
    pthread_mutex_init(&m->found_lock, NULL);
    const struct log_sink *outer = lib_enter(m);
    const int ret = build(m, options, &inner);
    lib_leave(outer);
    if (ret < 0) {
        lib_error(e, &inner);
        vmm_free(m);
        return NULL;
    }
    return m;
}

void vmm_free(struct vmm *m)
{
    if (m == NULL) {
        return;
    }
    const struct log_sink *outer = lib_enter(m);
    watch_free(m);
    machine_free(m->machine);
    lib_leave(outer);
    recorder_free(m->recorder);
    config_free(&m->config);
    for (size_t i = 0; m->options != NULL && m->options[i] != NULL; i++) {
        free(m->options[i]);
    }
    free(m->options);
    free(m->lines);
    free(m->report);
    pthread_mutex_destroy(&m->log.lock);
    pthread_mutex_destroy(&m->found_lock);
    free(m);
}

/* --- code ----------------------------------------------------------------- */

uint64_t vmm_ram_start(const struct vmm *m)
{
    (void)m;
    return board_ram_gpa;
}

int vmm_load(struct vmm *m, enum vmm_mode mode, uint64_t gpa, const void *code, size_t len,
             struct vmm_error *e)
{
    static const enum boot_mode modes[] = {
        [VMM_REAL16] = BOOT_REAL16,
        [VMM_PROT32] = BOOT_PROT32,
        [VMM_LONG64] = BOOT_LONG64,
        [VMM_EL1] = BOOT_EL1,
    };
    struct boot_entry entry;
    struct err inner = ERR_INIT;

    if (m->config.kernel != NULL || m->config.snapshot != NULL || m->ran) {
        return lib_fail(e, EINVAL, "the machine has %s",
                        m->ran                       ? "run already"
                        : m->config.snapshot != NULL ? "a snapshot"
                                                     : "a kernel");
    }
    if (mode > VMM_EL1) {
        return lib_fail(e, EINVAL, "there is no mode %u", (unsigned)mode);
    }
    int ret = vmm_write(m, gpa, code, len, e);
    if (ret < 0) {
        return ret;
    }
    ret = board_enter(m->machine, modes[mode], gpa, &entry, &inner);
    if (ret == 0) {
        ret = run_enter(m->machine, &entry, &inner);
    }
    if (ret < 0) {
        lib_error(e, &inner);
    }
    m->loaded = ret == 0;
    return ret;
}

int vmm_save(struct vmm *m, const char *path, struct vmm_error *e)
{
    struct err inner = ERR_INIT;
    const struct log_sink *outer;
    int ret;

    if (!m->loaded || m->machine->vm->run.pending == PENDING_END) {
        return lib_fail(e, EINVAL,
                        m->loaded ? "the machine has ended" : "there is nothing to save");
    }
    m->config.save.path = strdup(path);
    if (m->config.save.path == NULL) {
        return lib_fail(e, ENOMEM, "out of memory for a snapshot");
    }
    outer = lib_enter(m);
    ret = snapshot_save(m->machine, &inner);
    clock_pause(&m->machine->clock);
    lib_leave(outer);
    free(m->config.save.path);
    m->config.save.path = NULL;
    if (ret < 0) {
        lib_error(e, &inner);
    }
    return ret;
}
