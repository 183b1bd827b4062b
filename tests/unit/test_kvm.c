/*
 * Opening KVM: what is missing is named, and the exit status is 77.
 */
#include "tests/unit/fake_kvm.h"

#include "src/arch/arch.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

static struct fake_kvm f;
static struct err e;
static int missing; /* capability the fake KVM does not have; -1: none */

static int answer(struct fake_kvm *fake, int fd, unsigned long request, void *arg)
{
    (void)fake;
    cr_assert_eq(fd, FAKE_DEV_FD);
    if (request == KVM_CHECK_EXTENSION) {
        int number = (int)(uintptr_t)arg;
        return number == missing ? 0 : number == KVM_CAP_MAX_VCPUS ? 77 : 5;
    }
    return -ENOSYS;
}

static void setup(void)
{
    fake_kvm_init(&f);
    f.answer = answer;
    missing = -1;
    e = ERR_INIT;
}

TestSuite(kvm, .init = setup);

Test(kvm, absent_device_is_status_77_with_a_hint)
{
    struct kvm kvm;
    cr_assert_eq(kvm_open(&kvm, "/nonexistent/kvm", &e), -ENOENT);
    cr_assert_eq(e.status, EXIT_NO_KVM);
    cr_assert_not_null(strstr(e.what, "/nonexistent/kvm"));
    cr_assert_not_null(strstr(e.hint, arch_no_kvm_hint));
    cr_assert_eq(kvm.dev_fd, -1);
    kvm_close(&kvm);
}

Test(kvm, something_else_than_kvm_is_refused)
{
    struct kvm kvm;
    cr_assert_eq(kvm_open(&kvm, "/dev/null", &e), -ENOTSUP);
    cr_assert_eq(e.status, EXIT_NO_KVM);
    cr_assert_not_null(strstr(e.what, "/dev/null: not a KVM device"), "%s", e.what);
    cr_assert_eq(kvm.dev_fd, -1);
}

Test(kvm, complete_kvm_is_accepted_and_its_limits_read)
{
    f.kvm.run_size = 0;
    f.kvm.max_vcpus = 0;
    cr_assert_eq(kvm_check(&f.kvm, &e), 0);
    cr_assert_eq(f.kvm.run_size, FAKE_RUN_SIZE);
    cr_assert_eq(f.kvm.max_vcpus, 77);
    cr_assert_eq(f.kvm.max_slots, 5);
    cr_assert_eq(f.kvm.coalesced_page, 5);
}

Test(kvm, limits_kvm_does_not_know_have_defaults)
{
    missing = KVM_CAP_NR_MEMSLOTS;
    cr_assert_eq(kvm_check(&f.kvm, &e), 0);
    cr_assert_eq(f.kvm.max_slots, 32);
}

static void check_each(const struct kvm_cap *caps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        e = ERR_INIT;
        missing = caps[i].number;
        int r = kvm_check(&f.kvm, &e);
        if (caps[i].needed) {
            cr_assert_eq(r, -ENOTSUP, "%s", caps[i].name);
            cr_assert_eq(e.status, EXIT_NO_KVM);
            cr_assert_not_null(strstr(e.what, caps[i].name), "%s", e.what);
            cr_assert_neq(e.hint[0], '\0');
        } else {
            cr_assert_eq(r, 0, "%s is optional", caps[i].name);
        }
    }
}

Test(kvm, each_needed_capability_is_named_when_missing)
{
    check_each(kvm_caps, kvm_cap_count);
    check_each(arch_caps, arch_cap_count);
}

static int old_version(struct fake_kvm *fake, int fd, unsigned long request, void *arg)
{
    (void)fake;
    (void)fd;
    (void)arg;
    return request == KVM_GET_API_VERSION ? 10 : -ENOSYS;
}

Test(kvm, another_api_version_is_refused)
{
    f.answer = old_version;
    cr_assert_eq(kvm_check(&f.kvm, &e), -ENOTSUP);
    cr_assert_eq(e.status, EXIT_NO_KVM);
    cr_assert_not_null(strstr(e.what, "version is 10, not 12"), "%s", e.what);
}

Test(kvm, a_busy_processor_is_explained)
{
    f.fail_request = KVM_CREATE_VM;
    f.fail_code = -EBUSY;
    cr_assert_eq(kvm_create_vm(&f.kvm, &e), -EBUSY);
    cr_assert_eq(e.status, EXIT_HOST);
    cr_assert_not_null(strstr(e.hint, "another hypervisor"));
}

static int interrupted_twice(struct fake_kvm *fake, int fd, unsigned long request, void *arg)
{
    int *times = fake->opaque;
    (void)fd;
    (void)arg;
    if (request == KVM_CREATE_VM) {
        return (*times)++ < 2 ? -EINTR : FAKE_VM_FD;
    }
    return -ENOSYS;
}

Test(kvm, creating_a_vm_is_retried_after_a_signal)
{
    int times = 0;
    f.answer = interrupted_twice;
    f.opaque = &times;
    f.kvm.vm_fd = -1;
    cr_assert_eq(kvm_create_vm(&f.kvm, &e), 0);
    cr_assert_eq(times, 3);
    cr_assert_eq(f.kvm.vm_fd, FAKE_VM_FD);
}
