/*
 * Fakes for unit tests: see fakes.h.
 */
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IO_PORTS 0x10000

/* --- clock ------------------------------------------------------------ */

static uint64_t fake_host_ns(void *opaque)
{
    struct fake_clock *c = opaque;
    return atomic_load(&c->ns);
}

static uint64_t fake_host_realtime_ns(void *opaque)
{
    struct fake_clock *c = opaque;
    return atomic_load(&c->realtime_ns);
}

void fake_clock_init(struct fake_clock *c)
{
    clock_init(&c->clock);
    c->clock.host_ns = fake_host_ns;
    c->clock.host_realtime_ns = fake_host_realtime_ns;
    c->clock.opaque = c;
    atomic_store(&c->ns, FAKE_START_NS);
    atomic_store(&c->realtime_ns, FAKE_START_REALTIME_NS);
}

void fake_clock_advance(struct fake_clock *c, uint64_t ns)
{
    atomic_fetch_add(&c->ns, ns);
    atomic_fetch_add(&c->realtime_ns, ns);
}

/* --- interrupts ------------------------------------------------------- */

static void record_level(void *opaque, unsigned gsi, bool level)
{
    struct fake_irqs *f = opaque;
    atomic_fetch_add(&f->calls[gsi], 1);
    if (!atomic_exchange(&f->level[gsi], level) && level) {
        atomic_fetch_add(&f->raised[gsi], 1);
    }
}

static void record_pulse(void *opaque, unsigned gsi, bool level)
{
    struct fake_irqs *f = opaque;
    atomic_fetch_add(&f->pulses[gsi], level);
}

struct irq fake_irq(struct fake_irqs *f, unsigned gsi)
{
    cr_assert(gsi < FAKE_GSIS);
    return (struct irq){.set = record_level, .opaque = f, .n = gsi};
}

/* --- character back end ----------------------------------------------- */

static void fake_chardev_free(struct chardev *c)
{
    (void)c; /* belongs to the test */
}

static void fake_chardev_attach(struct chardev *c, const struct chardev_frontend *frontend)
{
    ((struct fake_chardev *)c)->frontend = frontend;
}

static size_t fake_chardev_write(struct chardev *c, const uint8_t *data, size_t len)
{
    struct fake_chardev *f = (struct fake_chardev *)c;
    size_t n = len < f->room ? len : f->room;
    cr_assert(n <= sizeof(f->out) - f->out_len, "more output than the fake can hold");
    memcpy(f->out + f->out_len, data, n);
    f->out_len += n;
    f->room -= f->room == SIZE_MAX ? 0 : n;
    f->short_write = n < len;
    return n;
}

static void fake_chardev_accept_input(struct chardev *c)
{
    ((struct fake_chardev *)c)->accepts++;
}

static void fake_chardev_flush(struct chardev *c)
{
    ((struct fake_chardev *)c)->flushes++;
}

void fake_chardev_init(struct fake_chardev *c)
{
    static const struct chardev_ops ops = {
        .free = fake_chardev_free,
        .attach = fake_chardev_attach,
        .write = fake_chardev_write,
        .accept_input = fake_chardev_accept_input,
        .flush = fake_chardev_flush,
    };
    memset(c, 0, sizeof(*c));
    c->chardev.ops = &ops;
    c->room = SIZE_MAX;
}

void fake_chardev_feed(struct fake_chardev *c, const void *data, size_t len)
{
    cr_assert_eq(c->in_len, 0, "earlier input still waits");
    c->in = data;
    c->in_len = len;
    fake_chardev_pump(c);
}

size_t fake_chardev_pump(struct fake_chardev *c)
{
    while (c->frontend != NULL && c->in_len > 0) {
        size_t n = c->frontend->can_receive(c->frontend->opaque);
        n = n < c->in_len ? n : c->in_len;
        if (n == 0) {
            break;
        }
        const uint8_t *data = c->in;
        c->in += n;
        c->in_len -= n;
        c->frontend->receive(c->frontend->opaque, data, n);
    }
    return c->in_len;
}

void fake_chardev_set_room(struct fake_chardev *c, size_t n)
{
    c->room = n;
    if (c->short_write && c->frontend != NULL && c->frontend->writable != NULL) {
        c->short_write = false;
        c->frontend->writable(c->frontend->opaque);
    }
}

/* --- machine ---------------------------------------------------------- */

static struct irq machine_irq(void *opaque, unsigned gsi)
{
    struct fake_machine *m = opaque;
    return gsi < FAKE_GSIS ? fake_irq(&m->irqs, gsi) : (struct irq){0};
}

