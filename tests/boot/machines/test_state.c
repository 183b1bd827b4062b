/*
 * A paused machine's memory, registers and console.
 */
#include "tests/boot/machines/machines.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

GUEST(count);
GUEST(echo);
GUEST(exit);

Test(state, registers)
{
    uint64_t value;
    struct vmm_error e;

    MACHINE(m, VMM_LONG64, 0x10000, count, "cpus=2");
    vmm_expect_reg(m, 0, "rip", 0x10000); /* before the first run */
    vmm_expect_reg(m, 0, "cs", 0x10);
    vmm_expect_reg(m, 0, "cr3", 0x9000);
    vmm_expect_exit(m, "IO write value 1");
    vmm_expect_reg(m, 0, "r15", 1);
    cr_assert(vmm_set_reg(m, 0, "r15", 2, &e) == 0);
    vmm_expect_exit(m, "IO write value 3");
    vmm_expect_stop(m, VMM_DEAD);
    vmm_expect_reg(m, 0, "r15", 3);
    vmm_expect_reg(m, 1, "rip", 0xfff0); /* it never started */

    cr_assert(vmm_reg(m, 0, "r16", &value, &e) == -ENOENT && strstr(e.hint, "r1") != NULL);
    cr_assert(vmm_reg(m, 2, "rax", &value, &e) == -ENOENT);
    cr_assert(vmm_set_reg(m, 0, "cs", 0, &e) == -EPERM);
    cr_assert(vmm_set_reg(m, 0, "", 0, NULL) == -ENOENT);
    vmm_free(m);
}

Test(state, registers_need_code)
{
    struct vmm *m = vmmtest_machine("memory=1M");
    uint64_t value;

    cr_assert(vmm_reg(m, 0, "rip", &value, NULL) == -EINVAL);
    vmm_free(m);
}

Test(state, memory)
{
    static const uint8_t three[8] = {3}, five[8] = {5};
    uint8_t got[8];

    MACHINE(m, VMM_LONG64, 0x10000, count, "machine=pc");
    vmm_expect_exit(m, "IO write value 2");
    cr_assert(vmm_read(m, 0x2000, got, 8, NULL) == 0 && got[0] == 2);
    cr_assert(vmm_write(m, 0x2000, "\4", 1, NULL) == 0);
    vmm_expect_stop(m, VMM_DEAD);
    vmm_expect_memory(m, 0x2000, five, 8);
    vmm_expect_memory(m, 0x10000, guest_count, GUEST_SIZE(count));
    cr_assert(vmmtest_memory_report(m, 0x2000, three, 8) != NULL);
    vmm_free(m);
}

Test(state, memory_that_is_not_there)
{
    uint8_t byte[2] = {0x5a, 0x5a};
    struct vmm_error e;

    MACHINE(m, VMM_REAL16, 0x7c00, exit, "device=edu");
    cr_assert(vmm_read(m, 0xfffff, byte, 1, &e) == 0);
    cr_assert(vmm_read(m, 0xfffff, byte, 2, &e) == -EFAULT && byte[1] == 0x5a);
    cr_assert(vmm_write(m, 0x100000, byte, 1, &e) == -EFAULT);
    cr_assert(vmm_read(m, 0xc0000000, byte, 1, &e) == -EFAULT, "registers are no memory");
    cr_assert(vmm_read(m, UINT64_MAX, byte, 2, &e) == -EFAULT);
    cr_assert(vmm_read(m, UINT64_MAX, byte, 0, &e) == 0);
    vmm_free(m);
}

/* --- snapshots ------------------------------------------------------------------------ */

