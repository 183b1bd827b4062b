/*
 * Making, resetting and releasing vCPUs. Their threads are in vcpu.c.
 *
 * Locking: none; before vcpus_start(), while paused, or after vcpus_stop().
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

static int create_one(struct vcpus *s, unsigned index, struct err *e)
{
    struct vcpu *v = &s->vcpu[index];
    struct kvm *kvm = s->kvm;
    int fd = kvm_ioctl_num(kvm, kvm->vm_fd, KVM_CREATE_VCPU, index);
    if (fd < 0) {
        return err_set(e, -fd, "KVM cannot create vCPU %u: %s", index, strerror(-fd));
    }
    v->fd = fd;
    void *run = mmap(NULL, kvm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (run == MAP_FAILED) {
        int code = errno;
        return err_set(e, code, "cannot map vCPU %u: %s", index, strerror(code));
    }
    v->run = run;
    return arch_vcpu_init(kvm, fd, index, s->model, e);
}

static int create_all(struct vcpus *s, const struct vcpus_config *cfg, struct err *e)
{
    s->crash.dump = cpu_dump_new();
    s->vcpu = calloc(cfg->count, sizeof(*s->vcpu));
    if (s->vcpu == NULL || s->crash.dump == NULL) {
        return err_set(e, ENOMEM, "out of memory for %u vCPUs", cfg->count);
    }
    int r = cpu_model_new(&s->model, cfg->kvm, cfg->cpu, cfg->count, e);
    for (unsigned i = 0; i < cfg->count && r == 0; i++) {
        s->vcpu[i] = (struct vcpu){.set = s, .index = i, .fd = -1};
        s->count = i + 1;
        r = create_one(s, i, e);
    }
    return r;
}

int vcpus_create(struct vcpus *s, const struct vcpus_config *cfg, struct err *e)
{
    *s = (struct vcpus){
        .kvm = cfg->kvm,
        .topo = cfg->topo,
        .mem = cfg->mem,
        .io = cfg->io,
        .callbacks = cfg->callbacks,
        .wanted = VCPUS_PAUSED,
    };
    coalesced_init(&s->coalesced, cfg->mem, cfg->io);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    int r = check_count(cfg, e);
    if (r == 0) {
        r = create_all(s, cfg, e);
    }
    if (r < 0) {
        vcpus_destroy(s);
        return r;
    }
    if (cfg->kvm->coalesced_page != 0) {
        uint8_t *page = (uint8_t *)s->vcpu[0].run + cfg->kvm->coalesced_page * 4096UL;
        s->coalesced.ring = (struct kvm_coalesced_mmio_ring *)(void *)page;
    }
    return 0;
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

int vcpus_reset(struct vcpus *s, const struct boot_entry *entry, struct err *e)
{
    for (unsigned i = 0; i < s->count; i++) {
        struct vcpu *v = &s->vcpu[i];
        int r = arch_vcpu_reset(s->kvm, v->fd, i, i == 0 ? entry : NULL, e);
        if (r < 0) {
            return r;
        }
        v->parked = false;
    }
    s->crashed = false;
    return 0;
}
