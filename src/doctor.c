/*
 * `vmm --doctor`: a report on this host's KVM.
 *
 * Locking: none; runs alone.
 */
#include "src/doctor.h"

#include "src/arch/arch.h"
#include "src/base/err.h"
#include "src/kvm/kvm.h"
#include "src/kvm/probe.h"

#include <inttypes.h>
#include <stdbool.h>

#define SPEED_TIMEOUT_MS 300
#define LINUX_TIMEOUT_MS 150

/*
 * Below this many privileged instructions a second a kernel takes minutes to
 * boot; processors with virtualization run a hundred times as many, and so does
 * an emulator that translates them.
 */
#define SPEED_ENOUGH 10000000.0

static void say(FILE *out, const char *name, const char *finding)
{
    fprintf(out, "%-22s %s\n", name, finding);
}

static void list_caps(struct kvm *kvm, const struct kvm_cap *caps, size_t count, FILE *out)
{
    for (size_t i = 0; i < count; i++) {
        bool there = kvm_check_cap(kvm, caps[i].number) != 0;
        fprintf(out, "  %-36s %-7s %s%s\n", caps[i].name, there ? "yes" : "no", caps[i].use,
                caps[i].needed ? "" : " (optional)");
    }
}

/* False: there is no KVM vmm could use; why and what to do is printed. */
static bool report_kvm(FILE *out)
{
    struct kvm kvm;
    struct err e = ERR_INIT;
    if (kvm_open(&kvm, KVM_DEVICE, &e) < 0) {
        say(out, "kvm:", e.what);
        say(out, "linux guests:", "no (no usable KVM)");
        if (e.hint[0] != '\0') {
            say(out, "advice:", e.hint);
        }
        return false;
    }
    say(out, "kvm:", KVM_DEVICE " opens, API version 12");
    say(out, "capabilities:", "all that are needed");
    list_caps(&kvm, kvm_caps, kvm_cap_count, out);
    list_caps(&kvm, arch_caps, arch_cap_count, out);
    fprintf(out, "%-22s 1 to %u\n", "cpus of a guest:", kvm.max_vcpus);
    fprintf(out, "%-22s %u\n", "memory slots:", kvm.max_slots);
    kvm_close(&kvm);
    return true;
}

/* Privileged instructions a second; 0: the probe did not get through. */
static double measure_speed(struct err *e)
{
    struct probe_result r;
    if (probe_run(&arch_probe_speed, SPEED_TIMEOUT_MS, &r, e) < 0 || r.reports < 2) {
        return 0;
    }
    return (double)arch_probe_instructions * 1e9 / (double)(r.ns[1] - r.ns[0] + 1);
}

static void report_host(double speed, FILE *out)
{
    char name[13];
    arch_host_hypervisor(name);
    if (name[0] == '\0') {
        say(out, "host:", "no hypervisor below: KVM is the processor's own");
    } else {
        fprintf(out, "%-22s a virtual machine (%s): KVM here is %s\n", "host:", name,
                speed >= SPEED_ENOUGH ? "nested" : "emulated in software");
    }
    if (speed > 0) {
        fprintf(out, "%-22s %.1f million instructions/s\n", "privileged code:", speed / 1e6);
    } else {
        say(out, "privileged code:", "the probe did not run to its end");
    }
}

/* The line scripts look for. True: yes. */
static bool report_verdict(double speed, const struct probe_result *r, FILE *out)
{
    const struct probe_guest *g = &arch_probe_linux;
    if (r->reports < g->reports) {
        fprintf(out, "%-22s no (KVM here does not run: %s, in privileged mode)\n",
                "linux guests:", g->steps[r->reports]);
        return false;
    }
    if (speed < SPEED_ENOUGH) {
        say(out, "linux guests:", "no (privileged code is too slow to boot a kernel)");
        return false;
    }
    say(out, "linux guests:", "yes");
    return true;
}

int doctor(FILE *out)
{
    struct err e = ERR_INIT;
    struct probe_result r;
    if (!report_kvm(out)) {
        return EXIT_NO_KVM;
    }
    double speed = measure_speed(&e);
    report_host(speed, out);
    if (probe_run(&arch_probe_linux, LINUX_TIMEOUT_MS, &r, &e) < 0) {
        say(out, "problem:", e.what);
    }
    say(out, "micro-guests:", speed > 0 || r.reports > 0 ? "yes" : "no");
    if (!report_verdict(speed, &r, out)) {
        say(out, "advice:",
            "run Linux on a host whose KVM is the processor's or nested, or in the "
            "lab of vmm's sources (tools/lab -- ./vmm ...)");
    }
    return EXIT_OK;
}
