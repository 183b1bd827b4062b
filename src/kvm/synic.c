/*
 * Pages, SINTs and the delivery of messages and events: see synic.h.
 *
 * Source: Hypervisor Top-Level Functional Specification, 11.7 to 11.10 (SynIC MSRs, message and
 * event flags pages); Linux Documentation/virt/kvm/api.rst, KVM_EXIT_HYPERV.
 */
#include "src/kvm/synic.h"

#include "src/base/le.h"
#include "src/mem/dma.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MSR_ENABLE UINT64_C(1)
#define SLOT_SIZE  256 /* of both pages */

/* A message in its slot. */
enum {
    SLOT_TYPE = 0,
    SLOT_PAYLOAD_SIZE = 4,
    SLOT_FLAGS = 5,
    SLOT_PORT = 8,
    SLOT_PAYLOAD = 16,
};
#define SLOT_PENDING 1 /* in SLOT_FLAGS: another waits */

/* --- pages ------------------------------------------------------------ */

static void take_page_away(struct synic_page *p)
{
    if (p->host != NULL) {
        memcpy(p->own, p->host, SYNIC_PAGE);
        memcpy(p->host, p->below, SYNIC_PAGE);
        p->host = NULL;
    }
}

static void move_page(struct synic *s, struct synic_page *p, uint64_t msr)
{
    const uint64_t gpa = msr & ~(uint64_t)(SYNIC_PAGE - 1);

    if (msr == p->msr) {
        return;
    }
    take_page_away(p);
    p->msr = msr;
    if ((msr & MSR_ENABLE) == 0) {
        return;
    }
    p->host = dma_ptr(s->mem, gpa, SYNIC_PAGE, true);
    if (p->host == NULL) {
        guest_error(&s->errors, "hyperv: no RAM at 0x%" PRIx64 " for a SynIC page", gpa);
        return;
    }
    memcpy(p->below, p->host, SYNIC_PAGE);
    memcpy(p->host, p->own, SYNIC_PAGE);
}

/* --- delivery --------------------------------------------------------- */

/*
 * Put m into its slot; false: that is taken, and marked pending. The guest empties the slot and
 * then looks at the mark; here the mark is made and the slot looked at again. So one of the two
 * sees the other.
 */
static bool fill_slot(uint8_t *slot, const struct synic_message *m)
{
    uint32_t *type = (uint32_t *)(void *)(slot + SLOT_TYPE);

    if (__atomic_load_n(type, __ATOMIC_ACQUIRE) != 0) {
        __atomic_fetch_or(slot + SLOT_FLAGS, SLOT_PENDING, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(type, __ATOMIC_SEQ_CST) != 0) {
            return false;
        }
    }
    slot[SLOT_PAYLOAD_SIZE] = m->size;
    __atomic_store_n(slot + SLOT_FLAGS, 0, __ATOMIC_RELAXED);
    put_le64(slot + SLOT_PORT, 0);
    memcpy(slot + SLOT_PAYLOAD, m->payload, m->size);
    __atomic_store_n(type, m->type, __ATOMIC_RELEASE);
    return true;
}

static void try_deliver(struct synic_vcpu *v, unsigned sint)
{
    struct synic_sint *t = &v->sints[sint];

    if (t->waiting.type != 0 && v->enabled && v->messages.host != NULL &&
        fill_slot(v->messages.host + (size_t)sint * SLOT_SIZE, &t->waiting)) {
        t->waiting.type = 0;
        irq_edge_pulse(&t->irq.edge);
    }
}

static void try_all(struct synic_vcpu *v)
{
    for (unsigned i = 0; i < HYPERV_SINTS; i++) {
        try_deliver(v, i);
    }
}

static void on_acked(void *opaque, uint32_t events)
{
    struct synic *s = opaque;
    eventfd_t count;
    (void)events;

    eventfd_read(s->acked.fd, &count);
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->count; i++) {
        try_all(&s->vcpu[i]);
    }
    pthread_mutex_unlock(&s->lock);
}

