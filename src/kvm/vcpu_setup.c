/*
 * Making, resetting and releasing vCPUs. Their threads are in vcpu.c.
 *
 * Start-up is shared so that a guest starts soon: vCPU 0's thread asks KVM for
 * the CPU model while the main thread makes memory and VM, and the threads set
 * their vCPUs up while the main thread makes devices and loads the kernel. Where
 * CPUID exits to a hypervisor below, KVM's answer takes as long as creating a VM.
 *
 * Locking: vcpus.lock guards what the threads tell the main thread; env, fd and
 * run are set before the state leaves VCPUS_NEW.
 */
#include "src/kvm/vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FIRST_POLLS 500 /* at most a third of a millisecond */

static int check_count(const struct kvm *kvm, unsigned count, struct err *e)
{
    if (count >= 1 && count <= kvm->max_vcpus) {
        return 0;
    }
    err_set(e, EINVAL, "%u CPUs: KVM on this host runs 1 to %u", count, kvm->max_vcpus);
    err_status(e, EXIT_USAGE);
    return -EINVAL;
}

static int init_set(struct vcpus *s, struct kvm *kvm, unsigned count, const char *cpu,
                    struct err *e)
{
    *s = (struct vcpus){
        .kvm = kvm,
        .cpu = cpu,
        .count = count,
        .wanted = VCPUS_NEW,
        .fresh = true,
        .vcpu = calloc(count, sizeof(*s->vcpu)),
        .crash.dump = cpu_dump_new(),
    };
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    if (s->vcpu == NULL || s->crash.dump == NULL) {
        s->count = 0;
        return err_set(e, ENOMEM, "out of memory for %u vCPUs", count);
    }
    for (unsigned i = 0; i < count; i++) {
        s->vcpu[i] = (struct vcpu){.set = s, .index = i, .fd = -1};
    }
    return 0;
}

int vcpus_start(struct vcpus *s, struct kvm *kvm, unsigned count, const char *cpu, struct err *e)
{
    int r = check_count(kvm, count, e);
    if (r < 0) {
        return r;
    }
    r = init_set(s, kvm, count, cpu, e);
    if (r == 0) {
        r = vcpus_start_threads(s);
        if (r < 0) {
            err_set(e, -r, "cannot start %u vCPU threads: %s", count, strerror(-r));
            err_hint(e, "fewer --cpus, or a higher limit of processes (ulimit -u)");
        }
    }
    if (r < 0) {
        vcpus_destroy(s);
    }
    return r;
}

static struct kvm_coalesced_mmio_ring *find_ring(const struct vcpus *s)
{
    if (s->kvm->coalesced_page == 0) {
        return NULL;
    }
    uint8_t *page = (uint8_t *)s->vcpu[0].run + (size_t)s->kvm->coalesced_page * s->kvm->page_size;
    return (struct kvm_coalesced_mmio_ring *)(void *)page;
}

