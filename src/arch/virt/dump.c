/*
 * Registers and instruction bytes of a crashed vCPU, where KVM numbers registers.
 *
 * Locking: taken on the vCPU's thread, printed after that.
 */
#include "src/arch/virt/virt.h"
#include "src/mem/dma.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CODE_SIZE 16 /* bytes */

struct cpu_dump {
    uint64_t regs[VIRT_REGS_MAX]; /* of arch_regs */
    bool have_regs;               /* else KVM would not give them */
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

    assert(arch_reg_count <= VIRT_REGS_MAX);
    for (size_t i = 0; i < arch_reg_count && ok; i++) {
        ok = arch_reg_read(kvm, fd, arch_regs[i].id, &d->regs[i]) == 0;
    }
    return ok;
}

void cpu_dump_take(struct cpu_dump *d, struct kvm *kvm, int fd, const struct kvm_run *run,
                   struct aspace *mem)
{
    uint64_t gpa;

    (void)run;
    memset(d, 0, sizeof(*d));
    d->have_regs = take_registers(d, kvm, fd);
    if (d->have_regs && virt_cpu.find_code(d->regs, mem, &gpa) &&
        dma_read(mem, gpa, d->code, CODE_SIZE) == 0) {
        d->code_len = CODE_SIZE;
    }
}

/* Registers first to end - 1 of arch_regs, so many a line. */
static void print_regs(const struct cpu_dump *d, size_t first, size_t end, int width,
                       unsigned per_line, FILE *out)
{
    for (size_t i = first; i < end; i++) {
        const bool last = (i - first) % per_line == per_line - 1 || i == end - 1;
        fprintf(out, "  %-*s %016" PRIx64 "%s", width, arch_regs[i].name, d->regs[i],
                last ? "\n" : "");
    }
}

void cpu_dump_print(const struct cpu_dump *d, FILE *out)
{
    if (!d->have_regs) {
        fprintf(out, "  KVM does not give the registers\n");
        return;
    }
    print_regs(d, 0, virt_cpu.general, 9, 3, out);
    print_regs(d, virt_cpu.general, arch_reg_count, 3, 4, out);
    print_code(virt_cpu.code, d->code, d->code_len, d->regs[0], out);
}
