/*
 * Assembling a machine and describing it. Running it is src/run.c.
 */
#include "src/machine.h"

#include "src/arch/board.h"
#include "src/arch/cpu_spec.h"
#include "src/console/chardev.h"
#include "src/console/memory.h"
#include "src/console/watch.h"
#include "src/exec/exec.h"
#include "src/run.h"
#include "src/vm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- what devices get while nothing runs (--info) ------------------------ */

static struct irq no_irq(void *opaque, unsigned gsi)
{
    (void)opaque;
    return (struct irq){.n = gsi};
}

static int no_irq_edge(void *opaque, unsigned gsi, struct irq_edge *out, struct err *e)
{
    (void)e;
    *out = (struct irq_edge){.fd = -1, .irq = no_irq(opaque, gsi)};
    return 0;
}

static void no_irq_edge_put(void *opaque, unsigned gsi, struct irq_edge *edge)
{
    (void)opaque;
    (void)gsi;
    (void)edge;
}

static int no_irq_level(void *opaque, unsigned gsi, struct irq *out, struct err *e)
{
    (void)e;
    *out = no_irq(opaque, gsi);
    return 0;
}

static int no_msi(void *opaque, uint32_t requester, struct irq_msi *out, struct err *e)
{
    (void)requester;
    (void)e;
    *out = (struct irq_msi){.edge = {.fd = -1, .irq = no_irq(opaque, 0)}};
    return 0;
}

static int no_msi_set(void *opaque, struct irq_msi *msi, uint64_t address, uint32_t data)
{
    (void)opaque;
    (void)msi;
    (void)address;
    (void)data;
    return 0;
}

static void no_msi_put(void *opaque, struct irq_msi *msi)
{
    (void)opaque;
    (void)msi;
}

static void no_event(void *opaque, enum machine_event event, int value)
{
    (void)opaque;
    (void)event;
    (void)value;
}

static void env_init(struct machine *m)
{
    m->env = (struct device_env){
        .topo = m->topo,
        .mem = m->mem,
        .mem_root = &m->mem_root,
        .io = m->io,
        .io_root = &m->io_root,
        .loop = m->loop,
        .clock = &m->clock,
        .console = m->console,
        .cpus = m->config->cpus,
        .channel = m->exec != NULL ? exec_channel(m->exec) : NULL,
        .irq = no_irq,
        .irq_edge_get = no_irq_edge,
        .irq_edge_put = no_irq_edge_put,
        .irq_level_get = no_irq_level,
        .msi_get = no_msi,
        .msi_set = no_msi_set,
        .msi_put = no_msi_put,
        .event = no_event,
        .opaque = m,
    };
    if (cpu_spec_switch(m->config->cpu, "hyperv")) {
        hyperv_init_idle(&m->idle_hyperv);
        m->env.hyperv = &m->idle_hyperv;
    }
}

/* --- building ------------------------------------------------------------ */

/* More RAM than the host has would end in the host's out-of-memory killer, in mid-run. */
static int check_memory(uint64_t size, struct err *e)
{
    const uint64_t host = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

    if (size <= host) {
        return 0;
    }
    err_set(e, ENOMEM, "--memory %" PRIu64 "M is more than this host's %" PRIu64 "M of RAM",
            size >> 20, host >> 20);
    err_hint(e, "give the guest less, for instance --memory %" PRIu64 "M", host / 2 >> 20);
    return -ENOMEM;
}

static int spaces_init(struct machine *m, struct err *e)
{
    m->topo = topology_new();
    if (m->topo == NULL) {
        return err_set(e, ENOMEM, "cannot set up the memory map: out of memory");
    }
    region_init_container(&m->mem_root, m->topo, "memory", REGION_ALL);
    region_init_container(&m->io_root, m->topo, "io", 0x10000);
    m->mem = aspace_new(m->topo, "memory", &m->mem_root);
    m->io = aspace_new(m->topo, "I/O", &m->io_root);
    if (m->mem == NULL || m->io == NULL) {
        return err_set(e, ENOMEM, "cannot set up the address spaces: out of memory");
    }
    return 0;
}

/* Name a device after its class, numbered from the second on: virtio-blk, virtio-blk1, ... */
static void make_id(const struct machine *m, const char *class_name, char *id, size_t size)
{
    unsigned same = 0;

    for (const struct device *d = m->devices; d != NULL; d = d->next) {
        same += strcmp(d->cls->name, class_name) == 0;
    }
    if (same == 0) {
        snprintf(id, size, "%s", class_name);
    } else {
        snprintf(id, size, "%s%u", class_name, same);
    }
}

static void append_device(struct machine *m, struct device *d)
{
    struct device **at = &m->devices;

    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = d;
}

/* From a parsed description to a realized device. */
static struct device *make_device(struct machine *m, const struct opt_list *list, const char *id,
                                  struct err *e)
{
    const struct device_class *cls = device_class_find(list->name, e);
    char made[DEVICE_ID_MAX];
    struct device *d;
    int ret = 0;