enum hv_status synic_post(struct synic *s, unsigned vcpu, unsigned sint,
                          const struct synic_message *m)
{
    struct synic_vcpu *v = &s->vcpu[vcpu];

    if (v->sints[sint].waiting.type != 0) {
        return HV_INSUFFICIENT_BUFFERS;
    }
    v->sints[sint].waiting = *m;
    try_deliver(v, sint);
    return HV_SUCCESS;
}

void synic_set_flag(struct synic *s, unsigned vcpu, unsigned sint, unsigned flag)
{
    struct synic_vcpu *v = &s->vcpu[vcpu];
    const uint8_t bit = (uint8_t)(1U << flag % 8);

    if (!v->enabled || v->flags.host == NULL) {
        return; /* nobody listens */
    }
    uint8_t *byte = v->flags.host + (size_t)sint * SLOT_SIZE + flag / 8;
    if ((__atomic_fetch_or(byte, bit, __ATOMIC_SEQ_CST) & bit) == 0) {
        irq_edge_pulse(&v->sints[sint].irq.edge);
    }
}

/* --- SINTs ------------------------------------------------------------ */

int synic_use_sint(struct synic *s, unsigned vcpu, unsigned sint)
{
    if (vcpu >= s->count || sint >= HYPERV_SINTS) {
        return -EINVAL;
    }
    struct synic_sint *t = &s->vcpu[vcpu].sints[sint];
    const int ret = t->users == 0 ? msi_get_sint(s->routes, vcpu, sint, s->acked.fd, &t->irq) : 0;
    t->users += ret == 0;
    return ret;
}

void synic_drop_sint(struct synic *s, unsigned vcpu, unsigned sint)
{
    struct synic_sint *t = &s->vcpu[vcpu].sints[sint];

    t->users--;
    if (t->users == 0) {
        msi_put(s->routes, &t->irq);
        t->waiting.type = 0;
    }
}

static int connect_locked(struct synic *s, unsigned vcpu, unsigned sint)
{
    if (vcpu < s->count && sint < HYPERV_SINTS && s->vcpu[vcpu].sints[sint].direct) {
        return -EEXIST;
    }
    const int ret = synic_use_sint(s, vcpu, sint);
    if (ret == 0) {
        s->vcpu[vcpu].sints[sint].direct = true;
    }
    return ret;
}

static int connect_sint(struct hyperv *h, unsigned vcpu, unsigned sint)
{
    struct synic *s = (struct synic *)(void *)h;

    pthread_mutex_lock(&s->lock);
    const int ret = connect_locked(s, vcpu, sint);
    pthread_mutex_unlock(&s->lock);
    return ret;
}

/* -ENOENT, or with the lock held and *t set. */
static int find_direct(struct synic *s, unsigned vcpu, unsigned sint, struct synic_sint **t)
{
    if (vcpu >= s->count || sint >= HYPERV_SINTS) {
        return -EINVAL;
    }
    *t = &s->vcpu[vcpu].sints[sint];
    pthread_mutex_lock(&s->lock);
    if ((*t)->direct) {
        return 0;
    }
    pthread_mutex_unlock(&s->lock);
    return -ENOENT;
}

static int disconnect_sint(struct hyperv *h, unsigned vcpu, unsigned sint)
{
    struct synic *s = (struct synic *)(void *)h;
    struct synic_sint *t;
    const int ret = find_direct(s, vcpu, sint, &t);

    if (ret == 0) {
        t->direct = false;
        synic_drop_sint(s, vcpu, sint);
        pthread_mutex_unlock(&s->lock);
    }
    return ret;
}

static int raise_sint(struct hyperv *h, unsigned vcpu, unsigned sint)
{
    struct synic *s = (struct synic *)(void *)h;
    struct synic_sint *t;
    const int ret = find_direct(s, vcpu, sint, &t);

    if (ret == 0) {
        irq_edge_pulse(&t->irq.edge);
        pthread_mutex_unlock(&s->lock);
    }
    return ret;
}

/* --- the vCPUs' side -------------------------------------------------- */

