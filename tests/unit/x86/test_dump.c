/*
 * Crash dumps: which bytes are shown, in which mode, and the text.
 */
#include "tests/unit/fake_kvm.h"
#include "tests/unit/fake_mem.h"

#include "src/arch/x86/dump.h"
#include "src/kvm/vcpu.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

static struct fake_kvm f;
static struct topology *topo;
static struct region root;
static struct fake_ram ram;
static struct aspace *mem;
static struct cpu_dump *dump;
static struct kvm_run run;
static struct kvm_regs regs;
static struct kvm_sregs sregs;
static uint64_t unmapped; /* linear addresses from here on are not translated */

/* Linear 0x10000 + x is physical x. */
static int translate(struct kvm_translation *t)
{
    t->valid = t->linear_address >= 0x10000 && t->linear_address < unmapped;
    t->physical_address = t->linear_address - 0x10000;
    return 0;
}

static int answer(struct fake_kvm *fake, int fd, unsigned long request, void *arg)
{
    (void)fake;
    (void)fd;
    switch (request) {
    case KVM_GET_REGS:
        memcpy(arg, &regs, sizeof(regs));
        return 0;
    case KVM_GET_SREGS:
        memcpy(arg, &sregs, sizeof(sregs));
        return 0;
    case KVM_TRANSLATE:
        return translate(arg);
    default:
        return -ENOSYS;
    }
}

static void setup(void)
{
    fake_kvm_init(&f);
    f.answer = answer;
    topo = topology_new();
    region_init_container(&root, topo, "memory", REGION_ALL);
    fake_ram_init(&ram, topo, REGION_RAM, "ram", 0x2000);
    region_add(&root, 0, &ram.region, 0);
    mem = aspace_new(topo, "memory", &root);
    dump = cpu_dump_new();
    cr_assert(mem != NULL && dump != NULL);
    for (unsigned i = 0; i < 0x2000; i++) {
        ram.host[i] = 0x90; /* nop */
    }
    run = (struct kvm_run){.exit_reason = KVM_EXIT_SHUTDOWN};
    regs = (struct kvm_regs){.rip = 0x10100, .rax = 0x1122334455667788, .rflags = 2};
    sregs = (struct kvm_sregs){.cr0 = 0x80000011, .efer = 0x500, .cs.l = 1, .cs.present = 1};
    unmapped = UINT64_MAX;
}

static void teardown(void)
{
    cpu_dump_free(dump);
    fake_ram_fini(&ram);
    aspace_free(mem);
    region_fini(&root);
    topology_free(topo);
}

TestSuite(dump, .init = setup, .fini = teardown);

static void take(void)
{
    cpu_dump_take(dump, &f.kvm, 3, &run, mem);
}

/* The dump as text; freed by the next call. */
static const char *text(void)
{
    static char *buffer;
    size_t size;
    free(buffer);
    FILE *out = open_memstream(&buffer, &size);
    cr_assert_not_null(out);
    cpu_dump_print(dump, out);
    fclose(out);
    return buffer;
}

#define assert_says(words) cr_assert_not_null(strstr(text(), words), "%s", text())

Test(dump, bytes_come_through_the_guests_page_tables)
{
    memcpy(ram.host + 0x100, "\x0f\x0b\xf4", 3);
    take();
    cr_assert_eq(dump->code_len, DUMP_CODE_MAX);
    assert_says("code at 0x10100: 0f 0b f4 90");
    assert_says("long mode, 64-bit code");
    assert_says("rax 1122334455667788");
}

Test(dump, bytes_end_where_translation_ends)
{
    regs.rip = 0x10ffd;
    unmapped = 0x11000;
    take();
    cr_assert_eq(dump->code_len, 3);
}

Test(dump, bytes_go_on_over_a_page_boundary)
{
    regs.rip = 0x10ffd;
    ram.host[0x1000] = 0xf4;
    take();
    cr_assert_eq(dump->code_len, DUMP_CODE_MAX);
    cr_assert_eq(dump->code[3], 0xf4);
}

Test(dump, an_instruction_pointer_into_nothing_is_said)
{
    regs.rip = 0x90000;
    take();
    cr_assert_eq(dump->code_len, 0);
    assert_says("code at 0x90000: no memory there");
}

Test(dump, the_emulators_own_bytes_come_first)
{
    run.exit_reason = KVM_EXIT_INTERNAL_ERROR;
    run.internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
    run.emulation_failure.ndata = 4;
    run.emulation_failure.flags = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
    run.emulation_failure.insn_size = 2;
    memcpy(run.emulation_failure.insn_bytes, "\x0f\x0b", 2);
    take();
    cr_assert_eq(dump->code_len, 2);
    run.emulation_failure.insn_size = 255;
    take();
    cr_assert_eq(dump->code_len, 15);
    run.emulation_failure.ndata = 0;
    take();
    cr_assert_eq(dump->code[0], 0x90);
}

Test(dump, real_mode_adds_the_segment_and_wraps_at_64_kib)
{
    sregs = (struct kvm_sregs){.cr0 = 0x10, .cs = {.base = 0x10000, .selector = 0x1000}};
    regs.rip = 0xfff00000100;
    take();
    cr_assert_eq(dump_linear_ip(dump), 0x10100);
    cr_assert_eq(dump_code_bits(&dump->sregs), 16);
    assert_says("real mode, 16-bit code");
    assert_says("cs  1000 base 0000000000010000");
}

Test(dump, protected_and_compatibility_mode)
{
    sregs = (struct kvm_sregs){.cr0 = 0x11, .cs = {.db = 1, .base = 0x10000}};
    regs.rip = 0x100;
    take();
    cr_assert_eq(dump_linear_ip(dump), 0x10100);
    assert_says("protected mode, 32-bit code");
    sregs.efer = 0x500;
    take();
    assert_says("compatibility mode, 32-bit code");
    sregs.cs.db = 0;
    take();
    assert_says("compatibility mode, 16-bit code");
}

Test(dump, code_is_disassembled_in_its_mode_or_the_lack_explained)
{
    memcpy(ram.host + 0x100, "\x48\x0f\xc7\x0e\x0f\x0b", 6);
    take();
    if (strstr(text(), "disassembly:") == NULL) {
        assert_says("=> 0x10100: cmpxchg16b");
        assert_says("ud2");
    } else {
        assert_says("capstone");
    }
}

Test(dump, a_reset_after_the_fault_is_said)
{
    regs.rip = 0xfff0;
    sregs = (struct kvm_sregs){.cr0 = 0x10, .cs = {.base = 0xffff0000, .selector = 0xf000}};
    take();
    assert_says("values of a reset");
}

Test(dump, registers_kvm_does_not_give_are_not_made_up)
{
    f.answer = NULL;
    f.fail_request = KVM_GET_REGS;
    f.fail_code = -EIO;
    take();
    cr_assert_str_eq(text(), "  KVM does not give the registers\n");
}

Test(dump, a_crash_names_the_vcpu_and_the_reason)
{
    char buffer[4096] = "";
    struct crash c = {.vcpu = 3, .reason = "triple fault", .dump = dump};
    take();
    FILE *out = fmemopen(buffer, sizeof(buffer), "w");
    crash_print(&c, out);
    fclose(out);
    cr_assert_eq(strncmp(buffer, "vmm: error: vCPU 3: triple fault\n  rip ", 39), 0);
}
