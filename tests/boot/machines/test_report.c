/*
 * What a failing test says. The tests that fail are those of tests/boot/failing, run as a program.
 */
#include "tests/boot/machines/machines.h"

#include <stdlib.h>
#include <sys/wait.h>

GUEST(chatter);

/* What is behind the first event of `factorial`, and how `crash` ends. */
#if defined(__x86_64__)
#define NEXT_REG         "rip 000000000001000c"
#define NEXT_CODE        "code at 0x1000c: 8b 47 20 a8 01"
#define NEXT_INSTRUCTION "=> 0x1000c: mov eax, dword ptr [rdi + 0x20]"
#define LAST_EVENTS      "MMIO write 1 byte at acpi-pm.power+0x0 value 0x34"
#define CRASH            "triple fault"
#else
#define NEXT_REG         "pc        000000004001000c"
#define NEXT_CODE        "code at 0x4001000c: b9402020 3707ffe0"
#define NEXT_INSTRUCTION "=> 0x4001000c: ldr w0, [x1, #0x20]"
#define LAST_EVENTS      "MMIO write 4 bytes at pl011+0x0 value 0x78"
#define CRASH            "an access to a device at 0x9000000 by an instruction KVM cannot"
#endif

/* Run one of them. Its output, to be freed; it failed. */
static char *output_of(const char *test)
{
    char command[8192], *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    vmm_free(vmmtest_machine("memory=1M")); /* or all of these are skipped */
    /* Criterion tells a test's process by the environment that it is one. */
    snprintf(command, sizeof(command),
             "env -i PATH=\"$PATH\" ${LD_LIBRARY_PATH:+LD_LIBRARY_PATH=\"$LD_LIBRARY_PATH\"} %s "
             "--filter 'failing/%s' 2>&1",
             built("tests/boot/failing/failing"), test);
    FILE *in = popen(command, "r");
    cr_assert(in != NULL && out != NULL);
    for (int c = fgetc(in); c != EOF; c = fgetc(in)) {
        fputc(c, out);
    }
    fclose(out);
    const int status = pclose(in);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) != 0, "%s", text);
    return text;
}

/* All of these texts are in what a test said, in this order. */
static void has(const char *output, const char *const *texts)
{
    const char *at = output;

    for (; *texts != NULL; texts++) {
        at = strstr(at, *texts);
        cr_assert(at != NULL, "'%s' is not there, or not at its place:\n%s", *texts, output);
    }
}

static void says(const char *test, const char *const *texts)
{
    char *output = output_of(test);

    has(output, texts);
    free(output);
}

#define SAYS(test, ...) says(test, (const char *const[]){__VA_ARGS__, NULL})

/* Where capstone is there, the code is disassembled; else the report says why not. */
Test(report, other_value)
{
    static const char *const texts[] = {
        "failing.c:",
        "expected: MMIO write 4 bytes at edu+0x8 value 6",
        "got: MMIO write 4 bytes at edu+0x8 value 0x5",
        "guest events: 1, the last:",
        "#1 vCPU 0: MMIO write 4 bytes at edu+0x8 value 0x5",
        NEXT_REG,
        NEXT_CODE,
        NULL,
    };
    char *output = output_of("other_value");

    has(output, texts);
    cr_assert(strstr(output, NEXT_INSTRUCTION) != NULL || strstr(output, "capstone") != NULL, "%s",
              output);
    free(output);
}

Test(report, exit_that_never_comes)
{
    SAYS("exit_that_never_comes", "expected: IO write at 0x1234", "got: the guest powered off",
         "MMIO read 4 bytes at edu+0x8 value 0x78", LAST_EVENTS,
         "console output not looked at:", "x");
}

Test(report, crash)
{
    SAYS("crash", "expected the end with status 0", "got: 126 (" CRASH, "vCPU 0, when it crashed:");
}

Test(report, reg)
{
    SAYS("reg", "expected: " REG_VALUE " of vCPU 0 = 0x8", "got: 0x7", "value 0x6", "value 0x7");
}

Test(report, memory)
{
    char expected[64], got[64];

    snprintf(expected, sizeof(expected), "expected at 0x%x: 99", CODE + 2);
    snprintf(got, sizeof(got), "got: %02x", guest_chatter[2]);
    SAYS("memory", expected, got);
}

Test(report, console)
{
    SAYS("console", "expected a line on the console: ^y$", "got: the guest powered off");
}

Test(report, stop)
{
    SAYS("stop", "expected VMM_DEAD", "got: VMM_IDLE: the guest waited for an interrupt for 20 ms");
}

Test(report, pattern)
{
    SAYS("pattern", "guest event 'IO wrote 1 byte': 'wrote' says nothing here", "[MMIO|IO]");
}
