/*
 * What an architecture's board provides to src/machine.c: where RAM and devices
 * are, and how a kernel and its tables come into RAM. One implementation a
 * build: src/arch/x86/board*.c, or src/arch/virt/board.c by the table of the architecture.
 *
 * Locking: main thread, while no vCPU runs.
 */
#ifndef ARCH_BOARD_H
#define ARCH_BOARD_H

#include "src/boot/boot.h"
#include "src/machine.h"

/* The machine this build has, as --machine calls it: "pc" or "virt". */
extern const char board_machine[];

/* The serial line of --exec, as the guest calls it. */
extern const char board_channel[];

/* Put m->ram into the memory map; sets m->board. */
int board_new(struct machine *m, struct err *e);
void board_free(struct machine *m);

/* Make the built-in devices and the disks of the configuration. */
int board_add_devices(struct machine *m, struct err *e);

/* Give a device that is not yet realized its place: bus, address, interrupt. */
int board_place(struct machine *m, struct device *d, struct err *e);

/* What firmware would do to devices: give those on PCI their addresses. When all are there, and
 * again after each machine reset. */
int board_assign(struct machine *m, struct err *e);

/* Put tables, kernel and initrds into RAM. Again after each machine reset. */
int board_load(struct machine *m, struct boot_entry *entry, struct err *e);

/* Where the guest goes on after MACHINE_WAKE. -ENOENT: it did not say; firmware starts anew then.
 */
int board_wake(struct machine *m, struct boot_entry *entry);

/* Instead of that: ready memory and the start state for code that is at gpa already. -EINVAL: this
 * architecture has no such mode, or the mode does not reach gpa. */
int board_enter(struct machine *m, enum boot_mode mode, uint64_t gpa, struct boot_entry *entry,
                struct err *e);

/* The first guest-physical address of RAM. */
extern const uint64_t board_ram_gpa;

/* Write the tables that --dump-acpi or --dump-fdt asks for, if one does. */
int board_dump_tables(struct machine *m, struct err *e);

#endif
