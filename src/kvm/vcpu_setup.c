/*
 * Making, resetting and releasing vCPUs. Their threads are in vcpu.c.
 *
 * Making is the threads' work: the first asks KVM for the CPU model while the
 * main thread creates the VM, and each makes its own vCPU while the main thread
 * sets devices up and loads the kernel. On a host where CPUID itself is slow (it
 * exits to a hypervisor below) this is a third of the time to the first guest
 * instruction.
 *
 * Locking: vcpus.lock guards what the threads tell the main thread.
 */
#include "src/kvm/vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int check_count(const struct vcpus_config *cfg, struct err *e)
{
    if (cfg->count >= 1 && cfg->count <= cfg->kvm->max_vcpus) {
        return 0;
    }
    err_set(e, EINVAL, "%u CPUs: KVM on this host runs 1 to %u", cfg->count, cfg->kvm->max_vcpus);
    err_status(e, EXIT_USAGE);
    return -EINVAL;
}

int vcpus_create(struct vcpus *s, const struct vcpus_config *cfg, struct err *e)
{
    int r = check_count(cfg, e);
    if (r < 0) {
        return r;
    }
    *s = (struct vcpus){
        .kvm = cfg->kvm,
        .topo = cfg->topo,
        .mem = cfg->mem,
        .io = cfg->io,
        .callbacks = cfg->callbacks,
        .cpu = cfg->cpu,
        .count = cfg->count,
        .wanted = VCPUS_PREPARING,
        .vcpu = calloc(cfg->count, sizeof(*s->vcpu)),
        .crash.dump = cpu_dump_new(),
    };
    if (s->vcpu == NULL || s->crash.dump == NULL) {
        cpu_dump_free(s->crash.dump);
        free(s->vcpu);
        return err_set(e, ENOMEM, "out of memory for %u vCPUs", cfg->count);
    }
    for (unsigned i = 0; i < s->count; i++) {
        s->vcpu[i] = (struct vcpu){.set = s, .index = i, .fd = -1};
    }
    coalesced_init(&s->coalesced, cfg->mem, cfg->io);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    return 0;
}

/* --- on the vCPU's thread --------------------------------------------- */

static void note_result(struct vcpus *s, int r, const struct err *e)
{
    if (r < 0 && s->build_result == 0) {
        s->build_result = r;
        s->build_err = *e;
    }
    pthread_cond_broadcast(&s->changed);
}

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

/* Wait for VM and model. False: there is nothing to make. */
static bool may_build(struct vcpus *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->wanted == VCPUS_PREPARING || (s->wanted != VCPUS_STOPPED && !s->model_ready)) {
        pthread_cond_wait(&s->changed, &s->lock);
    }
    bool go_on = s->wanted != VCPUS_STOPPED;
    pthread_mutex_unlock(&s->lock);
    return go_on;
}

static int make_vcpu(const struct vcpu *v, int *fd, struct kvm_run **run, struct err *e)
{
    struct kvm *kvm = v->set->kvm;
    *fd = kvm_ioctl_num(kvm, kvm->vm_fd, KVM_CREATE_VCPU, v->index);
    if (*fd < 0) {
        return err_set(e, -*fd, "KVM cannot create vCPU %u: %s", v->index, strerror(-*fd));
    }
    void *page = mmap(NULL, kvm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    if (page == MAP_FAILED) {
        int code = errno;
        return err_set(e, code, "cannot map vCPU %u: %s", v->index, strerror(code));
    }
    *run = page;
    return arch_vcpu_init(kvm, *fd, v->index, v->set->model, e);
}

static struct kvm_coalesced_mmio_ring *ring_of(struct kvm_run *run, const struct kvm *kvm)
{
    if (run == NULL || kvm->coalesced_page == 0) {
        return NULL;
    }
    uint8_t *page = (uint8_t *)run + kvm->coalesced_page * 4096UL;
    return (struct kvm_coalesced_mmio_ring *)(void *)page;
}

bool vcpu_build(struct vcpu *v)
{
    struct vcpus *s = v->set;
    struct err e = ERR_INIT;
    int fd = -1;
    struct kvm_run *run = NULL;
    if (v->index == 0) {
        make_model(s);
    }
    if (!may_build(s)) {
        return false;
    }
    int r = s->model != NULL ? make_vcpu(v, &fd, &run, &e) : 0; /* else build_result is set */
    pthread_mutex_lock(&s->lock);
    v->fd = fd;
    v->run = run;
    if (v->index == 0) {
        s->coalesced.ring = ring_of(run, s->kvm);
    }
    s->built++;
    note_result(s, r, &e);
    bool go_on = s->build_result == 0 && s->wanted != VCPUS_STOPPED;
    pthread_mutex_unlock(&s->lock);
    return go_on;
}

/* --- on the main thread ----------------------------------------------- */

static int wait_until_built(struct vcpus *s, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    while (s->built < s->count) {
        pthread_cond_wait(&s->changed, &s->lock);
    }
    int r = s->build_result;
    if (r < 0 && e != NULL) {
        *e = s->build_err;
    }
    pthread_mutex_unlock(&s->lock);
    return r;
}

int vcpus_reset(struct vcpus *s, const struct boot_entry *entry, struct err *e)
{
    int r = wait_until_built(s, e);
    for (unsigned i = 0; i < s->count && r == 0; i++) {
        struct vcpu *v = &s->vcpu[i];
        r = arch_vcpu_reset(s->kvm, v->fd, i, i == 0 ? entry : NULL, e);
        v->parked = false;
    }
    s->crashed = false;
    return r;
}

void vcpus_destroy(struct vcpus *s)
{
    vcpus_stop(s);
    coalesced_destroy(&s->coalesced);
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
