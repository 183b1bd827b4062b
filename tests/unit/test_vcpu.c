/*
 * vCPU threads on a fake KVM_RUN: pauses, kicks, parking, failures.
 */
#include "tests/unit/fake_kvm.h"

#include "src/boot/boot.h"
#include "src/kvm/vcpu.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/kvm.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct fake_kvm f;
static struct err e;
static struct topology *topo;
static struct region root;
static struct aspace *mem;
static struct vcpus set;
static struct fake_guest {
    atomic_uint entries;          /* times the guest was entered without a request to leave */
    atomic_uint fail_first;       /* -EAGAIN so many times first */
    _Atomic uint32_t exit_reason; /* what KVM_RUN returns with; ~0: runs until kicked */
    atomic_int run_result;        /* its result when there is an exit_reason */
    struct kvm_run *run[4];       /* mappings of the vCPUs' files */
    int fd[4];
    unsigned created;
} guest;
static sem_t crashed;
static const char *cpu; /* --cpu */

#define RUNS_ON UINT32_MAX

/* What sets a vCPU up, and what gives it its entry state. */
#ifdef __x86_64__
#define SETS_UP KVM_SET_CPUID2
#define ENTERS  KVM_SET_SREGS
#else
#define SETS_UP KVM_ARM_VCPU_INIT
#define ENTERS  KVM_SET_ONE_REG
#endif

static void on_event(void *opaque, enum machine_event event, int value)
{
    (void)opaque;
    (void)event;
    (void)value;
}

static void on_crash(void *opaque, const struct crash *c)
{
    (void)opaque;
    (void)c;
    sem_post(&crashed);
}

static struct kvm_run *run_of(int fd)
{
    for (unsigned i = 0; i < guest.created; i++) {
        if (guest.fd[i] == fd) {
            return guest.run[i];
        }
    }
    cr_assert_fail("KVM_RUN on a descriptor that is no vCPU");
    return NULL;
}

static int fake_run(struct kvm_run *run)
{
    if (atomic_load(&guest.fail_first) > 0) {
        atomic_fetch_sub(&guest.fail_first, 1);
        return -EAGAIN;
    }
    if (__atomic_load_n(&run->immediate_exit, __ATOMIC_RELAXED)) {
        return -EINTR;
    }
    atomic_fetch_add(&guest.entries, 1);
    if (atomic_load(&guest.exit_reason) != RUNS_ON) {
        run->exit_reason = atomic_load(&guest.exit_reason);
        return atomic_load(&guest.run_result);
    }
    while (!__atomic_load_n(&run->immediate_exit, __ATOMIC_RELAXED)) {
        sched_yield();
    }
    return -EINTR;
}