/* Two machines from one file: they go on where it was made, each for itself. */
Test(state, snapshot)
{
    char file[] = "/tmp/vmm-machines-XXXXXX", load[64];
    struct vmm *twins[2];
    struct vmm_error e;

    close(mkstemp(file));
    snprintf(load, sizeof(load), "snapshot-load=%s", file);
    MACHINE(m, VMM_LONG64, 0x10000, count, "device=edu");
    vmm_expect_exit(m, "IO write value 1");
    cr_assert(vmm_save(m, file, &e) == 0, "%s", e.what);
    vmm_expect_exit(m, "IO write value 2"); /* it goes on, too */
    vmm_free(m);
    for (int i = 0; i < 2; i++) {
        twins[i] = vmmtest_machine(load);
        vmm_expect_reg(twins[i], 0, "r15", 1);
        vmm_expect_memory(twins[i], 0x2000, "\1\0\0\0\0\0\0\0", 8);
        cr_assert(vmm_load(twins[i], VMM_LONG64, 0x10000, "", 1, &e) == -EINVAL);
    }
    for (int i = 0; i < 2; i++) {
        vmm_expect_exits(twins[i], "IO write value 2", "IO write value 3");
        vmm_expect_stop(twins[i], VMM_DEAD);
        vmm_expect_memory(twins[i], 0x2000, "\3\0\0\0\0\0\0\0", 8);
        vmm_free(twins[i]);
    }
    unlink(file);
    cr_assert(vmm_new((const char *const[]){load, NULL}, &e) == NULL && e.status == 125);
}

Test(state, snapshot_of_nothing)
{
    struct vmm *m = vmmtest_machine("memory=1M");

    cr_assert(vmm_save(m, "/tmp/none", NULL) == -EINVAL);
    LOAD(m, VMM_LONG64, 0x10000, count);
    cr_assert(vmm_save(m, "/nonexistent/file", NULL) < 0);
    vmm_free(m);
}

/* --- console ------------------------------------------------------------------------ */

Test(console, echo)
{
    size_t len;

    MACHINE(m, VMM_REAL16, 0x7c00, echo, "machine=pc");
    cr_assert(vmm_console_send(m, "abc", 3, NULL) == 0);
    vmm_expect_console(m, "^abc$"); /* a line that is not complete */
    cr_assert(vmm_console_send(m, "de.", 3, NULL) == 0);
    vmm_expect_console(m, "e");
    vmm_expect_console(m, "^\\.");
    vmm_expect_stop(m, VMM_DEAD);
    cr_assert_str_eq(vmm_console(m, &len), "\n");
    cr_assert(len == 1);
    vmm_console_clear(m);
    cr_assert_str_eq(vmm_console(m, NULL), "");
    vmm_free(m);
}

Test(console, expectation_of_what_is_there)
{
    MACHINE(m, VMM_REAL16, 0x7c00, echo, "machine=pc");
    cr_assert(vmm_console_send(m, "one\ntwo\nthree\n.", 15, NULL) == 0);
    vmm_expect_stop(m, VMM_DEAD);
    vmm_expect_console(m, "^two$");
    vmm_expect_console(m, "^three$");
    cr_assert(vmmtest_console_report(m, "^one$") != NULL, "it is behind us");
    vmm_free(m);
}

Test(console, mistakes)
{
    static char much[(64 << 10) + 1];
    struct vmm_error e;

    MACHINE(m, VMM_REAL16, 0x7c00, echo, "machine=pc");
    cr_assert(vmm_run_to_console(m, "(", NULL, NULL, &e) == -EINVAL);
    cr_assert(strstr(e.what, "'('") != NULL, "%s", e.what);
    cr_assert(vmm_console_send(m, much, sizeof(much), &e) == -ENOSPC);
    cr_assert(vmm_console_send(m, much, sizeof(much) - 1, &e) == 0);
    cr_assert(vmm_console_send(m, much, 1, &e) == -ENOSPC);
    vmm_free(m);

    m = vmmtest_machine("memory=1M", "console=null");
    cr_assert(vmm_run_to_console(m, "a", NULL, NULL, &e) == -EINVAL);
    cr_assert(vmm_console_send(m, "a", 1, &e) == -EINVAL);
    cr_assert_str_eq(vmm_console(m, NULL), "");
    vmm_console_clear(m);
    vmm_free(m);
}
