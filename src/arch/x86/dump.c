/*
 * Registers and instruction bytes of a crashed vCPU.
 *
 * Source: Linux Documentation/virt/kvm/api.rst (KVM_TRANSLATE, emulation_failure
 * in kvm_run); Intel SDM volume 3A, 3.4.5 for the meaning of L and D.
 * Locking: see dump.h.
 */
#include "src/arch/x86/dump.h"

#include "src/kvm/disassemble.h"
#include "src/mem/dma.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096ULL

#define CR0_PE   (1ULL << 0)
#define EFER_LMA (1ULL << 10)

struct cpu_dump *cpu_dump_new(void)
{
    return calloc(1, sizeof(struct cpu_dump));
}

void cpu_dump_free(struct cpu_dump *d)
{
    free(d);
}

unsigned dump_code_bits(const struct kvm_sregs *s)
{
    if ((s->efer & EFER_LMA) != 0 && s->cs.l) {
        return 64;
    }
    return s->cs.db ? 32 : 16;
}

uint64_t dump_linear_ip(const struct cpu_dump *d)
{
    switch (dump_code_bits(&d->sregs)) {
    case 64:
        return d->regs.rip;
    case 32:
        return (uint32_t)(d->sregs.cs.base + d->regs.rip);
    default:
        return (uint32_t)(d->sregs.cs.base + (uint16_t)d->regs.rip);
    }
}

/* --- taking ----------------------------------------------------------- */

/* The bytes KVM's emulator was at, if it says so. */
static bool take_emulated(struct cpu_dump *d, const struct kvm_run *run)
{
    if (run->exit_reason != KVM_EXIT_INTERNAL_ERROR ||
        run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION ||
        run->emulation_failure.ndata < 1 ||
        (run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) == 0) {
        return false;
    }
    unsigned size = run->emulation_failure.insn_size;
    unsigned most = sizeof(run->emulation_failure.insn_bytes);
    d->code_len = size < most ? size : most;
    memcpy(d->code, run->emulation_failure.insn_bytes, d->code_len);
    return d->code_len != 0;
}

/* Up to a page's end from one linear address; how many bytes were read. */
static unsigned take_from_page(struct cpu_dump *d, struct kvm *kvm, int fd, struct aspace *mem,
                               uint64_t linear)
{
    struct kvm_translation t = {.linear_address = linear};
    uint64_t room = PAGE - linear % PAGE;
    unsigned want = DUMP_CODE_MAX - d->code_len;
    unsigned len = want < room ? want : (unsigned)room;
    if (kvm_ioctl(kvm, fd, KVM_TRANSLATE, &t) < 0 || !t.valid ||
        dma_read(mem, t.physical_address, d->code + d->code_len, len) < 0) {
        return 0;
    }
    return len;
}

static void take_from_memory(struct cpu_dump *d, struct kvm *kvm, int fd, struct aspace *mem)
{
    unsigned got;
    do {
        got = take_from_page(d, kvm, fd, mem, dump_linear_ip(d) + d->code_len);
        d->code_len += got;
    } while (got != 0 && d->code_len < DUMP_CODE_MAX);
}

void cpu_dump_take(struct cpu_dump *d, struct kvm *kvm, int fd, const struct kvm_run *run,
                   struct aspace *mem)
{
    memset(d, 0, sizeof(*d));
    d->have_regs = kvm_ioctl(kvm, fd, KVM_GET_REGS, &d->regs) == 0 &&
                   kvm_ioctl(kvm, fd, KVM_GET_SREGS, &d->sregs) == 0;
    if (d->have_regs && !take_emulated(d, run)) {
        take_from_memory(d, kvm, fd, mem);
    }
}

/* --- printing --------------------------------------------------------- */

static const char *mode_name(const struct kvm_sregs *s)
{
    if ((s->cr0 & CR0_PE) == 0) {
        return "real mode";
    }
    if ((s->efer & EFER_LMA) != 0) {
        return s->cs.l ? "long mode" : "compatibility mode";
    }
    return "protected mode";
}

static void print_general(const struct kvm_regs *r, FILE *out)
{
    const struct {
        const char *name;
        uint64_t value;
    } regs[] = {
        {"rax", r->rax}, {"rbx", r->rbx}, {"rcx", r->rcx}, {"rdx", r->rdx},
        {"rsi", r->rsi}, {"rdi", r->rdi}, {"rbp", r->rbp}, {"rsp", r->rsp},
        {"r8 ", r->r8},  {"r9 ", r->r9},  {"r10", r->r10}, {"r11", r->r11},
        {"r12", r->r12}, {"r13", r->r13}, {"r14", r->r14}, {"r15", r->r15},
    };
    for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
        fprintf(out, "%s%s %016" PRIx64 "%s", i % 4 == 0 ? "  " : " ", regs[i].name, regs[i].value,
                i % 4 == 3 ? "\n" : "");
    }
}

static void print_segment(const char *name, const struct kvm_segment *s, FILE *out)
{
    fprintf(out, "  %-3s %04x base %016" PRIx64 " limit %08x type %x dpl %u%s\n", name, s->selector,
            (uint64_t)s->base, s->limit, s->type, s->dpl,
            s->unusable   ? " unusable"
            : !s->present ? " not present"
                          : "");
}

static void print_system(const struct kvm_sregs *s, FILE *out)
{
    print_segment("cs", &s->cs, out);
    print_segment("ds", &s->ds, out);
    print_segment("es", &s->es, out);
    print_segment("fs", &s->fs, out);
    print_segment("gs", &s->gs, out);
    print_segment("ss", &s->ss, out);
    print_segment("tr", &s->tr, out);
    print_segment("ldt", &s->ldt, out);
    fprintf(out, "  gdt base %016" PRIx64 " limit %04x  idt base %016" PRIx64 " limit %04x\n",
            (uint64_t)s->gdt.base, s->gdt.limit, (uint64_t)s->idt.base, s->idt.limit);
    fprintf(out,
            "  cr0 %08" PRIx64 " cr2 %016" PRIx64 " cr3 %016" PRIx64 " cr4 %08" PRIx64
            " efer %04" PRIx64 "\n",
            (uint64_t)s->cr0, (uint64_t)s->cr2, (uint64_t)s->cr3, (uint64_t)s->cr4,
            (uint64_t)s->efer);
}

static enum code_kind code_kind(const struct kvm_sregs *s)
{
    const unsigned bits = dump_code_bits(s);
    return bits == 64 ? CODE_X86_64 : bits == 32 ? CODE_X86_32 : CODE_X86_16;
}

void cpu_dump_print(const struct cpu_dump *d, FILE *out)
{
    if (!d->have_regs) {
        fprintf(out, "  KVM does not give the registers\n");
        return;
    }
    fprintf(out, "  rip %016" PRIx64 " rflags %08" PRIx64 "  %s, %u-bit code\n",
            (uint64_t)d->regs.rip, (uint64_t)d->regs.rflags, mode_name(&d->sregs),
            dump_code_bits(&d->sregs));
    if (d->regs.rip == 0xfff0 && d->sregs.cs.base == 0xffff0000) {
        fprintf(out, "  (these are the values of a reset: the fault has wiped out the others)\n");
    }
    print_general(&d->regs, out);
    print_system(&d->sregs, out);
    print_code(code_kind(&d->sregs), d->code, d->code_len, dump_linear_ip(d), out);
}
