/*
 * What is told of a crashed arm64 vCPU.
 */
#include "src/arch/arch.h"
#include "src/arch/arm64/regs.h"
#include "src/base/le.h"
#include "tests/unit/fake_kvm.h"
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fake_kvm f;
static struct fake_machine m;
static struct cpu_dump *dump;
static uint64_t pc;

/* Every register is its own number, but pc, and those without which addresses are physical. */
static int answer(struct fake_kvm *fake, int fd, unsigned long request, void *arg)
{
    const struct kvm_one_reg *reg = arg;
    uint64_t value;
    (void)fake;
    (void)fd;
    if (request != KVM_GET_ONE_REG) {
        return -ENOSYS;
    }
    value = reg->id == CORE_REG(regs.pc) ? pc : reg->id & 0xfff;
    if ((reg->id & KVM_REG_ARM_COPROC_MASK) == KVM_REG_ARM64_SYSREG) {
        value = 0;
    }
    memcpy((void *)(uintptr_t)reg->addr, &value, sizeof(value));
    return 0;
}

static void start(void)
{
    fake_kvm_init(&f);
    fake_machine_init(&m, 1);
    f.answer = answer;
    dump = cpu_dump_new();
    cr_assert_not_null(dump);
}

static void stop(void)
{
    cpu_dump_free(dump);
    fake_machine_free(&m);
}

TestSuite(arm64_dump, .init = start, .fini = stop);

static void expect_text(const char *text, bool wanted)
{
    char *out = NULL;
    size_t size;
    FILE *to = open_memstream(&out, &size);
    cpu_dump_print(dump, to);
    fclose(to);
    cr_expect_eq(strstr(out, text) != NULL, wanted, "%s in:\n%s", text, out);
    free(out);
}

Test(arm64_dump, registers_and_code)
{
    pc = 0x1000;
    put_le32(m.ram + 0x1000, 0xd503207f); /* wfi */
    put_le32(m.ram + 0x1004, 0x17ffffff); /* b to it */
    cpu_dump_take(dump, &f.kvm, 1, NULL, m.mem);
    expect_text("  pc        0000000000001000  sctlr_el1 0000000000000000", true);
    expect_text("  x0  0000000000000000  x1  0000000000000002", true);
    expect_text("  x30 000000000000003c\n", true);
    expect_text("  code at 0x1000: d503207f 17ffffff 00000000 00000000\n", true);
}

Test(arm64_dump, no_code_where_there_is_no_memory)
{
    static const uint64_t places[] = {0x100000, 0x100000 - 8, UINT64_MAX, UINT64_MAX - 15};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        pc = places[i];
        cpu_dump_take(dump, &f.kvm, 1, NULL, m.mem);
        expect_text(": no memory there\n", true);
        expect_text("disassembly", false);
    }
}

Test(arm64_dump, registers_that_kvm_does_not_give)
{
    f.answer = NULL;
    f.fail_request = KVM_GET_ONE_REG;
    f.fail_code = -ENOENT;
    cpu_dump_take(dump, &f.kvm, 1, NULL, m.mem);
    expect_text("  KVM does not give the registers\n", true);
    expect_text("code at", false);
}
