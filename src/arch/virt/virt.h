/*
 * What architectures have in common whose machine is `virt` (a device tree, virtio-mmio, PCI by
 * ECAM) and whose registers KVM numbers (KVM_GET_ONE_REG): src/arch/virt implements most of board.h
 * and arch.h for them, by these two tables of the architecture.
 *
 * Locking: set-up runs on one thread; functions with a vCPU's descriptor as in arch.h.
 */
#ifndef ARCH_VIRT_VIRT_H
#define ARCH_VIRT_VIRT_H

#include "src/arch/arch.h"
#include "src/arch/plug.h"
#include "src/arch/tree_board.h"
#include "src/arch/virt/inventory.h"
#include "src/kvm/disassemble.h"

/* --- the machine (board.c) ------------------------------------------------- */

/* Places of devices of a kind, one after the other, and their interrupts. */
struct virt_slots {
    struct plug_slots at;
    unsigned gsi; /* of slot 0; slot n: gsi + n */
};

struct virt_machine {
    const struct boot_arch *boot;
    const char *console;                /* console=... for Linux */
    struct virt_slots virtio, platform; /* at most VIRT_PLATFORM_MAX of the latter */
    struct pci_windows pci;             /* the 64-bit window's place is chosen */
    uint64_t mem64_size, mem64_align;   /* its size, behind RAM */
    const char *built_in[4];            /* devices every machine has; NULL ends them */
    const char *uart2;  /* class of the serial port behind board_channel, only with --exec, ... */
    uint64_t uart2_gpa; /* ... and its place */
    unsigned uart2_gsi;
    unsigned gpa_bits; /* of an address, where KVM does not say */
    int gpa_bits_cap;  /* the capability that says */
    /* Judge what the configuration has for this architecture alone, and tell m->vm, if there is
     * one. */
    int (*prepare)(struct machine *m, struct err *e);
    /* The machine's tree; what in has depends on the host, it fills in first. */
    int (*make_tree)(struct machine *m, struct virt_inventory *has, void **tree, struct err *e);
};

extern const struct virt_machine virt_machine;

/* --- vCPUs (model.c, dump.c, state.c) ------------------------------------------ */

/* One that --cpu can take away. */
struct virt_feature {
    const char *name;
    int cap; /* the host has it where KVM has this capability */
    uint32_t bits;
};

/* What KVM keeps of a vCPU besides registers, for snapshots. */
struct virt_extra {
    int cap; /* where KVM has this capability */
    unsigned long get, set;
    size_t size; /* at most VIRT_EXTRA_MAX; 0: there is nothing */
};

#define VIRT_EXTRA_MAX 128
#define VIRT_REGS_MAX  64

struct virt_cpu {
    const struct virt_feature *features;
    size_t feature_count;
    struct virt_extra extra;
    /* arch_regs, at most VIRT_REGS_MAX: the instruction pointer is the first, and from this number
     * on they are the general ones. */
    size_t general;
    enum code_kind code;
    /* Where the instruction pointer is in guest-physical memory; regs: values in the order of
     * arch_regs. False: nowhere. */
    bool (*find_code)(const uint64_t *regs, struct aspace *mem, uint64_t *gpa);
    /* What a person calls a register of KVM's number id. */
    void (*name_reg)(uint64_t id, char *text, size_t size);
};

extern const struct virt_cpu virt_cpu;

/* The features of guests' CPUs: bits of virt_cpu.features. */
struct cpu_model {
    uint32_t features;
};

/* Would guests have one of these with --cpu spec on this host? */
bool virt_has_feature(struct kvm *kvm, const char *spec, uint32_t bits);

#endif
