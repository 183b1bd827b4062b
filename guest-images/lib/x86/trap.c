/*
 * The interrupt descriptor table and what stands behind it.
 * Source: Intel SDM volume 3, sections 6.14 (gates) and 7.7 (TSS).
 */
#include "guest.h"
#include "internal.h"
#include "start.h"
#include "x86.h"

#define EXCEPTIONS      22
#define FIRST_INTERRUPT 32
#define GATE_INTERRUPT  0x8e00UL /* present, ring 0, interrupts go off */
#define TSS_AVAILABLE   0x89
#define OPCODE_HLT      0xf4

struct gate {
    uint64_t low, high;
};

struct tss {
    uint32_t reserved0;
    uint32_t rsp0[2];
    uint32_t unused[22];
    uint16_t reserved1;
    uint16_t io_map;              /* offset of: */
    uint8_t io_denied[65536 / 8]; /* a bit a port; all clear */
    uint8_t io_end;               /* all ones */
};

static struct gate idt[VECTOR_COUNT];
static trap_handler *handlers[VECTOR_COUNT];
static struct tss tss;

static void set_gate(unsigned vector)
{
    const uint64_t entry = (uintptr_t)trap_stubs + vector * TRAP_STUB_SIZE;
    idt[vector].low =
        (entry & 0xffff) | SELECTOR_CODE << 16 | GATE_INTERRUPT << 32 | (entry & 0xffff0000) << 32;
    idt[vector].high = entry >> 32;
}

static void load_tss(void)
{
    const uint64_t base = (uintptr_t)&tss;
    uint64_t *descriptor = &gdt[SELECTOR_TSS / 8];
    tss.io_map = offsetof(struct tss, io_denied);
    tss.io_end = 0xff;
    descriptor[0] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | (uint64_t)TSS_AVAILABLE << 40 |
                    (base >> 24 & 0xff) << 56;
    descriptor[1] = base >> 32;
    __asm__ volatile("ltr %w0" ::"r"(SELECTOR_TSS));
}

static void load_idt(void)
{
    const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = {sizeof(idt) - 1, (uintptr_t)idt};
    __asm__ volatile("lidt %0" ::"m"(pointer));
}

void traps_init(void)
{
    for (unsigned v = 0; v < EXCEPTIONS; v++) {
        set_gate(v);
    }
    load_tss();
    load_idt();
}

void trap_set(unsigned vector, trap_handler *handler)
{
    handlers[vector] = handler;
    set_gate(vector);
}

/*
 * STI holds interrupts back until the HLT after it sleeps, but an emulated CPU may let one in
 * between (QEMU's software SVM does, now and then). This is that one: nothing else would end the
 * HLT.
 */
static void wake_early(struct trap_frame *frame)
{
    if (frame->vector >= FIRST_INTERRUPT && frame->cs == SELECTOR_CODE &&
        *(const uint8_t *)frame->rip == OPCODE_HLT) {
        frame->rip++;
    }
}

void trap_dispatch(struct trap_frame *frame)
{
    trap_handler *handler = handlers[frame->vector];
    if (frame->rip == (uintptr_t)user_end) {
        user_return(frame->rax);
    }
    if (handler == NULL) {
        uint64_t address;
        __asm__ volatile("mov %%cr2, %0" : "=r"(address));
        print("unexpected exception %lu, error %lx, at %lx, cr2 %lx\n", frame->vector, frame->error,
              frame->rip, address);
        guest_exit(1);
    }
    wake_early(frame);
    handler(frame);
}

void tss_set_stack(uint64_t rsp0)
{
    tss.rsp0[0] = (uint32_t)rsp0;
    tss.rsp0[1] = (uint32_t)(rsp0 >> 32);
}
