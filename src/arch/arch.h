/*
 * What an architecture gives to the machine and to the vCPU threads. One
 * implementation is linked in: src/arch/x86, or src/arch/arm64 with src/arch/virt.
 *
 * Locking: set-up runs on one thread; functions with a vCPU's descriptor run
 * on that vCPU's thread or while it is surely outside KVM_RUN.
 */
#ifndef ARCH_ARCH_H
#define ARCH_ARCH_H

#include "src/base/err.h"
#include "src/kvm/kvm.h"
#include "src/mem/aspace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct boot_entry;
struct kvm_irq_routing_entry;
struct kvm_run;

/* Capabilities the architecture adds to those every VM needs. */
extern const struct kvm_cap arch_caps[];
extern const size_t arch_cap_count;

/* What to do where there is no /dev/kvm. */
extern const char arch_no_kvm_hint[];

/* --- the VM --- */

/* The most vCPUs interrupts can reach, KVM being open but no VM there. */
unsigned arch_max_vcpus(struct kvm *kvm);

/* The argument of KVM_CREATE_VM. */
unsigned long arch_vm_type(struct kvm *kvm);
/* After KVM_CREATE_VM, before irqchip and vCPUs. */
int arch_vm_init(struct kvm *kvm, struct err *e);

/* Interrupt controllers and the timers that live with them. */
int arch_irqchip_create(struct kvm *kvm, struct err *e);
/* The rest of that: all vCPUs are created, none has run. */
int arch_irqchip_init(struct kvm *kvm, struct err *e);
/* What vCPUs share of them back to its state at creation. vCPUs are paused. */
int arch_irqchip_reset(struct kvm *kvm, struct err *e);

/* Lines of the irqchip: GSI 0 to ARCH_IRQ_PINS - 1. Does a message say who sends it? */
#ifdef __aarch64__
#define ARCH_IRQ_PINS          128
#define ARCH_MSI_HAS_REQUESTER true
#else
#define ARCH_IRQ_PINS          24
#define ARCH_MSI_HAS_REQUESTER false
#endif
/* What KVM_IRQ_LINE calls the line of a GSI. */
uint32_t arch_irq_line(unsigned gsi);
/* KVM's own routes of the lines. Returns their number; entries NULL: only that. */
size_t arch_irq_routes(struct kvm_irq_routing_entry *entries);
/* Whether a message written to address is an interrupt. */
bool arch_is_msi_address(const struct kvm *kvm, uint64_t address);

/* --- vCPUs --- */

/*
 * What this host offers to guests' CPUs, for many machines of one process: asking takes longer than
 * all the rest of a vCPU where CPUID exits to a hypervisor below. Read-only. *out may be NULL also
 * with 0: there is nothing worth keeping.
 */
struct cpu_host;
int cpu_host_new(struct cpu_host **out, struct kvm *kvm, struct err *e);

/* What the guest's CPUs look like: features and topology, shared by all vCPUs. */
struct cpu_model;

/*
 * From kvm->cpu_host, or asked now. spec: "host[,-feature][,+feature]...". -EINVAL, status
 * EXIT_USAGE: unknown feature (hint: the nearest) or one this host cannot give. Free with
 * cpu_model_free().
 */
int cpu_model_new(struct cpu_model **out, struct kvm *kvm, const char *spec, unsigned cpus,
                  struct err *e);
void cpu_model_free(struct cpu_model *m);

/*
 * Once for each vCPU, after its creation, several at the same time: its features,
 * and what a PC's firmware would set (memory types, interrupt wiring). The rest is
 * as after power-on already.
 */
int arch_vcpu_init(struct kvm *kvm, int fd, unsigned index, const struct cpu_model *m,
                   struct err *e);

/*
 * The same again after a run: all of a vCPU's state. The boot CPU, index 0, is
 * ready to run; the others wait until one starts them.
 */
int arch_vcpu_reset(struct kvm *kvm, int fd, unsigned index, const struct cpu_model *m,
                    struct err *e);