static int machine_irq_edge_get(void *opaque, unsigned gsi, struct irq_edge *out, struct err *e)
{
    struct fake_machine *m = opaque;
    (void)e;
    cr_assert(gsi < FAKE_GSIS);
    *out = (struct irq_edge){.fd = -1, .irq = {.set = record_pulse, .opaque = &m->irqs, .n = gsi}};
    atomic_fetch_add(&m->irqs.edges_out, 1);
    return 0;
}

static void machine_irq_edge_put(void *opaque, unsigned gsi, struct irq_edge *edge)
{
    struct fake_machine *m = opaque;
    (void)gsi;
    *edge = (struct irq_edge){.fd = -1};
    atomic_fetch_sub(&m->irqs.edges_out, 1);
}

static int machine_irq_level_get(void *opaque, unsigned gsi, struct irq *out, struct err *e)
{
    (void)e;
    *out = machine_irq(opaque, gsi);
    return 0;
}

static void record_message(void *opaque, unsigned n, bool level)
{
    struct fake_machine *m = opaque;
    atomic_fetch_add(&m->msis[n].sent, level);
}

static int machine_msi_get(void *opaque, uint32_t requester, struct irq_msi *out, struct err *e)
{
    struct fake_machine *m = opaque;
    unsigned n = 0;
    (void)e;
    while (n < FAKE_MSIS && m->msis[n].taken) {
        n++;
    }
    cr_assert(n < FAKE_MSIS);
    m->msis[n] = (struct fake_msi){.taken = true, .requester = requester};
    *out = (struct irq_msi){
        .edge = {.fd = -1, .irq = {.set = record_message, .opaque = m, .n = n}},
        .gsi = n,
    };
    return 0;
}

/* As on x86: messages go to the local APICs' window. */
static int machine_msi_set(void *opaque, struct irq_msi *msi, uint64_t address, uint32_t data)
{
    struct fake_machine *m = opaque;
    struct fake_msi *f = &m->msis[msi->gsi];
    cr_assert(f->taken);
    f->address = address;
    f->data = data;
    f->sets++;
    return address >> 20 == 0xfee ? 0 : -EINVAL;
}

static void machine_msi_put(void *opaque, struct irq_msi *msi)
{
    struct fake_machine *m = opaque;
    cr_assert(m->msis[msi->gsi].taken);
    m->msis[msi->gsi].taken = false;
}

static void machine_event(void *opaque, enum machine_event event, int value)
{
    struct fake_machine *m = opaque;
    if (m->event_count < FAKE_EVENTS_MAX) {
        m->events[m->event_count].event = event;
        m->events[m->event_count].value = value;
    }
    m->event_count++;
}

static void make_address_spaces(struct fake_machine *m)
{
    m->topo = topology_new();
    cr_assert_not_null(m->topo);
    region_init_container(&m->mem_root, m->topo, "memory", REGION_ALL);
    region_init_container(&m->io_root, m->topo, "io", IO_PORTS);
    if (m->ram_size > 0) {
        m->ram = aligned_alloc(4096, m->ram_size);
        cr_assert_not_null(m->ram);
        memset(m->ram, 0, m->ram_size);
        region_init_ram(&m->ram_region, m->topo, "ram", m->ram_size, m->ram);
        cr_assert_eq(region_add(&m->mem_root, 0, &m->ram_region, 0), 0);
    }
    m->mem = aspace_new(m->topo, "memory", &m->mem_root);
    m->io = aspace_new(m->topo, "io", &m->io_root);
    cr_assert(m->mem != NULL && m->io != NULL);
}

void fake_machine_init(struct fake_machine *m, unsigned ram_mib)
{
    memset(m, 0, sizeof(*m));
    m->ram_size = (uint64_t)ram_mib << 20;
    make_address_spaces(m);
    fake_clock_init(&m->clock);
    fake_chardev_init(&m->console);
    m->loop = loop_new(&m->clock.clock, NULL);
    cr_assert_not_null(m->loop);
    m->env = (struct device_env){
        .topo = m->topo,
        .mem = m->mem,
        .mem_root = &m->mem_root,
        .io = m->io,
        .io_root = &m->io_root,
        .loop = m->loop,
        .clock = &m->clock.clock,
        .console = &m->console.chardev,
        .low_ram = m->ram_size,
        .irq = machine_irq,
        .irq_edge_get = machine_irq_edge_get,
        .irq_edge_put = machine_irq_edge_put,
        .irq_level_get = machine_irq_level_get,
        .msi_get = machine_msi_get,
        .msi_set = machine_msi_set,
        .msi_put = machine_msi_put,
        .event = machine_event,
        .opaque = m,
    };
}