static int create_one(struct vcpu *v, struct err *e)
{
    struct kvm *kvm = v->set->kvm;
    int fd = kvm_ioctl_num(kvm, kvm->vm_fd, KVM_CREATE_VCPU, v->index);
    if (fd < 0) {
        return err_set(e, -fd, "KVM cannot create vCPU %u: %s", v->index, strerror(-fd));
    }
    v->fd = fd;
    void *run = mmap(NULL, kvm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (run == MAP_FAILED) {
        int code = errno;
        return err_set(e, code, "cannot map vCPU %u: %s", v->index, strerror(code));
    }
    v->run = run;
    return 0;
}

int vcpus_build(struct vcpus *s, const struct vcpus_env *env, struct err *e)
{
    s->env = *env;
    coalesced_init(&s->coalesced, env->mem, env->io, s->kvm->page_size);
    for (unsigned i = 0; i < s->count; i++) {
        int r = create_one(&s->vcpu[i], e);
        if (r < 0) {
            return r;
        }
    }
    s->coalesced.ring = find_ring(s);
    int r = arch_irqchip_init(s->kvm, e);
    if (r < 0) {
        return r;
    }
    pthread_mutex_lock(&s->lock);
    s->wanted = VCPUS_PAUSED;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return 0;
}

/* --- on the vCPU's thread --------------------------------------------- */

/* Keep the first failure. The caller holds the lock. */
static void note_result(struct vcpus *s, int r, const struct err *e)
{
    if (r < 0 && s->init_result == 0) {
        s->init_result = r;
        s->init_err = *e;
    }
    pthread_cond_broadcast(&s->changed);
}

/* The first thread's share for all. */
static void make_model(struct vcpus *s)
{
    struct err e = ERR_INIT;
    struct cpu_model *model = NULL;
    int r = cpu_model_new(&model, s->kvm, s->cpu, s->count, &e);
    pthread_mutex_lock(&s->lock);
    s->model = model;
    s->model_ready = true;
    note_result(s, r, &e);
    pthread_mutex_unlock(&s->lock);
}

/*
 * Wait for vCPU and model. False: there will be none. The first `polls` looks go
 * without sleeping: the time until a vCPU exists is shorter than what an idle CPU of
 * a virtual machine takes to wake up.
 */
static bool wait_for_parts(struct vcpus *s, unsigned polls)
{
    pthread_mutex_lock(&s->lock);
    while (s->wanted == VCPUS_NEW || !s->model_ready) {
        if (polls == 0) {
            pthread_cond_wait(&s->changed, &s->lock);
            continue;
        }
        polls--;
        pthread_mutex_unlock(&s->lock);
        sched_yield();
        pthread_mutex_lock(&s->lock);
    }
    bool go_on = s->wanted != VCPUS_STOPPED && s->model != NULL;
    pthread_mutex_unlock(&s->lock);
    return go_on;
}

bool vcpu_init(struct vcpu *v)
{
    struct vcpus *s = v->set;
    struct err e = ERR_INIT;
    int r = 0;
    if (v->index == 0) {
        make_model(s);
    }
    bool go_on = wait_for_parts(s, v->index == 0 ? FIRST_POLLS : 0);
    if (go_on) {
        r = arch_vcpu_init(s->kvm, v->fd, v->index, s->model, &e);
    }
    pthread_mutex_lock(&s->lock);
    s->ready++;
    note_result(s, r, &e);
    pthread_mutex_unlock(&s->lock);
    return go_on && r == 0;
}

/* --- on the main thread ----------------------------------------------- */

int vcpus_wait_ready(struct vcpus *s, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    while (s->ready < s->count) {
        pthread_cond_wait(&s->changed, &s->lock);
    }
    int r = s->init_result;
    s->fresh = false;
    if (r < 0 && e != NULL) {
        *e = s->init_err;
    }
    pthread_mutex_unlock(&s->lock);
    return r;
}

int vcpus_reset(struct vcpus *s, const struct boot_entry *entry, struct err *e)
{
    const bool fresh = s->fresh;
    int r = vcpus_wait_ready(s, e);
    for (unsigned i = 0; i < s->count && r == 0 && !fresh; i++) {
        r = arch_vcpu_reset(s->kvm, s->vcpu[i].fd, i, s->model, e);
        s->vcpu[i].parked = false;
    }
    s->crashed = false;
    return r < 0 ? r : arch_vcpu_enter(s->kvm, s->vcpu[0].fd, entry, e);
}

void vcpus_destroy(struct vcpus *s)
{
    vcpus_stop(s);
    if (s->env.topo != NULL) {
        coalesced_destroy(&s->coalesced);
    }
    for (unsigned i = 0; i < s->count; i++) {
        struct vcpu *v = &s->vcpu[i];
        if (v->run != NULL) {
            munmap(v->run, s->kvm->run_size);
        }
        if (v->fd >= 0) {
            close(v->fd);
        }
    }
    cpu_model_free(s->model);
    cpu_dump_free(s->crash.dump);
    free(s->vcpu);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    s->vcpu = NULL;
    s->count = 0;
}
