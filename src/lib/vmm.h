/*
 * libvmm: a virtual machine as a value. Make one, put code into it, run it to an exit
 * that you name or to its end, look at its memory, registers and console, disturb it
 * with interrupts and faults, throw it away; hundreds a second.
 *
 *     struct vmm *m = vmm_new((const char *const[]){"memory=1M", "device=edu", NULL}, &e);
 *     vmm_load(m, VMM_REAL16, 0x7c00, code, sizeof(code), &e);
 *     vmm_run(m, NULL, &stop, &e);
 *     vmm_free(m);
 *
 * Guest events. A guest event is one access of the guest to a device: a read or write of
 * memory-mapped registers or of an I/O port (a string instruction makes one for each item).
 * Deadlines count guest events, not time, so that a test ends the same way on a busy host. What KVM
 * carries out itself is no guest event: RAM, the interrupt controllers, the PC's timer (PIT).
 *
 * Errors. A function that can fail returns 0 (or a pointer) on success, and a negative errno (or
 * NULL) on failure; then *e, where e is not NULL, says what is wrong and what to do. A guest's
 * mistakes are no errors: they come as a struct vmm_stop, and in vmm_log().
 *
 * Threads. Machines know nothing of each other. A machine is used by one thread at a time, any
 * thread; between vmm_run() and its return no other call is made with it, but for vmm_interrupt().
 * A machine has a thread for each vCPU and for each disk; they block all signals but those of
 * faults and SIGRTMIN.
 *
 * The process. The library prints nothing, ends no process, changes no signal mask, terminal or
 * limit, and reads of the environment TMPDIR alone, for what machines write to a disk of a
 * snapshot. One thing it takes: the first vmm_new() installs a handler for SIGRTMIN, which gets
 * vCPUs out of the guest. A program has to leave that signal to it. After fork() a child must not
 * use machines of its parent.
 */
#ifndef VMM_VMM_H
#define VMM_VMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VMM_API __attribute__((visibility("default")))

/* A machine. */
struct vmm;

struct vmm_error {
    int status;     /* what vmm(1) would exit with: 77 where the host has no usable KVM */
    char what[512]; /* "what, why"; one line */
    char hint[256]; /* what to do; may be empty */
};

/* "0.1": of the library; the header's is in its pkg-config file. */
VMM_API const char *vmm_version(void);

/* --- making a machine ------------------------------------------------------- */

/*
 * options: NULL-terminated, "name=value" with the names of vmm(1)'s long options: "memory=1M"
 * (1M or more; 256M if not given), "cpus=2", "cpu=host,-x2apic", "device=edu,dma_mask=0xffff",
 * "disk=FILE,ro", "machine=pc,acpi=off", "kernel=FILE", "initrd=FILE", "append=STRING",
 * "no-reboot", "console=null", "snapshot-load=FILE"; and these, of the library alone:
 *   "posted=off"  every access of the guest is a guest event. Otherwise KVM keeps writes that a
 *                 device allows to come late (a UART's data, doorbells of queues), as it does for
 *                 vmm(1): faster, and such writes are no events.
 *   "exits=N"     keep the last N guest events of each vCPU (64), 1 to 65536.
 * They are copied. A kernel is loaded at once; the guest has not run when this returns. Machines
 * that load code by vmm_load() treat a reboot as their end, as does "no-reboot".
 * NULL: *e says why; e->status 77: this host cannot run guests, 2: an option is wrong.
 */
VMM_API struct vmm *vmm_new(const char *const *options, struct vmm_error *e);

/* Ends it, wherever it was, and releases all it had. NULL is allowed. */
VMM_API void vmm_free(struct vmm *m);

/* State of the boot CPU when code begins. */
enum vmm_mode {
    VMM_REAL16, /* x86-64: real mode, cs 0, stack below the code; gpa is below 64 KiB */
    VMM_PROT32, /* x86-64: flat 32-bit segments, paging off */
    VMM_LONG64, /* x86-64: 64-bit, the first 4 GiB mapped at their own addresses */
    VMM_EL1,    /* arm64: EL1, MMU off */
};

/*
 * Copy code into guest memory at gpa; the boot CPU will begin there, in this mode, with all other
 * registers 0. What the modes of x86-64 need is put at 0x500 (GDT) and 0x9000 to 0xefff (page
 * tables of VMM_LONG64). Before the first run, and not where a kernel was given. -EINVAL: a mode or
 * address that cannot be; -EFAULT: no RAM there.
 */
VMM_API int vmm_load(struct vmm *m, enum vmm_mode mode, uint64_t gpa, const void *code, size_t len,
                     struct vmm_error *e);

/*
 * Save the machine, as it is now, in a file; the option "snapshot-load=FILE" begins machines there,
 * any number, which never share what they write. The rules are those of vmm(1)'s snapshots. Between
 * runs, or before the first. *e says why not; then there is no file.
 */
VMM_API int vmm_save(struct vmm *m, const char *path, struct vmm_error *e);

