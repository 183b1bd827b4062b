/*
 * Message-signalled interrupts: see msi.h.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, 4.52 KVM_SET_GSI_ROUTING.
 */
#include "src/kvm/msi.h"

#include "src/arch/arch.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <unistd.h>

void msi_table_init(struct msi_table *t, struct irqchip *chip)
{
    *t = (struct msi_table){.chip = chip};
    pthread_mutex_init(&t->lock, NULL);
}

void msi_table_destroy(struct msi_table *t)
{
    free(t->routes);
    free(t->kvm_table);
    pthread_mutex_destroy(&t->lock);
}

/* --- the table -------------------------------------------------------- */

static struct kvm_irq_routing_entry make_entry(const struct msi_route *r, unsigned gsi)
{
    if (r->is_sint) {
        return (struct kvm_irq_routing_entry){
            .gsi = gsi,
            .type = KVM_IRQ_ROUTING_HV_SINT,
            .u.hv_sint = {.vcpu = (uint32_t)r->address, .sint = r->data},
        };
    }
    return (struct kvm_irq_routing_entry){
        .gsi = gsi,
        .type = KVM_IRQ_ROUTING_MSI,
        .flags = ARCH_MSI_HAS_REQUESTER ? KVM_MSI_VALID_DEVID : 0,
        .u.msi = {.address_lo = (uint32_t)r->address,
                  .address_hi = (uint32_t)(r->address >> 32),
                  .data = r->data,
                  .devid = ARCH_MSI_HAS_REQUESTER ? r->requester : 0},
    };
}

/* Give KVM all routes as they are to be now. */
static int push_routes(struct msi_table *t)
{
    struct kvm *kvm = t->chip->kvm;
    struct kvm_irq_routing *table = t->kvm_table;

    if (t->held) {
        t->changed = true;
        return 0;
    }

    table->flags = 0;
    table->nr = (uint32_t)arch_irq_routes(table->entries);
    for (unsigned i = 0; i < t->count; i++) {
        const struct msi_route *r = &t->routes[i];
        if (r->routed) {
            table->entries[table->nr++] = make_entry(r, t->chip->pins + i);
        }
    }
    return kvm_ioctl(kvm, kvm->vm_fd, KVM_SET_GSI_ROUTING, table);
}

/* Room for one more route, here and in the table for KVM. */
static int grow(struct msi_table *t, struct err *e)
{
    const size_t lines = arch_irq_routes(NULL), max = t->chip->kvm->max_gsis;
    const size_t entries = lines + t->count + 1;

    if (entries > max || t->chip->pins + t->count >= max) {
        return err_set(e, ENOSPC, "all %zu interrupt routes of KVM are in use", max);
    }
    struct kvm_irq_routing *table =
        realloc(t->kvm_table, sizeof(*table) + entries * sizeof(table->entries[0]));
    if (table != NULL) {
        t->kvm_table = table;
    }
    struct msi_route *routes = realloc(t->routes, (t->count + 1) * sizeof(*routes));
    if (routes != NULL) {
        t->routes = routes;
    }
    if (table == NULL || routes == NULL) {
        return err_set(e, ENOMEM, "out of memory for interrupt routes");
    }
    t->routes[t->count++] = (struct msi_route){0};
    return 0;
}

/* --- a message -------------------------------------------------------- */

static int take_route(struct msi_table *t, unsigned *n, struct err *e)
{
    for (*n = 0; *n < t->count; (*n)++) {
        if (!t->routes[*n].taken) {
            break;
        }
    }
    const int ret = *n < t->count ? 0 : grow(t, e);
    if (ret == 0) {
        t->routes[*n].taken = true;
    }
    return ret;
}

int msi_get(struct msi_table *t, uint32_t requester, struct irq_msi *out, struct err *e)
{
    unsigned n;

    *out = (struct irq_msi){.edge = {.fd = -1}};
    pthread_mutex_lock(&t->lock);
    int ret = take_route(t, &n, e);
    if (ret == 0) {
        out->gsi = t->chip->pins + n;
        ret = irqchip_eventfd(out->gsi, e);
        t->routes[n].taken = ret >= 0;
        t->routes[n].requester = requester;
    }
    pthread_mutex_unlock(&t->lock);
    if (ret < 0) {
        return ret;
    }
    out->edge.fd = ret;
    return 0;
}

static int set_locked(struct msi_table *t, struct msi_route *r, const struct irq_msi *msi,
                      uint64_t address, uint32_t data)
{
    const bool valid = arch_is_msi_address(t->chip->kvm, address);
    int ret = 0;

    if (valid && !r->bound) {
        ret = irqchip_bind(t->chip, msi->gsi, msi->edge.fd, -1);
        if (ret < 0) {
            return ret;
        }
        r->bound = true;
    }
    const struct msi_route before = *r;
    if (valid != before.routed || (valid && (address != before.address || data != before.data))) {
        r->routed = valid;
        r->address = address;
        r->data = data;
        ret = push_routes(t);
    }
    if (ret < 0) {
        *r = before; /* as KVM has it still */
        return ret;
    }
    return valid ? 0 : -EINVAL;
}

int msi_set(struct msi_table *t, const struct irq_msi *msi, uint64_t address, uint32_t data)
{
    pthread_mutex_lock(&t->lock);
    const int ret = set_locked(t, &t->routes[msi->gsi - t->chip->pins], msi, address, data);
    pthread_mutex_unlock(&t->lock);
    return ret;
}

/*
 * KVM drops an irqfd by itself when its eventfd closes, and without making anybody wait. The
 * route may stay: nothing can raise it, and the next table is without it.
 */
void msi_put(struct msi_table *t, struct irq_msi *msi)
{
    close(msi->edge.fd);
    msi->edge.fd = -1;
    pthread_mutex_lock(&t->lock);
    t->routes[msi->gsi - t->chip->pins] = (struct msi_route){0};
    pthread_mutex_unlock(&t->lock);
}

static int route_sint(struct msi_table *t, const struct irq_msi *msi, unsigned vcpu, unsigned sint,
                      int acked_fd)
{
    struct msi_route *r = &t->routes[msi->gsi - t->chip->pins];
    const int ret = irqchip_bind(t->chip, msi->gsi, msi->edge.fd, acked_fd);

    if (ret < 0) {
        return ret;
    }
    *r = (struct msi_route){.taken = true,
                            .bound = true,
                            .routed = true,
                            .is_sint = true,
                            .address = vcpu,
                            .data = sint};
    return push_routes(t);
}

int msi_get_sint(struct msi_table *t, unsigned vcpu, unsigned sint, int acked_fd,
                 struct irq_msi *out)
{
    int ret = msi_get(t, 0, out, NULL);

    if (ret < 0) {
        return ret;
    }
    pthread_mutex_lock(&t->lock);
    ret = route_sint(t, out, vcpu, sint, acked_fd);
    pthread_mutex_unlock(&t->lock);
    if (ret < 0) {
        msi_put(t, out);
    }
    return ret < 0 ? ret : 0;
}

void msi_hold(struct msi_table *t)
{
    pthread_mutex_lock(&t->lock);
    t->held = true;
    t->changed = false;
    pthread_mutex_unlock(&t->lock);
}

int msi_release(struct msi_table *t)
{
    pthread_mutex_lock(&t->lock);
    t->held = false;
    const int ret = t->changed ? push_routes(t) : 0;
    pthread_mutex_unlock(&t->lock);
    return ret < 0 ? ret : 0;
}
