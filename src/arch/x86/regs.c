/*
 * Registers after power-on and at a kernel's entry.
 *
 * Source: see regs.h; Intel SDM volume 3A, 10.4.7 for the local APIC, 10.1 for
 * virtual-wire mode.
 * Locking: none.
 */
#include "src/arch/x86/regs.h"

#include "src/arch/x86/map.h"
#include "src/boot/boot.h"

#include <string.h>

#define RFLAGS_FIXED 0x2ULL

#define CR0_PE (1ULL << 0)
#define CR0_MP (1ULL << 1)
#define CR0_ET (1ULL << 4)
#define CR0_NE (1ULL << 5)
#define CR0_WP (1ULL << 16)
#define CR0_PG (1ULL << 31)

#define CR4_PAE (1ULL << 5)

#define EFER_LME (1ULL << 8)
#define EFER_LMA (1ULL << 10)

#define APIC_BASE_BSP    (1ULL << 8)
#define APIC_BASE_ENABLE (1ULL << 11)

#define SEL_CODE 0x10
#define SEL_DATA 0x18
#define SEL_TSS  0x20

/* Attribute words as in bytes 5 and 6 of a descriptor. */
#define ATTR_CODE16 0x009b
#define ATTR_DATA16 0x0093
#define ATTR_CODE32 0xc09b
#define ATTR_CODE64 0xa09b
#define ATTR_DATA32 0xc093
#define ATTR_TSS    0x008b
#define ATTR_LDT    0x0082

static struct kvm_segment segment(uint16_t selector, uint32_t limit, uint16_t attr)
{
    return (struct kvm_segment){
        .selector = selector,
        .limit = limit,
        .type = attr & 0xf,
        .s = (attr >> 4) & 1,
        .dpl = (attr >> 5) & 3,
        .present = (attr >> 7) & 1,
        .avl = (attr >> 12) & 1,
        .l = (attr >> 13) & 1,
        .db = (attr >> 14) & 1,
        .g = (attr >> 15) & 1,
    };
}

void regs_start(struct kvm_regs *r, const struct boot_entry *entry)
{
    *r = (struct kvm_regs){.rflags = RFLAGS_FIXED, .rip = 0xfff0};
    if (entry != NULL) {
        r->rip = entry->ip;
        r->rsp = entry->sp;
        r->rax = entry->ax;
        r->rbx = entry->bx;
        r->rsi = entry->si;
    }
}

static void set_segments(struct kvm_sregs *s, struct kvm_segment code, struct kvm_segment data)
{
    s->cs = code;
    s->ds = s->es = s->fs = s->gs = s->ss = data;
}

static void set_flat(struct kvm_sregs *s, const struct boot_entry *entry, uint16_t code)
{
    set_segments(s, segment(SEL_CODE, UINT32_MAX, code),
                 segment(SEL_DATA, UINT32_MAX, ATTR_DATA32));
    s->tr = segment(SEL_TSS, 0x67, ATTR_TSS);
    s->gdt.base = entry->gdt;
    s->gdt.limit = entry->gdt_limit;
    s->idt.limit = 0; /* no handlers: an exception before the kernel's own IDT is fatal */
}

/* Real mode at cs:ip, or at the reset vector. */
static void set_real(struct kvm_sregs *s, const struct boot_entry *entry)
{
    set_segments(s, segment(0, 0xffff, ATTR_CODE16), segment(0, 0xffff, ATTR_DATA16));
    s->tr = segment(0, 0xffff, ATTR_TSS);
    s->gdt.limit = 0xffff;
    s->idt.limit = entry != NULL ? 0x3ff : 0xffff;
    s->cs.selector = entry != NULL ? entry->cs : 0xf000;
    s->cs.base = entry != NULL ? (uint32_t)entry->cs << 4 : 0xffff0000;
}

void sregs_start(struct kvm_sregs *s, const struct boot_entry *entry, unsigned index)
{
    *s = (struct kvm_sregs){
        .cr0 = CR0_ET,
        .ldt = segment(0, 0xffff, ATTR_LDT),
        .apic_base = PC_LAPIC_GPA | APIC_BASE_ENABLE | (index == 0 ? APIC_BASE_BSP : 0),
    };
    enum boot_mode mode = entry != NULL ? entry->mode : BOOT_REAL16;
    switch (mode) {
    case BOOT_EL1: /* never of this architecture */
    case BOOT_REAL16:
        set_real(s, entry);
        break;
    case BOOT_PROT32:
        set_flat(s, entry, ATTR_CODE32);
        s->cr0 |= CR0_PE;
        break;
    case BOOT_LONG64:
        set_flat(s, entry, ATTR_CODE64);
        s->cr0 |= CR0_PE | CR0_MP | CR0_NE | CR0_WP | CR0_PG;
        s->cr4 = CR4_PAE;
        s->cr3 = entry->cr3;
        s->efer = EFER_LME | EFER_LMA;
        break;
    }
}

/* --- local APIC ------------------------------------------------------- */

#define LAPIC_ID        0x020
#define LAPIC_VERSION   0x030
#define LAPIC_DFR       0x0e0
#define LAPIC_SPIV      0x0f0
#define LAPIC_LVT_CMCI  0x2f0
#define LAPIC_LVT_TIMER 0x320
#define LAPIC_LVT_LINT0 0x350
#define LAPIC_LVT_LINT1 0x360
#define LAPIC_LVT_ERROR 0x370

#define LVT_MASKED (1U << 16)
#define LVT_EXTINT 0x700U
#define LVT_NMI    0x400U

static void lapic_set(struct kvm_lapic_state *l, unsigned offset, uint32_t value)
{
    memcpy(&l->regs[offset], &value, sizeof(value));
}

void lapic_start(struct kvm_lapic_state *l, unsigned index, uint32_t version)
{
    memset(l, 0, sizeof(*l));
    lapic_set(l, LAPIC_ID, index << 24);
    lapic_set(l, LAPIC_VERSION, version);
    lapic_set(l, LAPIC_DFR, UINT32_MAX);
    lapic_set(l, LAPIC_SPIV, 0xff);
    lapic_set(l, LAPIC_LVT_CMCI, LVT_MASKED);
    for (unsigned lvt = LAPIC_LVT_TIMER; lvt <= LAPIC_LVT_ERROR; lvt += 0x10) {
        lapic_set(l, lvt, LVT_MASKED);
    }
    if (index == 0) { /* the 8259s and NMI reach the boot processor before any set-up */
        lapic_set(l, LAPIC_LVT_LINT0, LVT_EXTINT);
        lapic_set(l, LAPIC_LVT_LINT1, LVT_NMI);
    }
}
