/*
 * The probe's machine: RAM, one register, one vCPU.
 *
 * Locking: the register and the crash callback run on the vCPU's thread; they
 * hand over to the waiting thread by a semaphore.
 */
#include "src/kvm/probe.h"

#include "src/boot/boot.h"
#include "src/clock.h"
#include "src/kvm/irqchip.h"
#include "src/kvm/kvm.h"
#include "src/kvm/memslot.h"
#include "src/kvm/vcpu.h"
#include "src/mem/ram.h"

#include <errno.h>
#include <semaphore.h>
#include <time.h>

struct probe {
    const struct probe_guest *guest;
    struct probe_result *result;
    sem_t done;
    struct topology *topo;
    struct region root, ram_region, report_region;
    struct aspace *mem;
    struct ram ram;
    struct kvm kvm;
    struct memslots slots;
    struct irqchip irqchip;
    struct vcpus vcpus;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

static void report(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct probe *p = opaque;
    (void)offset;
    (void)size;
    if (value == p->result->reports + 1 && value <= PROBE_REPORTS_MAX) {
        p->result->ns[p->result->reports++] = now_ns();
        if (value == p->guest->reports) {
            sem_post(&p->done);
        }
    }
}

static const struct region_ops report_ops = {.write = report, .guest = {.min = 1, .max = 1}};

static void on_event(void *opaque, enum machine_event event, int value)
{
    struct probe *p = opaque;
    (void)event;
    (void)value;
    sem_post(&p->done);
}

static void on_crash(void *opaque, const struct crash *c)
{
    struct probe *p = opaque;
    (void)c;
    sem_post(&p->done);
}

/* --- set-up ----------------------------------------------------------- */

static void map_memory(struct probe *p)
{
    region_init_container(&p->root, p->topo, "probe", REGION_ALL);
    region_init_ram(&p->ram_region, p->topo, "ram", p->ram.size, p->ram.host);
    region_init_io(&p->report_region, p->topo, "report", 1, &report_ops, p, NULL);
    region_add(&p->root, 0, &p->ram_region, 0);
    region_add(&p->root, ARCH_PROBE_RAM, &p->report_region, 0);
}

static void unmap_memory(struct probe *p)
{
    region_fini(&p->report_region);
    region_fini(&p->ram_region);
    region_fini(&p->root);
}

static void wait_for_end(struct probe *p, unsigned timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + timeout_ms * NS_PER_MS;
    until.tv_sec += (time_t)(ns / NS_PER_SEC);
    until.tv_nsec = (long)(ns % NS_PER_SEC);
    while (sem_clockwait(&p->done, CLOCK_MONOTONIC, &until) != 0 && errno == EINTR) {
    }
}

/* Everything from the VM to the guest's last report. */
static int run(struct probe *p, unsigned timeout_ms, struct err *e)
{
    const struct vcpus_env env = {
        .topo = p->topo,
        .mem = p->mem,
        .callbacks = {.event = on_event, .crash = on_crash, .opaque = p},
    };
    struct boot_entry entry;
    p->guest->load(p->ram.host, &entry);
    int r = kvm_create_vm(&p->kvm, e);
    if (r == 0) {
        r = memslots_attach(&p->slots, &p->kvm, p->mem, e);
    }
    if (r == 0) {
        r = irqchip_create(&p->irqchip, &p->kvm, e);
    }
    if (r == 0) {
        r = vcpus_build(&p->vcpus, &env, e);
    }
    if (r == 0) {
        r = vcpus_reset(&p->vcpus, &entry, e);
    }
    if (r == 0) {
        vcpus_resume(&p->vcpus);
        wait_for_end(p, timeout_ms);
        vcpus_stop(&p->vcpus);
    }
    return r;
}

static int run_in_vm(struct probe *p, unsigned timeout_ms, struct err *e)
{
    int r = kvm_open(&p->kvm, KVM_DEVICE, e);
    if (r < 0) {
        return r;
    }
    r = vcpus_start(&p->vcpus, &p->kvm, 1, NULL, e);
    if (r == 0) {
        r = run(p, timeout_ms, e);
        vcpus_destroy(&p->vcpus);
    }
    kvm_close(&p->kvm);
    memslots_detach(&p->slots);
    return r;
}

static int run_in_memory(struct probe *p, unsigned timeout_ms, struct err *e)
{
    int r = -ENOMEM;
    map_memory(p);
    p->mem = aspace_new(p->topo, "memory", &p->root);
    if (p->mem != NULL) {
        r = run_in_vm(p, timeout_ms, e);
        aspace_free(p->mem);
    }
    unmap_memory(p);
    return r;
}

int probe_run(const struct probe_guest *g, unsigned timeout_ms, struct probe_result *out,
              struct err *e)
{
    struct probe p = {.guest = g, .result = out};
    *out = (struct probe_result){0};
    int r = ram_alloc(&p.ram, ARCH_PROBE_RAM, e);
    if (r < 0) {
        return r;
    }
    sem_init(&p.done, 0, 0);
    p.topo = topology_new();
    r = err_set(e, ENOMEM, "out of memory for a probe");
    if (p.topo != NULL) {
        r = run_in_memory(&p, timeout_ms, e);
        topology_free(p.topo);
    }
    sem_destroy(&p.done);
    ram_free(&p.ram);
    return r;
}