/* A vCPU has written a register; the exit has all three as they are now. */
static void update_vcpu(struct synic *s, unsigned vcpu, const struct kvm_hyperv_exit *x)
{
    struct synic_vcpu *v = &s->vcpu[vcpu];

    pthread_mutex_lock(&s->lock);
    v->enabled = (x->u.synic.control & MSR_ENABLE) != 0;
    move_page(s, &v->messages, x->u.synic.msg_page);
    move_page(s, &v->flags, x->u.synic.evt_page);
    try_all(v);
    pthread_mutex_unlock(&s->lock);
}

bool synic_exit(struct synic *s, unsigned vcpu, struct kvm_hyperv_exit *x)
{
    switch (x->type) {
    case KVM_EXIT_HYPERV_SYNIC:
        update_vcpu(s, vcpu, x);
        return true;
    case KVM_EXIT_HYPERV_HCALL:
        x->u.hcall.result = synic_hypercall(s, x->u.hcall.input, x->u.hcall.params[0]);
        return true;
    default:
        return false;
    }
}

/* --- life ------------------------------------------------------------- */

static void disconnect_all(struct synic *s, bool tell_kvm)
{
    for (size_t i = 0; i < HYPERV_CONNECTIONS; i++) {
        synic_disconnect(s, &s->conns[i], tell_kvm);
    }
    for (unsigned i = 0; i < s->count * HYPERV_SINTS; i++) {
        struct synic_sint *t = &s->vcpu[i / HYPERV_SINTS].sints[i % HYPERV_SINTS];
        if (t->direct) {
            t->direct = false;
            synic_drop_sint(s, i / HYPERV_SINTS, i % HYPERV_SINTS);
        }
    }
}

void synic_reset(struct synic *s)
{
    pthread_mutex_lock(&s->lock);
    disconnect_all(s, true);
    for (unsigned i = 0; i < s->count; i++) {
        struct synic_vcpu *v = &s->vcpu[i];
        take_page_away(&v->messages);
        take_page_away(&v->flags);
        *v = (struct synic_vcpu){.enabled = true};
    }
    pthread_mutex_unlock(&s->lock);
}

static int open_fds(struct synic *s)
{
    s->acked.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->acked.fd < 0) {
        return -errno;
    }
    const int ret = loop_add_fd(s->loop, &s->acked, EPOLLIN);
    return ret < 0 ? ret : synic_conns_init(s);
}

struct synic *synic_new(struct kvm *kvm, struct msi_table *routes, struct aspace *mem,
                        struct loop *loop, unsigned vcpus, struct err *e)
{
    struct synic *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        err_set(e, ENOMEM, "out of memory for Hyper-V's interrupt controllers");
        return NULL;
    }
    *s = (struct synic){
        .hyperv = {.connect_sint = connect_sint,
                   .disconnect_sint = disconnect_sint,
                   .raise_sint = raise_sint},
        .kvm = kvm,
        .routes = routes,
        .mem = mem,
        .loop = loop,
        .acked = {.fd = -1, .ready = on_acked, .opaque = s},
        .events = {.fd = -1},
        .vcpu = calloc(vcpus, sizeof(*s->vcpu)),
    };
    pthread_mutex_init(&s->lock, NULL);
    s->count = s->vcpu != NULL ? vcpus : 0;
    const int ret = s->vcpu != NULL ? open_fds(s) : -ENOMEM;
    if (ret < 0) {
        err_set(e, -ret, "cannot make Hyper-V's interrupt controllers: %s", strerror(-ret));
        synic_free(s);
        return NULL;
    }
    for (unsigned i = 0; i < vcpus; i++) {
        s->vcpu[i].enabled = true; /* as KVM's */
    }
    return s;
}

static void close_watched(struct loop *l, struct loop_fd *w)
{
    if (w->fd >= 0) {
        loop_del_fd(l, w);
        close(w->fd);
    }
}

void synic_free(struct synic *s)
{
    if (s == NULL) {
        return;
    }
    disconnect_all(s, false);
    close_watched(s->loop, &s->events);
    close_watched(s->loop, &s->acked);
    pthread_mutex_destroy(&s->lock);
    free(s->vcpu);
    free(s);
}
