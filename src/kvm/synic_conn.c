/*
 * Connections and hypercalls of the SynIC: see synic.h.
 *
 * Source: Hypervisor Top-Level Functional Specification, 10.5 (messages), 10.6 (event flags) and
 * appendix C (HvCallPostMessage, HvCallSignalEvent); Linux Documentation/virt/kvm/api.rst,
 * KVM_HYPERV_EVENTFD.
 */
#include "src/kvm/synic.h"

#include "src/base/le.h"
#include "src/irq.h"
#include "src/mem/dma.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CALL_POST_MESSAGE 0x5c
#define CALL_SIGNAL_EVENT 0x5d
#define CALL_FAST         (UINT64_C(1) << 16) /* the parameters are in registers */

/* HvCallPostMessage's parameters in memory. */
enum {
    POST_CONNECTION = 0,
    POST_TYPE = 8,
    POST_PAYLOAD_SIZE = 12,
    POST_PAYLOAD = 16,
    POST_SIZE = POST_PAYLOAD + SYNIC_PAYLOAD,
};
#define TYPE_HYPERVISOR 0x80000000U /* message types of the hypervisor's own */

/* --- events ----------------------------------------------------------- */

/* The eventfds that are ready; a signal of a connection that is gone finds its eventfd empty. */
static void on_events(void *opaque, uint32_t events)
{
    enum { AT_ONCE = 16 };
    struct synic *s = opaque;
    struct epoll_event ready[AT_ONCE];
    eventfd_t signals;
    (void)events;

    const int n = epoll_wait(s->events.fd, ready, AT_ONCE, 0);
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < n; i++) {
        const struct synic_conn *c = &s->conns[ready[i].data.u32];
        if (c->use == SYNIC_EVENTS && eventfd_read(c->fd, &signals) == 0) {
            synic_set_flag(s, c->vcpu, c->sint, c->flag);
        }
    }
    pthread_mutex_unlock(&s->lock);
}

static int tell_kvm_of(struct synic *s, const struct synic_conn *c, uint32_t flags)
{
    struct kvm_hyperv_eventfd req = {
        .conn_id = (uint32_t)(c - s->conns), .fd = c->fd, .flags = flags};

    return kvm_ioctl(s->kvm, s->kvm->vm_fd, KVM_HYPERV_EVENTFD, &req);
}

/* An eventfd that KVM writes to and the loop watches. */
static int open_events(struct synic *s, struct synic_conn *c)
{
    struct epoll_event watch = {.events = EPOLLIN, .data.u32 = (uint32_t)(c - s->conns)};
    int ret;

    c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->fd < 0) {
        return -errno;
    }
    ret = epoll_ctl(s->events.fd, EPOLL_CTL_ADD, c->fd, &watch) < 0 ? -errno : 0;
    if (ret == 0) {
        ret = tell_kvm_of(s, c, 0);
    }
    if (ret < 0) {
        close(c->fd);
    }
    return ret;
}

/* --- connections ------------------------------------------------------ */

static int connect_locked(struct synic *s, unsigned conn, const struct synic_conn *wanted)
{
    if (conn >= HYPERV_CONNECTIONS || wanted->flag >= HYPERV_FLAGS) {
        return -EINVAL;
    }
    struct synic_conn *c = &s->conns[conn];
    if (c->use != SYNIC_FREE) {
        return -EEXIST;
    }
    int ret = synic_use_sint(s, wanted->vcpu, wanted->sint);
    if (ret < 0) {
        return ret;
    }
    *c = *wanted;
    ret = c->use == SYNIC_EVENTS ? open_events(s, c) : 0;
    if (ret < 0) {
        c->use = SYNIC_FREE;
        synic_drop_sint(s, wanted->vcpu, wanted->sint);
    }
    return ret;
}

static int connect_as(struct hyperv *h, unsigned conn, const struct synic_conn *wanted)
{
    struct synic *s = (struct synic *)(void *)h;

    pthread_mutex_lock(&s->lock);
    const int ret = connect_locked(s, conn, wanted);
    pthread_mutex_unlock(&s->lock);
    return ret;
}