void fake_machine_free(struct fake_machine *m)
{
    cr_assert_eq(m->irqs.edges_out, 0, "a device kept an edge source");
    for (size_t i = 0; i < FAKE_MSIS; i++) {
        cr_assert(!m->msis[i].taken, "a device kept a message source");
    }
    loop_free(m->loop);
    aspace_free(m->mem);
    aspace_free(m->io);
    if (m->ram != NULL) {
        region_fini(&m->ram_region);
    }
    region_fini(&m->mem_root);
    region_fini(&m->io_root);
    topology_free(m->topo);
    free(m->ram);
}

/* --- bus -------------------------------------------------------------- */

static int fake_bus_realize(struct device *d, struct err *e)
{
    struct fake_machine *m = d->env->opaque;
    uint64_t n = (uint64_t)((struct fake_slot *)d->slot - m->slots);
    return device_map_block(d, 0, d->env->mem_root, FAKE_SLOT_GPA(n), NULL, e);
}

static void fake_bus_unplug(struct device *d)
{
    (void)d; /* the slot is the machine's */
}

static void fake_bus_reset(struct device *d)
{
    struct fake_slot *s = d->slot;
    s->raised = 0;
}

static void fake_bus_raise(struct device *d, unsigned vector)
{
    struct fake_slot *s = d->slot;
    s->raised |= 1u << vector;
    s->raises++;
}

static void fake_bus_lower(struct device *d, unsigned vector)
{
    struct fake_slot *s = d->slot;
    s->raised &= ~(1u << vector);
    s->lowers++;
}

static bool fake_bus_may_dma(const struct device *d)
{
    struct fake_slot *s = d->slot;
    return !s->no_dma;
}

static void fake_plug(struct fake_machine *m, struct device *d)
{
    static const struct device_bus bus = {
        .name = "fake",
        .realize = fake_bus_realize,
        .unplug = fake_bus_unplug,
        .reset = fake_bus_reset,
        .raise = fake_bus_raise,
        .lower = fake_bus_lower,
        .may_dma = fake_bus_may_dma,
    };
    cr_assert(m->slot_count < FAKE_SLOTS);
    d->bus = &bus;
    d->slot = &m->slots[m->slot_count++];
}

struct device *fake_device_new(struct fake_machine *m, const struct device_class *cls,
                               const char *props)
{
    char text[512];
    snprintf(text, sizeof(text), "%s%s%s", cls->name, props != NULL ? "," : "",
             props != NULL ? props : "");
    struct err e = ERR_INIT;
    struct opt_list list;
    cr_assert_eq(opt_list_parse(&list, text, &e), 0, "%s", e.what);
    struct device *d = device_new(cls, cls->name, &m->env, &e);
    cr_assert_not_null(d, "%s", e.what);
    for (size_t i = 0; i < list.count; i++) {
        cr_assert_eq(device_set(d, list.opts[i].key, list.opts[i].value, &e), 0, "%s", e.what);
    }
    opt_list_free(&list);
    return d;
}

struct device *fake_device_of(struct fake_machine *m, const struct device_class *cls,
                              const char *props)
{
    struct err e = ERR_INIT;
    struct device *d = fake_device_new(m, cls, props);
    if (cls->pci != NULL || (cls->compatible != NULL && !cls->isa)) {
        fake_plug(m, d);
    }
    cr_assert_eq(device_realize(d, &e), 0, "%s", e.what);
    return d;
}

struct device *fake_device(struct fake_machine *m, const char *name, const char *props)
{
    struct err e = ERR_INIT;
    const struct device_class *cls = device_class_find(name, &e);
    cr_assert_not_null(cls, "%s", e.what);
    return fake_device_of(m, cls, props);
}

void fake_raise(struct device *d, unsigned vector)
{
    device_lock(d);
    device_raise(d, vector);
    device_unlock(d);
}

void fake_lower(struct device *d, unsigned vector)
{
    device_lock(d);
    device_lower(d, vector);
    device_unlock(d);
}

void fake_fill_pattern(uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = fake_pattern(i);
    }
}

uint64_t fake_read(struct aspace *as, uint64_t addr, unsigned size)
{
    uint8_t bytes[8] = {0};
    cr_assert(size <= sizeof(bytes));
    aspace_read(as, addr, bytes, size);
    uint64_t value = 0;
    for (unsigned i = size; i > 0; i--) {
        value = value << 8 | bytes[i - 1];
    }
    return value;
}

void fake_write(struct aspace *as, uint64_t addr, uint64_t value, unsigned size)
{
    uint8_t bytes[8];
    cr_assert(size <= sizeof(bytes));
    for (unsigned i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    aspace_write(as, addr, bytes, size);
}