/* The first guest-physical address of RAM: 0 on x86-64. */
VMM_API uint64_t vmm_ram_start(const struct vmm *m);

/* --- guest events ----------------------------------------------------------- */

enum vmm_space {
    VMM_MMIO, /* guest-physical memory */
    VMM_IO,   /* I/O ports */
};

struct vmm_exit {
    uint64_t number; /* 1 for the machine's first guest event; 0: there is none here */
    enum vmm_space space;
    bool write;
    unsigned cpu;
    unsigned size;    /* bytes */
    uint64_t address; /* guest-physical, or a port */
    uint64_t value;   /* written, or what was read */
    /* What is at the address now: "edu" for a device's only registers, "uart16550.ports" and the
     * like else; "": nothing is. */
    char region[48];
    uint64_t offset; /* in the region */
};

/* "MMIO write 4 bytes at edu+0x8 value 0x5", as snprintf(3) does. */
VMM_API int vmm_exit_print(const struct vmm_exit *x, char *text, size_t size);

/*
 * The same form as a pattern:
 *
 *     [MMIO|IO|any] [read|write|access] [N byte[s]] [at PLACE] [value N] [cpu N]
 *
 * What is left out may be anything. PLACE: an address or port, or REGION[+OFFSET] (REGION alone:
 * anywhere in it). "any" stands for anything after value and in place of N and PLACE, too. Numbers
 * are decimal or, after 0x, hexadecimal.
 */
struct vmm_pattern {
    bool any_space, any_direction, any_size, any_place, any_value, any_cpu, any_offset;
    struct vmm_exit exit; /* region "": address counts, else offset */
};

/* -EINVAL: *e says which word. */
VMM_API int vmm_pattern_parse(struct vmm_pattern *p, const char *text, struct vmm_error *e);
VMM_API bool vmm_pattern_matches(const struct vmm_pattern *p, const struct vmm_exit *x);

/*
 * The last n guest events before the vCPUs stopped, oldest first, into list; returns how many
 * there are of them. Each vCPU's are kept apart ("exits="), and put in order here.
 */
VMM_API size_t vmm_last_exits(struct vmm *m, struct vmm_exit *list, size_t n);

/* All guest events so far. */
VMM_API uint64_t vmm_events(const struct vmm *m);

/* --- running ---------------------------------------------------------------- */

/* What ends a run that nothing else ends. 0: the value in parentheses. */
struct vmm_limits {
    uint64_t events; /* guest events (1,000,000) */
    /* CPU time, in ms, that a vCPU uses without a guest event anywhere in the machine (5000). It is
     * looked at in steps of its length, so the end comes after one to two of them. */
    unsigned cpu_ms;
    /* Time, in ms, that all vCPUs wait for an interrupt, without a guest event (5000). vCPUs that
     * nothing can wake (all halted, interrupts off) are found within 20 ms. Time is the
     * machine's, which stands still while it does not run. */
    unsigned idle_ms;
};

enum vmm_why {
    VMM_MATCHED, /* what the call waited for is there */
    VMM_EVENTS,  /* limits.events came first */
    VMM_SILENT,  /* limits.cpu_ms: it runs, and reaches no device */
    VMM_IDLE,    /* limits.idle_ms: it waits for an interrupt that does not come */
    VMM_DEAD,    /* all vCPUs are halted with interrupts off: nothing can wake them */
    VMM_ENDED,   /* powered off, rebooted, panicked, crashed: see status */
    VMM_STOPPED, /* vmm_interrupt() */
};

struct vmm_stop {
    enum vmm_why why;
    int status;           /* VMM_ENDED: as vmm(1)'s exit status: 0 power-off, 126 crash, ... */
    char text[200];       /* the same in words */
    struct vmm_exit exit; /* VMM_MATCHED by a guest event: which; else number 0 */
};

/*
 * Let the guest run until it ends or a limit is reached (NULL: those of vmm_set_limits(), at first
 * the defaults). Then it is paused between two instructions, and every call of this header may be
 * made; another run goes on from there. After VMM_ENDED a run returns at once with the same. 0:
 * *stop says why it stopped; negative errno: the host failed, and the machine cannot go on.
 */
VMM_API int vmm_run(struct vmm *m, const struct vmm_limits *limits, struct vmm_stop *stop,
                    struct vmm_error *e);

/*
 * The same, until the next guest event (p NULL) or one that matches. Runs of these two kinds look
 * at each event once, in order: with several vCPUs there may be events that came while they were
 * stopped, and these are looked at before the guest runs on. The instruction that made the event is
 * complete.
 */
VMM_API int vmm_run_to_exit(struct vmm *m, const struct vmm_pattern *p,
                            const struct vmm_limits *limits, struct vmm_stop *stop,
                            struct vmm_error *e);

/*
 * The same, until a line of console output matches the extended regular expression; the line need
 * not be complete, and of one longer than 4096 bytes each 4096 are compared by themselves. Output
 * up to the end of the match is not looked at again. -EINVAL: *e says what is wrong with the
 * expression.
 */
