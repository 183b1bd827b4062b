/*
 * vCPUs: one thread each, in a loop of KVM_RUN and exit handler.
 *
 * A pause takes effect where KVM_RUN returns EINTR: there every instruction that
 * left for user space is complete and the registers can be read and set. To get
 * a vCPU there, its immediate_exit is set and its thread signalled: the flag
 * covers the way into KVM_RUN, the signal KVM_RUN itself.
 *
 * A vCPU that cannot go on (triple fault, KVM error, power-off) parks: it counts
 * as paused and stays so until vcpus_reset().
 *
 * The signal (VCPU_KICK_SIGNAL) is the process's: its handler is installed with the first set and
 * stays. Whoever else sends it to a vCPU's thread gets that vCPU out of the guest for a moment.
 *
 * Locking: vcpus.lock guards the states. vCPU ioctls other than KVM_RUN are for
 * the vCPU's own thread, or for any one thread while the set is paused.
 * In KVM_RUN a vCPU's mem_reader is offline, elsewhere online.
 */
#ifndef KVM_VCPU_H
#define KVM_VCPU_H

#include "src/arch/arch.h"
#include "src/base/err.h"
#include "src/device.h"
#include "src/kvm/ioeventfd.h"
#include "src/kvm/kvm.h"
#include "src/mem/aspace.h"
#include "src/mem/topology.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct kvm_run;
struct boot_entry;
struct log_sink;
struct recorder;
struct synic;

#define VCPU_KICK_SIGNAL SIGRTMIN

/* Exit reasons counted one by one; greater ones share the last counter. */
#define VCPU_EXIT_REASONS 48

/* Why a vCPU could not go on. */
struct crash {
    unsigned vcpu;
    enum exit_status status; /* EXIT_CRASH: the guest's fault; EXIT_HOST: KVM_RUN failed */
    char reason[160];
    struct cpu_dump *dump; /* registers and instruction bytes; owned by the set */
};

/* Calls from vCPU threads; they return at once, the machine acts on its own thread. */
struct vm_callbacks {
    /* KVM_EXIT_SYSTEM_EVENT; other events come through devices. The vCPU is parked. */
    void (*event)(void *opaque, enum machine_event event, int value);
    /* The first crash of the set; c stays valid until vcpus_reset(). The vCPU is parked. */
    void (*crash)(void *opaque, const struct crash *c);
    void *opaque;
};

struct vcpu {
    struct vcpus *set;
    unsigned index; /* also the APIC id */
    int fd;
    struct kvm_run *run;
    pthread_t thread;
    _Atomic pid_t tid; /* once vcpus_reset() was called */
    bool started;
    bool parked; /* not to run before the next reset */
    struct mem_reader reader;
    /* Exits to user space by reason; written by the vCPU's thread. */
    _Atomic uint64_t exits[VCPU_EXIT_REASONS];
};

enum vcpus_state {
    VCPUS_NEW, /* no vCPUs yet */
    VCPUS_PAUSED,
    VCPUS_RUNNING,
    VCPUS_STOPPED,
};

/* What a set works on; all of it is borrowed for the life of the set. */
struct vcpus_env {
    struct topology *topo;
    struct aspace *mem, *io; /* io NULL: no ports */
    struct synic *synic;     /* NULL: no --cpu host,hyperv=on */
    struct vm_callbacks callbacks;
};

/* All vCPUs of a machine and what their threads share. */
struct vcpus {
    struct kvm *kvm;
    struct vcpus_env env;
    struct coalesced coalesced;
    struct recorder *recorder;   /* of guest events, borrowed; NULL: none. Set while paused */
    const struct log_sink *sink; /* of who started the threads */
    const char *cpu;
    struct cpu_model *model;
    struct vcpu *vcpu; /* count elements */
    unsigned count;
    cpu_set_t cpus; /* where vmm may run, if spread: then threads start elsewhere than it does */
    bool spread;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* any of those below */
    enum vcpus_state wanted;
    bool model_ready; /* model is there, or init_result says why not */
    unsigned ready;   /* threads that gave their vCPU its state, or failed to */
    int init_result;  /* of the first that failed: -errno, and its explanation */
    struct err init_err;
    bool fresh;    /* nothing ran since the vCPUs got their power-on state */
    unsigned idle; /* threads that wait for a change of wanted */
    bool crashed;
    struct crash crash;
};

/*
 * Make a set of count vCPUs (1..kvm.max_vcpus; else EXIT_USAGE) and start its
 * threads. Of KVM only the device need be open: the sooner, the better.
 * cpu: --cpu, "host[,-feature][,+feature]..."; NULL: host. On failure there is
 * nothing to destroy.
 */
int vcpus_start(struct vcpus *s, struct kvm *kvm, unsigned count, const char *cpu, struct err *e);

/* Stops the threads, releases everything. */
void vcpus_destroy(struct vcpus *s);

/* VM and irqchip are there: create the vCPUs. Their threads then go on by themselves. */
int vcpus_build(struct vcpus *s, const struct vcpus_env *env, struct err *e);

/*
 * Power-on state for all: vCPU 0 at entry, the others wait for INIT and SIPI.
 * While paused. The first time it waits for the threads, and returns the error
 * of one that failed (a bad --cpu, features KVM refused).
 */
int vcpus_reset(struct vcpus *s, const struct boot_entry *entry, struct err *e);

/*
 * Instead of it, for vCPUs whose state comes from elsewhere: wait for the threads. From then on
 * vCPU ioctls may be made. The error of a thread that failed.
 */
int vcpus_wait_ready(struct vcpus *s, struct err *e);

/* Let the guest run. */
void vcpus_resume(struct vcpus *s);

/*
 * Ask all vCPUs to pause and return at once. Any thread, also a vCPU's (from a
 * device callback): that vCPU will not run another guest instruction.
 */
void vcpus_ask_pause(struct vcpus *s);

/* The same, and wait until they did. Not from a vCPU's thread. */
void vcpus_pause(struct vcpus *s);

/* End and join the threads. Not from a vCPU's thread. Idempotent. */
void vcpus_stop(struct vcpus *s);

/* Sum over the vCPUs of exits to user space with this reason (< VCPU_EXIT_REASONS). */
uint64_t vcpus_exits(const struct vcpus *s, unsigned reason);

/* Between vcpu_setup.c and vcpu.c: start the threads, 0 or -errno. */
int vcpus_start_threads(struct vcpus *s);
/* The beginning of each. False: the thread is to end. */
bool vcpu_init(struct vcpu *v);

/* Reason, registers, instruction bytes and, where capstone is installed, their disassembly. */
void crash_print(const struct crash *c, FILE *out);

#endif
