/*
 * Tiny guests that show what KVM can do: how fast it runs privileged code, and
 * whether it runs what a Linux kernel cannot do without.
 *
 * Map of a probe: code 0x1000, exception vectors 0x5000, page table 0x9000, reports to 0x20000.
 *
 * Source: Arm DDI 0487, D1.10 (vectors), D8 (translation); DEN 0022 (PSCI).
 * Locking: none.
 */
#include "src/arch/arch.h"
#include "src/base/le.h"
#include "src/boot/boot.h"

#include <stdio.h>
#include <string.h>

#define CODE       0x1000
#define VECTORS    0x5000
#define PAGE_TABLE 0x9000

/* 50,000 rounds of two instructions. */
__asm__(".pushsection .rodata\n"
        ".balign 8\n"
        "probe_speed_code:\n"
        "  mov x1, #0x20000\n"
        "  mov w0, #1; strb w0, [x1]\n"
        "  mov w2, #50000\n"
        "1: subs w2, w2, #1; b.ne 1b\n"
        "  mov w0, #2; strb w0, [x1]\n"
        "2: wfi; b 2b\n"
        "probe_speed_end:\n"
        ".balign 8\n"
        "probe_speed_size: .quad probe_speed_end - probe_speed_code\n"
        ".popsection\n");

__asm__(".pushsection .rodata\n"
        ".balign 8\n"
        "probe_linux_code:\n"
        "  mov x1, #0x20000\n"
        "  mrs x0, CurrentEL; lsr x0, x0, #2\n" /* 1 at EL1 */
        "  strb w0, [x1]\n"
        "  mov x0, #0xff; msr mair_el1, x0\n" /* attribute 0: normal memory, write-back */
        "  mov x0, #25; movk x0, #0x80, lsl #16; msr tcr_el1, x0\n" /* 39 bits, no upper half */
        "  mov x0, #0x9000; msr ttbr0_el1, x0; isb\n"
        "  mrs x0, sctlr_el1; orr x0, x0, #1; msr sctlr_el1, x0; isb\n"
        "  mov w0, #2; strb w0, [x1]\n"
        "  mov x0, #0x5000; msr vbar_el1, x0; isb\n"
        "  svc #0\n"
        "  mov w0, #3; strb w0, [x1]\n"
        "  mov w0, #0x84000000; hvc #0\n" /* PSCI_VERSION */
        "  tbnz w0, #31, 1f\n"            /* an error */
        "  mov x1, #0x20000; mov w0, #4; strb w0, [x1]\n"
        "1: wfi; b 1b\n"
        "probe_linux_end:\n"
        ".balign 8\n"
        "probe_linux_size: .quad probe_linux_end - probe_linux_code\n"
        ".popsection\n");

/* Hidden, so that no linker looks for them outside. */
#define IN_ASM extern __attribute__((visibility("hidden")))
IN_ASM const uint8_t probe_speed_code[], probe_linux_code[];
IN_ASM const uint64_t probe_speed_size, probe_linux_size;

static void load_speed(uint8_t *ram, struct boot_entry *entry)
{
    memcpy(ram + CODE, probe_speed_code, probe_speed_size);
    *entry = (struct boot_entry){.ip = CODE};
}

static void load_linux(uint8_t *ram, struct boot_entry *entry)
{
    memcpy(ram + CODE, probe_linux_code, probe_linux_size);
    put_le32(ram + VECTORS + 0x200, 0xd69f03e0); /* synchronous, from EL1: eret */
    put_le64(ram + PAGE_TABLE, 0x701);           /* the first GiB: accessed, shareable, a block */
    *entry = (struct boot_entry){.ip = CODE};
}

const struct probe_guest arch_probe_speed = {.load = load_speed, .reports = 2};
const uint64_t arch_probe_instructions = 100000;

static const char *const linux_steps[] = {
    "start at EL1",
    "address translation",
    "svc and eret",
    "PSCI by hvc",
};
const struct probe_guest arch_probe_linux = {
    .load = load_linux,
    .reports = 4,
    .steps = linux_steps,
};

/* No register tells; the device tree of most virtual machines does. */
void arch_host_hypervisor(char name[13])
{
    char text[32] = "";
    FILE *f = fopen("/sys/firmware/devicetree/base/compatible", "re");
    memset(name, 0, 13);
    if (f != NULL) {
        if (fgets(text, sizeof(text), f) != NULL && strcmp(text, "linux,dummy-virt") == 0) {
            memcpy(name, "virt", 4);
        }
        fclose(f);
    }
}
