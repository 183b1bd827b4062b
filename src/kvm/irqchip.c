/*
 * Interrupts into the guest: lines, irqfd, the GSI routing table.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, 4.25 KVM_IRQ_LINE, 4.52
 * KVM_SET_GSI_ROUTING, 4.75 KVM_IRQFD.
 * Locking: irqchip.lock guards the routing table; lines and edges need none.
 */
#include "src/kvm/irqchip.h"

#include "src/arch/arch.h"
#include "src/base/trace.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

int irqchip_create(struct irqchip *c, struct kvm *kvm, struct err *e)
{
    *c = (struct irqchip){.kvm = kvm, .pins = ARCH_IRQ_PINS};
    int r = arch_irqchip_create(kvm, e);
    if (r < 0) {
        return r;
    }
    pthread_mutex_init(&c->lock, NULL);
    return 0;
}

int irqchip_reset(struct irqchip *c, struct err *e)
{
    return arch_irqchip_reset(c->kvm, e);
}

void irqchip_destroy(struct irqchip *c)
{
    free(c->routing);
    c->routing = NULL;
    pthread_mutex_destroy(&c->lock);
}

/* --- lines and edges -------------------------------------------------- */

static void line_set(void *opaque, unsigned gsi, bool level)
{
    struct irqchip *c = opaque;
    struct kvm_irq_level line = {.irq = gsi, .level = level};
    trace(TRACE_kvm_irq, "gsi %u level %d", gsi, level);
    kvm_ioctl(c->kvm, c->kvm->vm_fd, KVM_IRQ_LINE, &line);
}

struct irq irqchip_line(struct irqchip *c, unsigned gsi)
{
    if (gsi >= c->pins) {
        return (struct irq){0};
    }
    return (struct irq){.set = line_set, .opaque = c, .n = gsi};
}

static int set_irqfd(struct irqchip *c, unsigned gsi, int fd, uint32_t flags)
{
    struct kvm_irqfd req = {.fd = (uint32_t)fd, .gsi = gsi, .flags = flags};
    return kvm_ioctl(c->kvm, c->kvm->vm_fd, KVM_IRQFD, &req);
}

int irqchip_edge_get(struct irqchip *c, unsigned gsi, struct irq_edge *out, struct err *e)
{
    *out = (struct irq_edge){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (out->fd < 0) {
        int code = errno;
        err_set(e, code, "no eventfd for interrupt %u: %s", gsi, strerror(code));
        err_hint(e, "raise the limit of open files (ulimit -n)");
        return -code;
    }
    int r = set_irqfd(c, gsi, out->fd, 0);
    if (r < 0) {
        close(out->fd);
        out->fd = -1;
        return err_set(e, -r, "KVM refused an irqfd for interrupt %u: %s", gsi, strerror(-r));
    }
    return 0;
}

void irqchip_edge_put(struct irqchip *c, unsigned gsi, struct irq_edge *edge)
{
    if (edge->fd >= 0) {
        set_irqfd(c, gsi, edge->fd, KVM_IRQFD_FLAG_DEASSIGN);
        close(edge->fd);
        edge->fd = -1;
    }
}

/* --- message-signalled interrupts ------------------------------------- */

static int push_routes(struct irqchip *c, struct err *e)
{
    int r = kvm_ioctl(c->kvm, c->kvm->vm_fd, KVM_SET_GSI_ROUTING, c->routing);
    return r < 0 ? err_set(e, -r, "KVM refused the interrupt routes: %s", strerror(-r)) : 0;
}

/* Make room for one more entry; the first time, begin with KVM's own routes of the lines. */
static int routes_grow(struct irqchip *c)
{
    bool fresh = c->routing == NULL;
    size_t have = fresh ? arch_irq_routes(NULL) : c->routing->nr;
    if (!fresh && have < c->routing_room) {
        return 0;
    }
    size_t room = have + 16;
    struct kvm_irq_routing *grown =
        realloc(c->routing, sizeof(*grown) + room * sizeof(grown->entries[0]));
    if (grown == NULL) {
        return -ENOMEM;
    }
    if (fresh) {
        grown->flags = 0;
        grown->nr = (uint32_t)arch_irq_routes(grown->entries);
    }
    c->routing = grown;
    c->routing_room = (unsigned)room;
    return 0;
}

static struct kvm_irq_routing_entry *route_of(struct irqchip *c, unsigned gsi)
{
    for (uint32_t i = 0; gsi >= c->pins && c->routing != NULL && i < c->routing->nr; i++) {
        if (c->routing->entries[i].gsi == gsi) {
            return &c->routing->entries[i];
        }
    }
    return NULL;
}

/* The lowest GSI above the pins that no message has; the table is as long as it is full. */
static unsigned free_gsi(struct irqchip *c)
{
    unsigned gsi = c->pins;
    while (route_of(c, gsi) != NULL) {
        gsi++;
    }
    return gsi;
}

static struct kvm_irq_routing_entry msi_route(unsigned gsi, uint64_t address, uint32_t data)
{
    struct kvm_irq_routing_entry entry = {.gsi = gsi, .type = KVM_IRQ_ROUTING_MSI};
    entry.u.msi.address_lo = (uint32_t)address;
    entry.u.msi.address_hi = (uint32_t)(address >> 32);
    entry.u.msi.data = data;
    return entry;
}

static int msi_get_locked(struct irqchip *c, uint64_t address, uint32_t data, unsigned *gsi,
                          struct err *e)
{
    int r = routes_grow(c);
    if (r < 0) {
        return err_set(e, -r, "out of memory for interrupt routes");
    }
    *gsi = free_gsi(c);
    if (*gsi >= c->kvm->max_gsis) {
        return err_set(e, ENOSPC, "all %u interrupt routes of KVM are in use", c->kvm->max_gsis);
    }
    c->routing->entries[c->routing->nr++] = msi_route(*gsi, address, data);
    r = push_routes(c, e);
    if (r < 0) {
        c->routing->nr--;
    }
    return r;
}

int irqchip_msi_get(struct irqchip *c, uint64_t address, uint32_t data, unsigned *gsi,
                    struct err *e)
{
    pthread_mutex_lock(&c->lock);
    int r = msi_get_locked(c, address, data, gsi, e);
    pthread_mutex_unlock(&c->lock);
    return r;
}

int irqchip_msi_set(struct irqchip *c, unsigned gsi, uint64_t address, uint32_t data, struct err *e)
{
    int r = 0;
    pthread_mutex_lock(&c->lock);
    struct kvm_irq_routing_entry *entry = route_of(c, gsi);
    if (entry == NULL) {
        r = err_set(e, ENOENT, "interrupt %u is not message-signalled", gsi);
    } else {
        *entry = msi_route(gsi, address, data);
        r = push_routes(c, e);
    }
    pthread_mutex_unlock(&c->lock);
    return r;
}

void irqchip_msi_put(struct irqchip *c, unsigned gsi)
{
    pthread_mutex_lock(&c->lock);
    struct kvm_irq_routing_entry *entry = route_of(c, gsi);
    if (entry != NULL) {
        *entry = c->routing->entries[--c->routing->nr];
        push_routes(c, NULL);
    }
    pthread_mutex_unlock(&c->lock);
}
