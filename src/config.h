/*
 * The command line as a value. config_parse() checks what can be checked from
 * the text alone; whether files, devices and the host fit shows when the
 * machine is built.
 *
 * Locking: none; read-only after parsing.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "src/base/err.h"
#include "src/snapshot/snapshot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What to do; everything but ACTION_RUN prints or writes something and ends. */
enum config_action {
    ACTION_RUN,
    ACTION_HELP,
    ACTION_VERSION,
    ACTION_DOCTOR,
    ACTION_LIST_DEVICES,
    ACTION_DEVICE_HELP, /* the device is config.help_topic */
    ACTION_LIST_MACHINES,
    ACTION_LIST_TRACE,
    ACTION_LIST_CPU_FEATURES,
    ACTION_DESCRIBE, /* --info and --dump-...: build the machine, do not run it */
};

struct cpu_host;

/* A growing list of strings that belong to argv. */
struct string_list {
    const char **items;
    size_t count;
};

/* --exec and what goes with it. All belong to argv. */
struct exec_options {
    const char *program; /* NULL: no --exec */
    char *const *args;   /* the words after -- */
    size_t arg_count;
    const char *dir;     /* --exec-dir */
    const char *out;     /* --out */
    const char *modules; /* --modules DIR[,NAME]... */
};

struct config {
    enum config_action action;
    const char *help_topic;
    const char *kernel;
    struct string_list initrds;
    struct string_list appends;
    struct string_list disks;   /* FILE[,ro]..., as typed */
    struct string_list devices; /* NAME[,prop=value]..., as typed */
    uint64_t memory;            /* bytes */
    bool machine_given;         /* there was a --machine */
    unsigned cpus;
    const char *cpu; /* host[,-feature]... */
    const struct cpu_host
        *cpu_host; /* no option: what is known of the host's CPUs already, or NULL */
    bool acpi;     /* --machine pc,acpi= */
    bool pci;      /* --machine ...,pci= */
    bool pm;       /* --machine pc,pm=: ACPI's fixed hardware */
    bool testdev;  /* --machine ...,testdev=: what kvm-unit-tests expects */
    unsigned gic;  /* --machine virt,gic=: 2 or 3; 0: the newest the host has */
    struct exec_options exec;
    const char *console; /* NULL: kept in memory (src/console/memory.h) */
    const char *trace;
    const char *trace_file;
    bool posted;         /* KVM may keep writes that can come late, doorbells too */
    uint64_t timeout_ns; /* 0: none */
    bool no_reboot;
    const char *dump_acpi;
    const char *dump_fdt;
    const char *dtb; /* instead of the tree the board makes */
    const char *info;
    bool info_at_end; /* not ACTION_DESCRIBE: run, and print info when the guest has ended */
    struct snapshot_request save; /* path NULL: none */
    bool vmgenid;                 /* the guest is told when it goes on in another machine */
    /* With snapshot_load, what is not given stays 0 and NULL until snapshot_open(). */
    const char *snapshot_load;
    struct snapshot_file *snapshot; /* NULL: the machine begins with a kernel */
    char **owned;                   /* strings that do not belong to argv */
    size_t owned_count;
};

/* 0, or -EINVAL / -ENOMEM with e set (status EXIT_USAGE). Free with config_free() in any case. */
int config_parse(struct config *c, int argc, char **argv, struct err *e);
void config_free(struct config *c);

/* Memory, CPUs and so on as they are when nobody says anything. */
void config_defaults(struct config *c);

/* The state before the first option. */
void config_init(struct config *c);

/*
 * One of the options that describe a guest, or no-reboot, by its name without dashes; value NULL:
 * it has none. -EINVAL for any other and for a bad value, status EXIT_USAGE. Both strings are
 * borrowed.
 */
int config_set_guest(struct config *c, const char *name, const char *value, struct err *e);

/* The value of --machine; -EINVAL with e set. For config_parse(). */
int config_set_machine(struct config *c, const char *value, struct err *e);

/* -EINVAL: the option, without dashes, is for another machine than this build's. */
int config_check_machine(const char *option, struct err *e);

/* The texts of --help and --machine help. */
void config_help(FILE *out);
void config_machine_help(FILE *out);

#endif
