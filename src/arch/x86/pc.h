/*
 * The `pc` board from the inside, for board*.c only: board.c has memory, tables
 * and kernel, board_devices.c the devices.
 *
 * Locking: main thread, while no vCPU runs.
 */
#ifndef ARCH_X86_PC_H
#define ARCH_X86_PC_H

#include "src/arch/board.h"
#include "src/arch/plug.h"
#include "src/arch/x86/inventory.h"
#include "src/arch/x86/memmap.h"
#include "src/mem/region.h"

struct board {
    struct memmap map;
    struct region ram;       /* all of it; shown through the two aliases */
    struct region ram_low;   /* below 4 GiB */
    struct region ram_high;  /* from 4 GiB on */
    struct device *pci_host; /* NULL: no PCI */
    struct pc_inventory has;
    uint64_t facs; /* gpa of the ACPI table with the waking vector; 0: none */
    struct plug_words words;
};

#endif
