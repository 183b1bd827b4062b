/*
 * Tests of kernels, drivers and firmware on top of Criterion: a machine each, in milliseconds.
 *
 *     Test(edu, factorial)
 *     {
 *         struct vmm *m = vmmtest_machine("memory=1M", "device=edu");
 *         vmmtest_load(m, VMM_LONG64, 0x10000, code, sizeof(code));
 *         vmm_expect_exit(m, "MMIO write 4 bytes at edu+0x8 value 5");
 *         vmm_expect_reg(m, 0, "rax", 120);
 *         vmm_expect_status(m, 0);
 *         vmm_free(m);
 *     }
 *
 * What is not as expected fails the test with a transcript: what was expected, why the machine
 * stopped, its last guest events, registers, the code at the instruction pointer, its console.
 * Where the host has no usable KVM a test is skipped and says why.
 *
 * The machine is made with "posted=off", so that every access of the guest is an event. All the
 * rest of vmm.h can be used with it. Link with libvmm and Criterion; the checks themselves are in
 * libvmm, for use under other test frameworks: vmmtest_..._report() gives NULL, or the transcript.
 */
#ifndef VMM_VMMTEST_H
#define VMM_VMMTEST_H

#ifdef VMM_INSIDE
#include "src/lib/vmm.h"
#else
#include <vmm/vmm.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* --- without a framework ------------------------------------------------------ */

/*
 * Each runs the machine as far as it takes, with the limits of vmm_set_limits(). NULL: it is as
 * expected; else a text for a person, valid until the next of these calls.
 */

/* The patterns, NULL-terminated, are met by guest events in this order; others may come between. */
VMM_API const char *vmmtest_exits_report(struct vmm *m, const char *const *patterns);
/* The very next events are these. */
VMM_API const char *vmmtest_next_exits_report(struct vmm *m, const char *const *patterns);
/* A line of the console matches the extended regular expression. */
VMM_API const char *vmmtest_console_report(struct vmm *m, const char *regex);
/* The machine ends with this status: 0 power-off, 126 crash, 127 panic, debug-exit's own. */
VMM_API const char *vmmtest_status_report(struct vmm *m, int status);
/* A run stops for this reason. */
VMM_API const char *vmmtest_stop_report(struct vmm *m, enum vmm_why why);

/* These look at the machine as it is. */
VMM_API const char *vmmtest_reg_report(struct vmm *m, unsigned cpu, const char *name,
                                       uint64_t value);
VMM_API const char *vmmtest_memory_report(struct vmm *m, uint64_t gpa, const void *bytes,
                                          size_t len);

#ifdef __cplusplus
}
#endif

/* --- on Criterion: in C ----------------------------------------------------------- */

#if !defined(VMMTEST_NO_CRITERION) && !defined(__cplusplus)
#include <criterion/criterion.h>

#define VMMTEST_NO_KVM 77 /* vmm_error.status: this host runs no guests */

static inline struct vmm *vmmtest_make(const char *const *options)
{
    struct vmm_error e = {0};
    struct vmm *m = vmm_new(options, &e);

    if (m == NULL && e.status == VMMTEST_NO_KVM) {
        cr_skip_test("%s", e.what);
    }
    cr_assert(m != NULL, "no machine: %s (%s)", e.what, e.hint);
    return m;
}

/* Options as for vmm_new(), at least one. Skips the test where there is no KVM. */
#define vmmtest_machine(...) vmmtest_make((const char *const[]){"posted=off", __VA_ARGS__, NULL})

#define VMMTEST_CHECK(report)                                                                      \
    do {                                                                                           \
        const char *vmmtest_text = (report);                                                       \
        cr_assert(vmmtest_text == NULL, "%s", vmmtest_text);                                       \
    } while (0)

#define VMMTEST_CALL(call)                                                                         \
    do {                                                                                           \
        struct vmm_error vmmtest_error = {0};                                                      \
        cr_assert((call) == 0, "%s", vmmtest_error.what);                                          \
    } while (0)

#define vmmtest_load(m, mode, gpa, code, len)                                                      \
    VMMTEST_CALL(vmm_load(m, mode, gpa, code, len, &vmmtest_error))
#define vmmtest_inject(m, device, ...)                                                             \
    VMMTEST_CALL(vmm_inject(m, device, &(struct vmm_fault){__VA_ARGS__}, &vmmtest_error))

/* The next event that matches; others pass by. */
#define vmm_expect_exit(m, pattern) vmm_expect_exits(m, pattern)
#define vmm_expect_exits(m, ...)                                                                   \
    VMMTEST_CHECK(vmmtest_exits_report(m, (const char *const[]){__VA_ARGS__, NULL}))
#define vmm_expect_next_exits(m, ...)                                                              \
    VMMTEST_CHECK(vmmtest_next_exits_report(m, (const char *const[]){__VA_ARGS__, NULL}))
#define vmm_expect_console(m, regex)      VMMTEST_CHECK(vmmtest_console_report(m, regex))
#define vmm_expect_status(m, status)      VMMTEST_CHECK(vmmtest_status_report(m, status))
#define vmm_expect_stop(m, why)           VMMTEST_CHECK(vmmtest_stop_report(m, why))
#define vmm_expect_reg(m, cpu, name, val) VMMTEST_CHECK(vmmtest_reg_report(m, cpu, name, val))
#define vmm_expect_memory(m, gpa, bytes, len)                                                      \
    VMMTEST_CHECK(vmmtest_memory_report(m, gpa, bytes, len))

#endif /* VMMTEST_NO_CRITERION */

#endif
