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
GUEST(flood);

Test(state, registers_need_code)
{
    struct vmm *m = vmmtest_machine("memory=1M");
    uint64_t value;

    cr_assert(vmm_reg(m, 0, REG_PC, &value, NULL) == -EINVAL);
    vmm_free(m);
}

Test(state, memory)
{
    static const uint8_t three[8] = {3}, five[8] = {5};
    uint8_t got[8];

    MACHINE(m, MODE, CODE, count, "cpus=1");
    vmm_expect_exit(m, "write value 2");
    cr_assert(vmm_read(m, DATA, got, 8, NULL) == 0 && got[0] == 2);
    cr_assert(vmm_write(m, DATA, "\4", 1, NULL) == 0);
    vmm_expect_stop(m, VMM_DEAD);
    vmm_expect_memory(m, DATA, five, 8);
    vmm_expect_memory(m, CODE, guest_count, GUEST_SIZE(count));
    cr_assert(vmmtest_memory_report(m, DATA, three, 8) != NULL);
    vmm_free(m);
}

Test(state, memory_that_is_not_there)
{
    uint8_t byte[2] = {0x5a, 0x5a};
    struct vmm_error e;

    MACHINE(m, MODE, CODE, exit, EDU ",bus=mmio");
    cr_assert(vmm_read(m, RAM + 0xfffff, byte, 1, &e) == 0);
    cr_assert(vmm_read(m, RAM + 0xfffff, byte, 2, &e) == -EFAULT && byte[1] == 0x5a);
    cr_assert(vmm_write(m, RAM + 0x100000, byte, 1, &e) == -EFAULT);
    cr_assert(vmm_read(m, EDU_GPA, byte, 1, &e) == -EFAULT, "registers are no memory");
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
    MACHINE(m, MODE, CODE, count, EDU);
    vmm_expect_exit(m, "write value 1");
    cr_assert(vmm_save(m, file, &e) == 0, "%s", e.what);
    vmm_expect_exit(m, "write value 2"); /* it goes on, too */
    vmm_free(m);
    for (int i = 0; i < 2; i++) {
        twins[i] = vmmtest_machine(load);
        vmm_expect_reg(twins[i], 0, REG_COUNT, 1);
        vmm_expect_memory(twins[i], DATA, "\1\0\0\0\0\0\0\0", 8);
        cr_assert(vmm_load(twins[i], MODE, CODE, "", 1, &e) == -EINVAL);
    }
    for (int i = 0; i < 2; i++) {
        vmm_expect_exits(twins[i], "write value 2", "write value 3");
        vmm_expect_stop(twins[i], VMM_DEAD);
        vmm_expect_memory(twins[i], DATA, "\3\0\0\0\0\0\0\0", 8);
        vmm_free(twins[i]);
    }
    unlink(file);
    cr_assert(vmm_new((const char *const[]){load, NULL}, &e) == NULL && e.status == 125);
}

Test(state, snapshot_of_nothing)
{
    struct vmm *m = vmmtest_machine("memory=1M");

    cr_assert(vmm_save(m, "/tmp/none", NULL) == -EINVAL);
    LOAD(m, MODE, CODE, count);
    cr_assert(vmm_save(m, "/nonexistent/file", NULL) < 0);
    vmm_free(m);
}

/* --- console ------------------------------------------------------------------------ */

Test(console, echo)
{
    size_t len;

    MACHINE(m, MODE, CODE, echo, "cpus=1");
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
    MACHINE(m, MODE, CODE, echo, "cpus=1");
    cr_assert(vmm_console_send(m, "one\ntwo\nthree\n.", 15, NULL) == 0);
    vmm_expect_stop(m, VMM_DEAD);
    vmm_expect_console(m, "^two$");
    vmm_expect_console(m, "^three$");
    cr_assert(vmmtest_console_report(m, "^one$") != NULL, "it is behind us");
    vmm_free(m);
}

/* A guest that prints no newline has no line that grows with all it prints. */
Test(console, line_without_end)
{
    const struct vmm_limits limits = {.events = 10000};
    struct vmm_stop stop;

    MACHINE(m, MODE, CODE, flood, "cpus=1");
    cr_assert(vmm_set_reg(m, 0, REG_VALUE, 'x', NULL) == 0);
    cr_assert(vmm_run_to_console(m, "^x{4097}", &limits, &stop, NULL) == 0);
    cr_assert(stop.why == VMM_EVENTS, "%s", stop.text);
    cr_assert(vmm_run_to_console(m, "^x{4096}$", &limits, &stop, NULL) == 0);
    cr_assert(stop.why == VMM_MATCHED, "%s", stop.text);
    vmm_free(m);
}

Test(console, transcript_of_nul_bytes)
{
    struct vmm_stop stop;
    char *text = NULL;
    size_t size;

    MACHINE(m, MODE, CODE, flood, "cpus=1");
    cr_assert(vmm_run(m, &(struct vmm_limits){.events = 3}, &stop, NULL) == 0);
    FILE *out = open_memstream(&text, &size);
    vmm_transcript(m, out);
    fclose(out);
    cr_assert(strstr(text, "console output not looked at:\n    ???\n") != NULL, "%s", text);
    free(text);
    vmm_free(m);
}

Test(console, mistakes)
{
    static char much[(64 << 10) + 1];
    struct vmm_error e;

    MACHINE(m, MODE, CODE, echo, "cpus=1");
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
