/*
 * Registers and instruction bytes of a crashed vCPU.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, 4.68 KVM_SET_ONE_REG (register numbers); Arm
 * DDI 0487 for the system registers.
 * Locking: taken on the vCPU's thread, printed after that.
 */
#include "src/arch/arch.h"
#include "src/arch/arm64/regs.h"
#include "src/arch/arm64/walk.h"
#include "src/kvm/disassemble.h"
#include "src/mem/dma.h"

#include <inttypes.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#define CODE_SIZE 16 /* four instructions */

/* Those that say where the code is come first. */
enum { PC, SCTLR, TCR, TTBR0, TTBR1, NAMED = 13 };
static const struct {
    const char *name;
    uint64_t id;
} named[NAMED] = {
    [PC] = {"pc", CORE_REG(regs.pc)},
    [SCTLR] = {"sctlr_el1", ARM64_SYS_REG(3, 0, 1, 0, 0)},
    [TCR] = {"tcr_el1", ARM64_SYS_REG(3, 0, 2, 0, 2)},
    [TTBR0] = {"ttbr0_el1", ARM64_SYS_REG(3, 0, 2, 0, 0)},
    [TTBR1] = {"ttbr1_el1", ARM64_SYS_REG(3, 0, 2, 0, 1)},
    {"pstate", CORE_REG(regs.pstate)},
    {"sp_el0", CORE_REG(regs.sp)},
    {"sp_el1", CORE_REG(sp_el1)},
    {"elr_el1", CORE_REG(elr_el1)},
    {"spsr_el1", CORE_REG(spsr[0])},
    {"esr_el1", ARM64_SYS_REG(3, 0, 5, 2, 0)},
    {"far_el1", ARM64_SYS_REG(3, 0, 6, 0, 0)},
    {"vbar_el1", ARM64_SYS_REG(3, 0, 12, 0, 0)},
};

struct cpu_dump {
    uint64_t x[31];
    uint64_t named[NAMED];
    bool have_regs; /* else KVM would not give them */
    uint8_t code[CODE_SIZE];
    size_t code_len; /* 0: they could not be had */
};

struct cpu_dump *cpu_dump_new(void)
{
    return calloc(1, sizeof(struct cpu_dump));
}

void cpu_dump_free(struct cpu_dump *d)
{
    free(d);
}

static bool take_registers(struct cpu_dump *d, struct kvm *kvm, int fd)
{
    bool ok = true;
    for (unsigned i = 0; i < 31 && ok; i++) {
        ok = kvm_get_reg(kvm, fd, CORE_REG(regs.regs[0]) + 2 * i, &d->x[i]) == 0;
    }
    for (unsigned i = 0; i < NAMED && ok; i++) {
        ok = kvm_get_reg(kvm, fd, named[i].id, &d->named[i]) == 0;
    }
    return ok;
}

void cpu_dump_take(struct cpu_dump *d, struct kvm *kvm, int fd, const struct kvm_run *run,
                   struct aspace *mem)
{
    (void)run;
    memset(d, 0, sizeof(*d));
    d->have_regs = take_registers(d, kvm, fd);
    const struct walk_regs walk = {.sctlr = d->named[SCTLR],
                                   .tcr = d->named[TCR],
                                   .ttbr0 = d->named[TTBR0],
                                   .ttbr1 = d->named[TTBR1]};
    uint64_t gpa;
    if (d->have_regs && walk_translate(&walk, mem, d->named[PC], &gpa) &&
        dma_read(mem, gpa, d->code, CODE_SIZE) == 0) {
        d->code_len = CODE_SIZE;
    }
}

/* --- printing --------------------------------------------------------- */

void cpu_dump_print(const struct cpu_dump *d, FILE *out)
{
    if (!d->have_regs) {
        fprintf(out, "  KVM does not give the registers\n");
        return;
    }
    for (unsigned i = 0; i < NAMED; i++) {
        fprintf(out, "  %-9s %016" PRIx64 "%s", named[i].name, d->named[i],
                i % 3 == 2 || i == NAMED - 1 ? "\n" : "");
    }
    for (unsigned i = 0; i < 31; i++) {
        fprintf(out, "  x%-2u %016" PRIx64 "%s", i, d->x[i], i % 4 == 3 || i == 30 ? "\n" : "");
    }
    print_code(CODE_ARM64, d->code, d->code_len, d->named[PC], out);
}
