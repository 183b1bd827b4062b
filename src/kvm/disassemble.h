/*
 * Disassembly of a crash's instruction bytes, where capstone is installed.
 *
 * Locking: none.
 */
#ifndef KVM_DISASSEMBLE_H
#define KVM_DISASSEMBLE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum code_kind {
    CODE_X86_16,
    CODE_X86_32,
    CODE_X86_64,
    CODE_ARM64,
};

/* The bytes of code, which is at address, and the instructions they are, one a line, or why there
 * is no disassembly. len 0: no memory is there. */
void print_code(enum code_kind kind, const uint8_t *code, size_t len, uint64_t address, FILE *out);

#endif