VMM_API int vmm_run_to_console(struct vmm *m, const char *regex, const struct vmm_limits *limits,
                               struct vmm_stop *stop, struct vmm_error *e);

/* What runs take that are given no limits, from now on; NULL: the defaults. */
VMM_API void vmm_set_limits(struct vmm *m, const struct vmm_limits *limits);

/* End the run under way, or the next one, with VMM_STOPPED. From any thread; not from a handler. */
VMM_API void vmm_interrupt(struct vmm *m);

/* --- state, while it does not run ------------------------------------------- */

/* Copy RAM, len bytes at gpa. -EFAULT: not all of it is RAM; then nothing is copied. */
VMM_API int vmm_read(struct vmm *m, uint64_t gpa, void *buf, size_t len, struct vmm_error *e);
VMM_API int vmm_write(struct vmm *m, uint64_t gpa, const void *buf, size_t len,
                      struct vmm_error *e);

/*
 * Registers of vCPU number cpu by name. x86-64: rax to r15, rip, rflags, cr0, cr2, cr3, cr4, efer,
 * cs, ds, es, fs, gs, ss (selectors), gdt, idt (bases). arm64: x0 to x30, sp, pc, pstate and
 * sctlr_el1, ttbr0_el1, ... as in a crash. -ENOENT: no such register or vCPU; the hint has the
 * nearest name. Before the first run: the state it begins with.
 */
VMM_API int vmm_reg(struct vmm *m, unsigned cpu, const char *name, uint64_t *value,
                    struct vmm_error *e);
/* Selectors, and arm64's system registers, cannot be set: -EPERM. */
VMM_API int vmm_set_reg(struct vmm *m, unsigned cpu, const char *name, uint64_t value,
                        struct vmm_error *e);

/* --- the console: the first UART -------------------------------------------- */

/*
 * Output that was not taken, nor passed by vmm_run_to_console(), NUL-terminated; *len (may be NULL)
 * counts without that. Valid until the next call with m. 1 MiB is kept; more is lost, and said
 * in vmm_log().
 */
VMM_API const char *vmm_console(struct vmm *m, size_t *len);
/* Forget it: as if it had been looked at. */
VMM_API void vmm_console_clear(struct vmm *m);

/* Bytes for the guest to read, which it does once it runs. -ENOSPC: 64 KiB wait already. */
VMM_API int vmm_console_send(struct vmm *m, const void *data, size_t len, struct vmm_error *e);

/* --- interrupts and faults -------------------------------------------------- */

/*
 * Drive interrupt line gsi, as one more device on it: the line is high while any of them holds
 * it high. -EINVAL: no such line; -ENOSPC: it has as many as it takes.
 */
VMM_API int vmm_irq(struct vmm *m, unsigned gsi, bool level, struct vmm_error *e);
/* High, and low again: one interrupt of an edge-triggered line. */
VMM_API int vmm_irq_pulse(struct vmm *m, unsigned gsi, struct vmm_error *e);
/* Send a message. -EINVAL: nobody takes messages at that address. */
VMM_API int vmm_msi(struct vmm *m, uint64_t address, uint32_t data, struct vmm_error *e);

enum vmm_fault_kind {
    VMM_FAULT_READ,  /* a read of a register gives all ones, and does nothing else */
    VMM_FAULT_WRITE, /* a write to a register is lost */
    VMM_FAULT_DMA,   /* the device's access to guest memory fails, as if there were none */
    VMM_FAULT_IO,    /* a disk's request to its file fails with an I/O error */
};

struct vmm_fault {
    enum vmm_fault_kind kind;
    bool any_offset; /* else only those at `offset` count */
    uint64_t offset; /* READ, WRITE: in the registers; IO: byte of the disk. Not of DMA */
    unsigned after;  /* let so many pass first */
    unsigned times;  /* then fail so many; 0: all */
};

/*
 * Make a device fail. device: its id, as in regions ("edu", "virtio-blk1"). Several faults of a
 * device count apart; 8 at most (-ENOSPC). -ENOENT: no such device, the hint has the nearest name.
 */
VMM_API int vmm_inject(struct vmm *m, const char *device, const struct vmm_fault *f,
                       struct vmm_error *e);
/* How often faults of a device have struck; 0 also where there is no such device. */
VMM_API uint64_t vmm_faults(const struct vmm *m, const char *device);
/* No more faults of this device. */
VMM_API int vmm_heal(struct vmm *m, const char *device, struct vmm_error *e);

/* --- what happened ---------------------------------------------------------- */

/* Messages about this machine (mistakes of its guest, warnings), one a line; the last 8 KiB. */
VMM_API const char *vmm_log(struct vmm *m);

/*
 * For a person: why it stopped, the last guest events, and each vCPU's registers with the code at
 * its instruction pointer, disassembled where capstone is installed; console output and messages.
 */
VMM_API void vmm_transcript(struct vmm *m, FILE *out);

#ifdef __cplusplus
}
#endif

#endif