static int connect_messages(struct hyperv *h, unsigned conn, unsigned vcpu, unsigned sint)
{
    const struct synic_conn wanted = {.use = SYNIC_MESSAGES, .vcpu = vcpu, .sint = sint, .fd = -1};

    return connect_as(h, conn, &wanted);
}

static int connect_events(struct hyperv *h, unsigned conn, unsigned vcpu, unsigned sint,
                          unsigned flag)
{
    const struct synic_conn wanted = {
        .use = SYNIC_EVENTS, .vcpu = vcpu, .sint = sint, .flag = flag, .fd = -1};

    return connect_as(h, conn, &wanted);
}

void synic_disconnect(struct synic *s, struct synic_conn *c, bool tell_kvm)
{
    if (c->use == SYNIC_FREE) {
        return;
    }
    if (c->use == SYNIC_EVENTS) {
        if (tell_kvm) {
            tell_kvm_of(s, c, KVM_HYPERV_EVENTFD_DEASSIGN);
        }
        close(c->fd); /* which the epoll set notices */
    }
    synic_drop_sint(s, c->vcpu, c->sint);
    c->use = SYNIC_FREE;
}

static int disconnect(struct hyperv *h, unsigned conn)
{
    struct synic *s = (struct synic *)(void *)h;
    int ret = -EINVAL;

    pthread_mutex_lock(&s->lock);
    if (conn < HYPERV_CONNECTIONS) {
        ret = s->conns[conn].use != SYNIC_FREE ? 0 : -ENOENT;
        synic_disconnect(s, &s->conns[conn], true);
    }
    pthread_mutex_unlock(&s->lock);
    return ret;
}

int synic_conns_init(struct synic *s)
{
    s->hyperv.connect_messages = connect_messages;
    s->hyperv.connect_events = connect_events;
    s->hyperv.disconnect = disconnect;
    s->events =
        (struct loop_fd){.fd = epoll_create1(EPOLL_CLOEXEC), .ready = on_events, .opaque = s};
    return s->events.fd < 0 ? -errno : loop_add_fd(s->loop, &s->events, EPOLLIN);
}

/* --- hypercalls ------------------------------------------------------- */

/* Read once, judged afterwards. */
static enum hv_status read_message(struct synic *s, uint64_t gpa, uint32_t *conn,
                                   struct synic_message *m)
{
    uint8_t in[POST_SIZE];

    if (gpa % 8 != 0 || gpa % SYNIC_PAGE > SYNIC_PAGE - POST_SIZE) {
        return HV_INVALID_ALIGNMENT;
    }
    if (dma_read(s->mem, gpa, in, sizeof(in)) < 0) {
        return HV_INVALID_HYPERCALL_INPUT;
    }
    const uint32_t size = get_le32(in + POST_PAYLOAD_SIZE);
    *conn = get_le32(in + POST_CONNECTION);
    m->type = get_le32(in + POST_TYPE);
    if (m->type == 0 || m->type >= TYPE_HYPERVISOR || size > SYNIC_PAYLOAD) {
        return HV_INVALID_PARAMETER;
    }
    m->size = (uint8_t)size;
    memcpy(m->payload, in + POST_PAYLOAD, size);
    return HV_SUCCESS;
}

static enum hv_status post_message(struct synic *s, uint64_t gpa)
{
    struct synic_message m;
    uint32_t conn;
    enum hv_status status = read_message(s, gpa, &conn, &m);

    if (status != HV_SUCCESS) {
        return status;
    }
    pthread_mutex_lock(&s->lock);
    if (conn >= HYPERV_CONNECTIONS || s->conns[conn].use != SYNIC_MESSAGES) {
        status = HV_INVALID_CONNECTION_ID;
    } else {
        status = synic_post(s, s->conns[conn].vcpu, s->conns[conn].sint, &m);
    }
    pthread_mutex_unlock(&s->lock);
    return status;
}

enum hv_status synic_hypercall(struct synic *s, uint64_t control, uint64_t param)
{
    switch (control & 0xffff) {
    case CALL_POST_MESSAGE:
        return (control & CALL_FAST) == 0 ? post_message(s, param) : HV_INVALID_HYPERCALL_INPUT;
    case CALL_SIGNAL_EVENT: /* KVM carries out the others */
        return HV_INVALID_CONNECTION_ID;
    default:
        return HV_INVALID_HYPERCALL_CODE;
    }
}