    if (cls == NULL) {
        err_status(e, EXIT_USAGE);
        return NULL;
    }
    make_id(m, cls->name, made, sizeof(made));
    d = device_new(cls, id ? id : made, &m->env, e);
    if (d == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < list->count && ret == 0; i++) {
        ret = device_set(d, list->opts[i].key, list->opts[i].value, e);
    }
    if (ret < 0) {
        err_status(e, EXIT_USAGE);
    } else {
        ret = board_place(m, d, e);
    }
    if (ret == 0) {
        ret = device_realize(d, e);
    }
    if (ret < 0) {
        device_free(d);
        return NULL;
    }
    append_device(m, d);
    return d;
}

struct device *machine_add_device(struct machine *m, const char *text, const char *id,
                                  struct err *e)
{
    struct opt_list list;
    struct device *d;

    if (opt_list_parse(&list, text, e) < 0) {
        err_status(e, EXIT_USAGE);
        return NULL;
    }
    d = make_device(m, &list, id, e);
    opt_list_free(&list);
    return d;
}

static int add_user_devices(struct machine *m, struct err *e)
{
    for (size_t i = 0; i < m->config->devices.count; i++) {
        if (machine_add_device(m, m->config->devices.items[i], NULL, e) == NULL) {
            err_prefix(e, "--device %s", m->config->devices.items[i]);
            return -EINVAL;
        }
    }
    if (m->config->vmgenid && machine_add_device(m, "vmgenid,bus=mmio", NULL, e) == NULL) {
        err_prefix(e, "--snapshot-save adds a device");
        return -EINVAL;
    }
    return 0;
}

static int add_devices(struct machine *m, struct err *e)
{
    int ret = board_add_devices(m, e);

    if (ret == 0) {
        ret = add_user_devices(m, e);
    }
    return ret == 0 ? board_assign(m, e) : ret;
}

static void exec_ended(void *opaque, int status)
{
    run_end(opaque, status);
}

/* --exec: pack the program before anything else takes time. */
static int open_exec(struct machine *m, struct err *e)
{
    m->exec = exec_new(m->config, board_channel, m->loop, m->mem, exec_ended, m, e);
    if (m->exec == NULL) {
        return -EINVAL;
    }
    m->last_initrd = exec_initrd(m->exec);
    return 0;
}

static struct chardev *open_console(struct machine *m, struct err *e)
{
    const struct chardev_escape escape = {.quit = run_quit, .opaque = m};
    const char *kind = m->config->action == ACTION_RUN ? m->config->console : "null";

    if (m->exec != NULL && kind != NULL && strcmp(kind, "null") == 0) {
        return exec_open_console(m->exec, e);
    }
    return kind != NULL ? chardev_open(kind, m->loop, &escape, e) : memory_open(m->loop, e);
}

static int machine_build(struct machine *m, struct err *e)
{
    const bool run = m->config->action == ACTION_RUN;
    int ret = run ? vm_open(m, e) : 0;

    if (ret < 0) {
        return ret;
    }
    clock_init(&m->clock);
    m->loop = loop_new(&m->clock, e);
    if (m->loop == NULL) {
        return -ENOMEM;
    }
    ret = check_memory(m->config->memory, e);
    if (ret == 0) {
        ret = ram_alloc(&m->ram, m->config->memory, e);
    }
    if (ret == 0 && m->config->snapshot != NULL) {
        ret = snapshot_map_ram(m->config->snapshot, &m->ram, e);
    }
    if (ret == 0) {
        ret = spaces_init(m, e);
    }
    if (ret == 0 && run && m->config->exec.program != NULL) {
        ret = open_exec(m, e);
    }
    if (ret == 0) {
        env_init(m);
        ret = board_new(m, e);
    }
    if (ret == 0 && run) {
        /* The memory slots go in before there is an irqchip: later each waits for the kernel. */
        ret = vm_build(m, e);
    }
    if (ret == 0) {
        m->console = open_console(m, e);
        if (m->console != NULL && m->config->save.pattern != NULL) {
            m->console = chardev_watch(m->console, m->config->save.pattern, run_ready, m, e);
        }
        m->env.console = m->console;
        ret = m->console ? 0 : -EINVAL;
    }
    if (ret == 0) {
        ret = add_devices(m, e);
    }
    return ret;
}

struct machine *machine_new(const struct config *config, struct err *e)
{
    struct machine *m = calloc(1, sizeof(*m));

    if (m == NULL) {
        err_set(e, ENOMEM, "cannot set up a machine: out of memory");
        return NULL;
    }
    m->config = config;
    if (machine_build(m, e) < 0) {
        machine_free(m);
        return NULL;
    }
    return m;
}

/* The youngest first: a device is plugged into an older one. */
static void free_last_device(struct machine *m)
{
    struct device **at = &m->devices;

    while ((*at)->next != NULL) {
        at = &(*at)->next;
    }
    device_free(*at);
    *at = NULL;
}

void machine_free(struct machine *m)
{
    if (m == NULL) {
        return;
    }
    while (m->devices != NULL) {
        free_last_device(m);
    }
    chardev_free(m->console);
    vm_free(m);
    board_free(m);
    if (m->topo != NULL) {
        aspace_free(m->mem);
        aspace_free(m->io);
        region_fini(&m->mem_root);
        region_fini(&m->io_root);
        topology_free(m->topo);
    }
    ram_free(&m->ram);
    exec_free(m->exec);
    if (m->loop != NULL) {
        loop_free(m->loop);
    }
    free(m);
}
