/*
 * Disassembly by capstone. The library is loaded at that moment: a run without
 * a crash does not pay for it, and vmm works without it.
 *
 * Source: capstone's C API, <capstone/capstone.h>.
 * Locking: none.
 */
#include "src/kvm/disassemble.h"

#include <inttypes.h>
#include <stdbool.h>

#ifndef HAVE_CAPSTONE

static void disassemble(enum code_kind kind, const uint8_t *code, size_t len, uint64_t address,
                        FILE *out)
{
    (void)kind;
    (void)code;
    (void)len;
    (void)address;
    fprintf(out, "  disassembly: vmm was built without capstone (libcapstone-dev)\n");
}

#else

#include <capstone/capstone.h>
#include <dlfcn.h>
#include <string.h>

#define TEXT(x)        #x
#define LIBRARY(major) "libcapstone.so." TEXT(major)

/* What is used of the library. */
struct capstone {
    void *library;
    cs_err (*open)(cs_arch arch, cs_mode mode, csh *handle);
    size_t (*disasm)(csh handle, const uint8_t *code, size_t size, uint64_t address, size_t count,
                     cs_insn **insn);
    void (*free)(cs_insn *insn, size_t count);
    cs_err (*close)(csh *handle);
};

/* dlsym() into a function pointer, which C has no cast for. */
static bool load_symbol(void *library, const char *name, void *function, size_t size)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, size);
    return symbol != NULL;
}

static bool load(struct capstone *c)
{
    c->library = dlopen(LIBRARY(CS_API_MAJOR), RTLD_NOW | RTLD_LOCAL);
    if (c->library == NULL) {
        return false;
    }
    if (load_symbol(c->library, "cs_open", &c->open, sizeof(c->open)) &&
        load_symbol(c->library, "cs_disasm", &c->disasm, sizeof(c->disasm)) &&
        load_symbol(c->library, "cs_free", &c->free, sizeof(c->free)) &&
        load_symbol(c->library, "cs_close", &c->close, sizeof(c->close))) {
        return true;
    }
    dlclose(c->library);
    return false;
}

static const struct {
    cs_arch arch;
    cs_mode mode;
} kinds[] = {
    [CODE_X86_16] = {CS_ARCH_X86, CS_MODE_16},
    [CODE_X86_32] = {CS_ARCH_X86, CS_MODE_32},
    [CODE_X86_64] = {CS_ARCH_X86, CS_MODE_64},
    [CODE_ARM64] = {CS_ARCH_ARM64, CS_MODE_ARM},
};

static void print_instructions(const struct capstone *c, csh handle, const uint8_t *code,
                               size_t len, uint64_t address, FILE *out)
{
    cs_insn *insn;
    size_t count = c->disasm(handle, code, len, address, 0, &insn);
    if (count == 0) {
        fprintf(out, "  disassembly: not an instruction\n");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "  %s 0x%" PRIx64 ": %s %s\n", i == 0 ? "=>" : "  ", insn[i].address,
                insn[i].mnemonic, insn[i].op_str);
    }
    c->free(insn, count);
}

static void disassemble(enum code_kind kind, const uint8_t *code, size_t len, uint64_t address,
                        FILE *out)
{
    struct capstone c;
    csh handle;
    if (!load(&c)) {
        fprintf(out, "  disassembly: %s is not installed (Debian: libcapstone%d)\n",
                LIBRARY(CS_API_MAJOR), CS_API_MAJOR);
        return;
    }
    if (c.open(kinds[kind].arch, kinds[kind].mode, &handle) == CS_ERR_OK) {
        print_instructions(&c, handle, code, len, address, out);
        c.close(&handle);
    }
    dlclose(c.library);
}

#endif

void print_code(enum code_kind kind, const uint8_t *code, size_t len, uint64_t address, FILE *out)
{
    const bool words = kind == CODE_ARM64; /* little-endian, read from the left */

    fprintf(out, "  code at 0x%" PRIx64 ":%s", address, len == 0 ? " no memory there" : "");
    for (size_t i = 0; i < len; i++) {
        fprintf(out, "%s%02x", !words || i % 4 == 0 ? " " : "", code[words ? i ^ 3 : i]);
    }
    fputc('\n', out);
    if (len != 0) {
        disassemble(kind, code, len, address, out);
    }
}
