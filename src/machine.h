/*
 * A machine: address spaces, RAM, devices, vCPUs, and what ends its run.
 *
 * machine_new() builds everything the guest would see, without KVM, so that
 * --info and --dump-acpi work anywhere; src/run.h runs it on KVM.
 *
 * Locking: built, run and freed on the main thread. Devices and vCPU threads
 * report through device_env.event and the crash callback, which hand over to
 * the main loop.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include "src/base/err.h"
#include "src/config.h"
#include "src/device.h"
#include "src/hyperv.h"
#include "src/mem/ram.h"

#include <stdio.h>

struct board;
struct exec;
struct vm;

struct machine {
    const struct config *config;
    struct clock clock;
    struct loop *loop;
    struct chardev *console;
    struct exec *exec;       /* NULL: no --exec */
    const char *last_initrd; /* loaded after the configuration's; NULL: none */

    struct topology *topo;
    struct region mem_root;
    struct region io_root;
    struct aspace *mem;
    struct aspace *io;
    struct ram ram;

    struct device_env env;
    struct hyperv idle_hyperv; /* env's while nothing runs */
    struct device *devices;    /* in order of creation */
    struct board *board;       /* the architecture's part */
    struct vm *vm;             /* the run's part; NULL while nothing runs */
};

/* NULL with e set. config is borrowed. */
struct machine *machine_new(const struct config *config, struct err *e);
void machine_free(struct machine *m);

/* Make, set up and realize a device: text is NAME[,prop=value]..., id may be NULL (made from the
 * name). */
struct device *machine_add_device(struct machine *m, const char *text, const char *id,
                                  struct err *e);

/* --info TOPIC (mtree, flatview, qtree, irq). */
void machine_info(struct machine *m, const char *topic, FILE *out);

#endif
