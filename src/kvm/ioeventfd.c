/*
 * Posted writes: doorbells (ioeventfd) and the ring of coalesced writes.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, 4.59 KVM_IOEVENTFD, 4.116
 * KVM_(UN)REGISTER_COALESCED_MMIO.
 * Locking: listeners run under the topology's lock; the ring's consumer side
 * has a lock of its own.
 */
#include "src/kvm/ioeventfd.h"

#include "src/base/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <string.h>

static struct ioeventfds *from_listener(struct aspace_listener *l)
{
    return (struct ioeventfds *)(void *)l;
}

static bool kvm_can_post(const struct ioeventfds *i, const struct posted_write *w)
{
    if (w->kind == POSTED_EVENTFD) {
        return w->size != 0 || (i->kvm->ioeventfd_any_len && !w->match);
    }
    return i->kvm->coalesced_page != 0 && (!i->pio || i->kvm->coalesced_pio);
}

static int set_eventfd(struct ioeventfds *i, const struct flat_posted *p, bool assign)
{
    struct kvm_ioeventfd req = {
        .datamatch = p->write.value,
        .addr = p->addr,
        .len = p->write.size,
        .fd = p->write.fd,
        .flags = (p->write.match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0) |
                 (i->pio ? KVM_IOEVENTFD_FLAG_PIO : 0) | (assign ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
    };
    trace(TRACE_kvm_ioeventfd, "%s %s 0x%" PRIx64 " size %u fd %d", assign ? "add" : "del",
          i->pio ? "port" : "gpa", p->addr, p->write.size, p->write.fd);
    return kvm_ioctl(i->kvm, i->kvm->vm_fd, KVM_IOEVENTFD, &req);
}

static int set_coalesced(struct ioeventfds *i, const struct flat_posted *p, bool assign)
{
    struct kvm_coalesced_mmio_zone zone = {
        .addr = p->addr,
        .size = p->write.size,
        .pio = i->pio,
    };
    trace(TRACE_kvm_coalesced, "%s %s 0x%" PRIx64 " size %u", assign ? "add" : "del",
          i->pio ? "port" : "gpa", p->addr, p->write.size);
    return kvm_ioctl(i->kvm, i->kvm->vm_fd,
                     assign ? KVM_REGISTER_COALESCED_MMIO : KVM_UNREGISTER_COALESCED_MMIO, &zone);
}

static int set_posted(struct ioeventfds *i, const struct flat_posted *p, bool assign)
{
    if (!kvm_can_post(i, &p->write)) {
        return 0;
    }
    return p->write.kind == POSTED_EVENTFD ? set_eventfd(i, p, assign)
                                           : set_coalesced(i, p, assign);
}

static int posted_add(struct aspace_listener *l, const struct flat_posted *p)
{
    return set_posted(from_listener(l), p, true);
}

static void posted_del(struct aspace_listener *l, const struct flat_posted *p)
{
    set_posted(from_listener(l), p, false);
}

int ioeventfds_attach(struct ioeventfds *i, struct kvm *kvm, struct aspace *as, bool pio,
                      struct err *e)
{
    *i = (struct ioeventfds){
        .listener = {.posted_add = posted_add, .posted_del = posted_del},
        .kvm = kvm,
        .as = as,
        .pio = pio,
    };
    int r = aspace_listen(as, &i->listener);
    if (r < 0) {
        ioeventfds_detach(i);
        return err_set(e, -r, "KVM refused a doorbell of the %s space: %s", aspace_name(as),
                       strerror(-r));
    }
    return 0;
}

void ioeventfds_detach(struct ioeventfds *i)
{
    if (i->as != NULL) {
        aspace_unlisten(i->as, &i->listener);
        i->as = NULL;
    }
}

void coalesced_init(struct coalesced *c, struct aspace *mem, struct aspace *io, unsigned page_size)
{
    *c = (struct coalesced){
        .mem = mem,
        .io = io,
        .entries = (page_size - sizeof(*c->ring)) / sizeof(c->ring->coalesced_mmio[0]),
    };
    pthread_mutex_init(&c->lock, NULL);
}

void coalesced_destroy(struct coalesced *c)
{
    pthread_mutex_destroy(&c->lock);
    c->ring = NULL;
}

static void replay(const struct coalesced *c, const struct kvm_coalesced_mmio *w)
{
    size_t len = w->len <= sizeof(w->data) ? w->len : sizeof(w->data);
    struct aspace *as = w->pio ? c->io : c->mem;
    if (as != NULL) {
        aspace_write(as, w->phys_addr, w->data, len);
    }
}

/* Is there an entry at first? Indices that are none say no. */
static bool entry_waits(const struct coalesced *c, uint32_t first)
{
    uint32_t last = __atomic_load_n(&c->ring->last, __ATOMIC_ACQUIRE);
    return first != last && first < c->entries && last < c->entries;
}

/*
 * KVM adds at `last`, we take at `first`. An entry is given back only after its
 * write was carried out, so that a vCPU that finds the ring empty knows that
 * its own earlier writes have reached their devices. No more are taken than can have been there at
 * the beginning: vCPUs that write as fast as they are taken must not keep this thread.
 */
void coalesced_drain(struct coalesced *c)
{
    struct kvm_coalesced_mmio_ring *ring = c->ring;
    if (ring == NULL || !entry_waits(c, __atomic_load_n(&ring->first, __ATOMIC_ACQUIRE))) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    uint32_t first = ring->first;
    for (uint32_t n = 0; n < c->entries && entry_waits(c, first); n++) {
        replay(c, &ring->coalesced_mmio[first]);
        first = (first + 1) % c->entries;
        __atomic_store_n(&ring->first, first, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&c->lock);
}