static int make_vcpu(void)
{
    int fd = memfd_create("fake-vcpu", MFD_CLOEXEC);
    cr_assert(fd >= 0 && ftruncate(fd, FAKE_RUN_SIZE) == 0);
    guest.fd[guest.created] = fd;
    guest.run[guest.created] = mmap(NULL, FAKE_RUN_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    cr_assert_neq(guest.run[guest.created], MAP_FAILED);
    guest.created++;
    return fd;
}

/* On arm64, the one register that vmm asks for is the vCPU's number. */
static int tell_number(int fd, const struct kvm_one_reg *reg)
{
    uint64_t number = 0;
    while (number < guest.created && guest.fd[number] != fd) {
        number++;
    }
    memcpy((void *)(uintptr_t)reg->addr, &number, sizeof(number));
    return 0;
}

static int answer(struct fake_kvm *fake, int fd, unsigned long request, void *arg)
{
    (void)fake;
    switch (request) {
    case KVM_GET_ONE_REG:
        return tell_number(fd, arg);
    case KVM_CREATE_VCPU:
        return make_vcpu();
    case KVM_RUN:
        return fake_run(run_of(fd));
    default:
        return -ENOSYS;
    }
}

static int start(unsigned count)
{
    return vcpus_start(&set, &f.kvm, count, cpu, &e);
}

static void setup(void)
{
    fake_kvm_init(&f);
    f.answer = answer;
    e = ERR_INIT;
    cpu = NULL;
    memset(&guest, 0, sizeof(guest));
    atomic_store(&guest.exit_reason, RUNS_ON);
    sem_init(&crashed, 0, 0);
    topo = topology_new();
    region_init_container(&root, topo, "memory", REGION_ALL);
    mem = aspace_new(topo, "memory", &root);
    cr_assert_not_null(mem);
}

static void teardown(void)
{
    for (unsigned i = 0; i < guest.created; i++) {
        munmap(guest.run[i], FAKE_RUN_SIZE);
    }
    aspace_free(mem);
    region_fini(&root);
    topology_free(topo);
}

TestSuite(vcpu, .init = setup, .fini = teardown);

/* Until the guest was entered more than n times. */
static void wait_for_entries(unsigned n)
{
    while (atomic_load(&guest.entries) <= n) {
        sched_yield();
    }
}

static const struct boot_entry entry = {.mode = BOOT_REAL16};

/* Up to where the guest could run; the error of a failing step. */
static int try_begin(unsigned count)
{
    const struct vcpus_env env = {
        .topo = topo,
        .mem = mem,
        .callbacks = {.event = on_event, .crash = on_crash},
    };
    cr_assert_eq(start(count), 0, "%s", e.what);
    int r = vcpus_build(&set, &env, &e);
    return r < 0 ? r : vcpus_reset(&set, &entry, &e);
}

static void begin(unsigned count)
{
    cr_assert_eq(try_begin(count), 0, "%s", e.what);
}

Test(vcpu, counts_out_of_range_are_usage_errors)
{
    cr_assert_eq(start(0), -EINVAL);
    cr_assert_eq(e.status, EXIT_USAGE);
    cr_assert_eq(start(17), -EINVAL);
    cr_assert_eq(e.status, EXIT_USAGE);
    cr_assert_not_null(strstr(e.what, "1 to 16"), "%s", e.what);
}

Test(vcpu, a_vcpu_that_cannot_be_created_is_named)
{
    f.answer = NULL;
    f.fail_request = KVM_CREATE_VCPU;
    f.fail_code = -EEXIST;
    cr_assert_eq(try_begin(2), -EEXIST);
    cr_assert_not_null(strstr(e.what, "vCPU 0"), "%s", e.what);
    vcpus_destroy(&set);
}

Test(vcpu, a_failure_on_a_vcpus_thread_is_the_result_of_the_reset)
{
    f.fail_request = SETS_UP;
    f.fail_code = -EINVAL;
    cr_assert_eq(try_begin(3), -EINVAL);
    cr_assert_not_null(strstr(e.what, " of vCPU "), "%s", e.what);
    vcpus_destroy(&set);
}

Test(vcpu, a_bad_cpu_model_is_the_result_of_the_reset)
{
    cpu = "host,-axv";
    cr_assert_eq(try_begin(2), -EINVAL);
    cr_assert_eq(e.status, EXIT_USAGE);
    cr_assert_not_null(strstr(e.what, "axv"), "%s", e.what);
    vcpus_destroy(&set);
}

Test(vcpu, a_set_can_be_given_up_before_there_is_a_vm)
{
    for (unsigned i = 0; i < 20; i++) {
        cr_assert_eq(start(3), 0);
        vcpus_destroy(&set);
    }
}

Test(vcpu, threads_may_run_where_the_process_may)
{
    cpu_set_t allowed;
    cpu_set_t got;
    begin(2);
    vcpus_pause(&set);
    cr_assert_eq(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(pthread_getaffinity_np(set.vcpu[i].thread, sizeof(got), &got), 0);
        cr_assert(CPU_EQUAL(&allowed, &got));
    }
    vcpus_destroy(&set);
}

Test(vcpu, started_vcpus_wait_for_resume)
{
    begin(2);
    vcpus_pause(&set);
    cr_assert_eq(atomic_load(&guest.entries), 0);
    vcpus_resume(&set);
    wait_for_entries(1);
    vcpus_destroy(&set);
}

Test(vcpu, a_pause_stops_the_guest_and_resume_goes_on)
{
    begin(4);
    for (unsigned i = 0; i < 50; i++) {
        unsigned before = atomic_load(&guest.entries);
        vcpus_resume(&set);
        wait_for_entries(before);
        vcpus_pause(&set);
        before = atomic_load(&guest.entries);
        sched_yield();
        cr_assert_eq(atomic_load(&guest.entries), before);
    }
    vcpus_destroy(&set);
}

Test(vcpu, quick_changes_of_mind_lose_no_kick)
{
    begin(2);
    for (unsigned i = 0; i < 500; i++) {
        vcpus_resume(&set);
        vcpus_ask_pause(&set);
        vcpus_resume(&set);
        vcpus_pause(&set);
    }
    vcpus_destroy(&set);
}

Test(vcpu, stop_ends_running_paused_and_never_resumed_threads)
{
    begin(2);
    vcpus_stop(&set);
    vcpus_stop(&set);
    vcpus_destroy(&set);
    guest.created = 0;
    begin(2);
    vcpus_resume(&set);
    wait_for_entries(0);
    vcpus_stop(&set);
    vcpus_resume(&set); /* too late: nothing happens */
    vcpus_destroy(&set);
}

Test(vcpu, a_stale_exit_reason_is_not_looked_at)
{
    begin(1);
    guest.run[0]->exit_reason = KVM_EXIT_SHUTDOWN;
    vcpus_resume(&set);
    wait_for_entries(0);
    vcpus_pause(&set);
    cr_assert_eq(vcpus_exits(&set, KVM_EXIT_SHUTDOWN), 0);
    cr_assert_not(set.crashed);
    vcpus_destroy(&set);
}

Test(vcpu, a_processor_not_yet_started_is_run_again)
{
    begin(1);
    atomic_store(&guest.fail_first, 3);
    vcpus_resume(&set);
    wait_for_entries(0);
    vcpus_destroy(&set);
    cr_assert_not(set.crashed);
}

Test(vcpu, a_crash_parks_the_vcpu_until_reset)
{
    begin(1);
    atomic_store(&guest.exit_reason, KVM_EXIT_SHUTDOWN);
    vcpus_resume(&set);
    sem_wait(&crashed);
    vcpus_pause(&set);
    cr_assert_eq(atomic_load(&guest.entries), 1);
    vcpus_resume(&set);
    vcpus_pause(&set);
    cr_assert_eq(atomic_load(&guest.entries), 1);
    atomic_store(&guest.exit_reason, RUNS_ON);
    cr_assert_eq(vcpus_reset(&set, &entry, &e), 0);
    cr_assert_not(set.crashed);
    vcpus_resume(&set);
    wait_for_entries(1);
    vcpus_destroy(&set);
}

Test(vcpu, one_vcpus_crash_pauses_all)
{
    begin(3);
    vcpus_resume(&set);
    wait_for_entries(2);
    atomic_store(&guest.exit_reason, KVM_EXIT_SHUTDOWN);
    vcpus_pause(&set);
    vcpus_resume(&set);
    sem_wait(&crashed);
    vcpus_pause(&set);
    cr_assert_eq(set.wanted, VCPUS_PAUSED);
    cr_assert_neq(sem_trywait(&crashed), 0, "told once");
    vcpus_destroy(&set);
}

Test(vcpu, a_failing_run_is_a_crash_of_the_host)
{
    begin(1);
    atomic_store(&guest.run_result, -EFAULT);
    atomic_store(&guest.exit_reason, KVM_EXIT_IO);
    vcpus_resume(&set);
    sem_wait(&crashed);
    vcpus_stop(&set);
    cr_assert_eq(set.crash.status, EXIT_HOST);
    cr_assert_eq(vcpus_exits(&set, KVM_EXIT_IO), 0);
    vcpus_destroy(&set);
}

Test(vcpu, a_reset_that_kvm_refuses_is_reported)
{
    begin(1);
    f.fail_request = ENTERS;
    f.fail_code = -EINVAL;
    cr_assert_eq(vcpus_reset(&set, &entry, &e), -EINVAL);
    cr_assert_not_null(strstr(e.what, "vCPU 0"), "%s", e.what);
    vcpus_destroy(&set);
}
