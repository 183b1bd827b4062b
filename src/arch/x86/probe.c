/*
 * Tiny guests that show what KVM can do: how fast it runs privileged code, and
 * whether it runs the instructions a Linux kernel cannot do without. (There are
 * KVMs that interpret privileged code in software, and not all of it.)
 *
 * Map of a probe: GDT 0x500, code 0x1000, IDT 0x5000, its pointer 0x5f00, a zeroed save
 * area 0x6000, stack below 0x8000, page tables 0x9000, reports to 0x20000.
 *
 * Source: Intel SDM volume 3A, 3.4.5, 4.5, 6.14 (descriptors, paging, 64-bit gates).
 * Locking: none.
 */
#include "src/arch/arch.h"
#include "src/base/le.h"
#include "src/boot/boot.h"

#include <cpuid.h>
#include <string.h>

#define GDT   0x500
#define CODE  0x1000
#define IDT   0x5000
#define IDTR  0x5f00
#define STACK 0x8000
#define PML4  0x9000

#define PTE_PRESENT_WRITE 3
#define PTE_LARGE         0x80

/* 50,000 rounds of two instructions. */
__asm__(".pushsection .rodata\n"
        "probe_speed_code:\n"
        "  .code16\n"
        "  mov $0x2000, %ax\n"
        "  mov %ax, %ds\n"
        "  movb $1, 0\n"
        "  mov $50000, %cx\n"
        "1: dec %cx\n"
        "  jnz 1b\n"
        "  movb $2, 0\n"
        "2: hlt\n"
        "  jmp 2b\n"
        "probe_speed_end:\n"
        "  .code64\n"
        "  .balign 8\n"
        "probe_speed_size: .quad probe_speed_end - probe_speed_code\n"
        ".popsection\n");

/* What a processor does not have (CPUID leaf 1, ECX) is passed over. */
__asm__(".pushsection .rodata\n"
        "probe_linux_code:\n"
        "  mov $0x20000, %edi\n"
        "  mov $0x6000, %esi\n"
        "  movb $1, (%rdi)\n"
        "  mov $1, %eax\n"
        "  cpuid\n"
        "  mov %ecx, %ebp\n"
        "  xor %eax, %eax\n"
        "  xor %ebx, %ebx\n"
        "  xor %ecx, %ecx\n"
        "  xor %edx, %edx\n"
        "  bt $13, %ebp\n"
        "  jnc 1f\n"
        "  cmpxchg16b (%rsi)\n"
        "1: movb $2, (%rdi)\n"
        "  bt $26, %ebp\n"
        "  jnc 2f\n"
        "  mov %cr4, %rax\n"
        "  or $0x40600, %eax\n" /* OSFXSR, OSXMMEXCPT, OSXSAVE */
        "  mov %rax, %cr4\n"
        "  xor %eax, %eax\n"
        "  xor %edx, %edx\n"
        "  xrstor (%rsi)\n"
        "2: movb $3, (%rdi)\n"
        "  lidt 0x5f00\n"
        "  int3\n"
        "  movb $4, (%rdi)\n"
        "3: hlt\n"
        "  jmp 3b\n"
        "probe_linux_handler:\n"
        "  iretq\n"
        "probe_linux_end:\n"
        "  .balign 8\n"
        "probe_linux_size: .quad probe_linux_end - probe_linux_code\n"
        "probe_linux_handler_at: .quad probe_linux_handler - probe_linux_code\n"
        ".popsection\n");

extern const uint8_t probe_speed_code[], probe_linux_code[];
extern const uint64_t probe_speed_size, probe_linux_size, probe_linux_handler_at;

static void load_speed(uint8_t *ram, struct boot_entry *entry)
{
    memcpy(ram + CODE, probe_speed_code, probe_speed_size);
    *entry = (struct boot_entry){.mode = BOOT_REAL16, .ip = CODE, .sp = STACK};
}

/* One page of 2 MiB maps all there is. */
static void load_page_tables(uint8_t *ram)
{
    put_le64(ram + PML4, (PML4 + 0x1000) | PTE_PRESENT_WRITE);
    put_le64(ram + PML4 + 0x1000, (PML4 + 0x2000) | PTE_PRESENT_WRITE);
    put_le64(ram + PML4 + 0x2000, PTE_PRESENT_WRITE | PTE_LARGE);
}

/* A 64-bit interrupt gate to the handler at vector 3. */
static void load_idt(uint8_t *ram)
{
    uint64_t handler = CODE + probe_linux_handler_at;
    put_le64(ram + IDT + 3 * 16, handler | 0x10ULL << 16 | 0x8e00ULL << 32);
    put_le16(ram + IDTR, 4 * 16 - 1);
    put_le64(ram + IDTR + 2, IDT);
}

static void load_linux(uint8_t *ram, struct boot_entry *entry)
{
    memcpy(ram + CODE, probe_linux_code, probe_linux_size);
    load_page_tables(ram);
    load_idt(ram);
    put_le64(ram + GDT + 0x10, 0x00af9b000000ffff); /* 64-bit code */
    put_le64(ram + GDT + 0x18, 0x00cf93000000ffff); /* data */
    *entry = (struct boot_entry){
        .mode = BOOT_LONG64,
        .ip = CODE,
        .sp = STACK,
        .cr3 = PML4,
        .gdt = GDT,
        .gdt_limit = 0x1f,
    };
}

const struct probe_guest arch_probe_speed = {.load = load_speed, .reports = 2};
const uint64_t arch_probe_instructions = 100000;

static const char *const linux_steps[] = {
    "start in long mode",
    "cmpxchg16b",
    "xrstor",
    "int3 and iretq",
};
const struct probe_guest arch_probe_linux = {
    .load = load_linux,
    .reports = 4,
    .steps = linux_steps,
};

void arch_host_hypervisor(char name[13])
{
    unsigned eax;
    unsigned regs[3];
    memset(name, 0, 13);
    if (__get_cpuid(1, &eax, &regs[0], &regs[1], &regs[2]) && (regs[1] >> 31) != 0) {
        __cpuid(0x40000000, eax, regs[0], regs[1], regs[2]);
        memcpy(name, regs, 12);
    }
}