/* After that: the registers the boot CPU starts a kernel with. */
int arch_vcpu_enter(struct kvm *kvm, int fd, const struct boot_entry *entry, struct err *e);

/* Registers by name, for src/kvm/regs.h. */
struct arch_reg {
    const char *name;
    uint64_t id; /* for arch_reg_read(): KVM's number of it, where KVM has numbers */
    bool fixed;  /* cannot be set: others depend on it, or KVM derives other state from it */
};
extern const struct arch_reg arch_regs[];
extern const size_t arch_reg_count;
/* Of a paused vCPU. 0 or -errno. */
int arch_reg_read(struct kvm *kvm, int fd, uint64_t id, uint64_t *value);
int arch_reg_write(struct kvm *kvm, int fd, uint64_t id, uint64_t value);

/* What a paused vCPU would do if it ran. */
enum vcpu_activity {
    VCPU_RUNS,
    VCPU_WAITS, /* for an interrupt. arm64: or it runs, KVM does not say */
    VCPU_DEAD,  /* halted with interrupts off, or never started */
};
enum vcpu_activity arch_vcpu_activity(struct kvm *kvm, int fd);

/* --- snapshots: see docs/snapshots.md --- */

struct pack;
struct unpack;

void cpu_model_save(const struct cpu_model *m, struct pack *out);
/*
 * Would a guest notice that m is not the model in the snapshot? -ENOTSUP: yes; e names what it
 * would miss, or find different.
 */
int cpu_model_check(const struct cpu_model *m, struct unpack *in, struct err *e);

/* What arch_vcpu_init() and arch_vcpu_enter() do not set, and the guest or time did since. -errno,
 * -ENOTSUP: it cannot be saved. vCPUs are paused. */
int arch_vcpu_save(struct kvm *kvm, int fd, unsigned index, struct pack *out, struct err *e);
/* For a vCPU after arch_vcpu_init(). What in fails to give becomes zeros: the caller looks. */
int arch_vcpu_load(struct kvm *kvm, int fd, unsigned index, struct unpack *in, struct err *e);
/* The same for interrupt controllers, timers and clocks of the VM: after all vCPUs. Lines are low
 * then, and devices raise theirs anew. */
int arch_vm_save(struct kvm *kvm, struct pack *out, struct err *e);
int arch_vm_load(struct kvm *kvm, struct unpack *in, struct err *e);
/* Tell the guest, if it has asked to be told, that its vCPU stood still. */
void arch_vcpu_was_paused(struct kvm *kvm, int fd);

/* --- probes, for --doctor --- */

/* A probe's guest has this much RAM at 0 and reports by byte writes to the address after it. */
#define ARCH_PROBE_RAM 0x20000

/* A guest that reports 1, 2, ... as it gets on, and then stays. */
struct probe_guest {
    /* Write it into ram (zeroed, ARCH_PROBE_RAM bytes at guest-physical 0); set its entry. */
    void (*load)(uint8_t *ram, struct boot_entry *entry);
    unsigned reports;         /* how many it makes when all goes well */
    const char *const *steps; /* steps[n]: what it tries after report n */
};

/* Privileged code at full speed between reports 1 and 2, so many instructions. */
extern const struct probe_guest arch_probe_speed;
extern const uint64_t arch_probe_instructions;

/* Instructions every Linux kernel uses in privileged mode. */
extern const struct probe_guest arch_probe_linux;

/* The hypervisor this host itself runs on, as it calls itself; "": none. */
void arch_host_hypervisor(char name[13]);

/* --- crashes --- */

/* Registers of a vCPU and the bytes at its instruction pointer. */
struct cpu_dump;

struct cpu_dump *cpu_dump_new(void); /* NULL: out of memory */
void cpu_dump_free(struct cpu_dump *d);
/* Fill d; what cannot be had is marked so. run may hold KVM's own copy of the bytes. */
void cpu_dump_take(struct cpu_dump *d, struct kvm *kvm, int fd, const struct kvm_run *run,
                   struct aspace *mem);
void cpu_dump_print(const struct cpu_dump *d, FILE *out);

#endif
