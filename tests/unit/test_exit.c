/*
 * Exit dispatch: from kvm_run to address spaces, events and crashes.
 */
#include "tests/unit/fake_kvm.h"
#include "tests/unit/fake_mem.h"

#include "src/kvm/exit.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#define DATA_OFFSET 4096

static struct fake_kvm f;
static struct topology *topo;
static struct region mem_root, io_root;
static struct fake_io dev, port;
static struct vcpus set;
static struct vcpu vcpu;
static _Alignas(4096) uint8_t page[FAKE_RUN_SIZE];
static struct kvm_run *run;
static unsigned crashes, events;
static enum machine_event last_event;

static void on_event(void *opaque, enum machine_event event, int value)
{
    (void)opaque;
    (void)value;
    events++;
    last_event = event;
}

static void on_crash(void *opaque, const struct crash *c)
{
    cr_assert_eq(opaque, &crashes);
    cr_assert_eq(c, &set.crash);
    crashes++;
}

static void setup(void)
{
    fake_kvm_init(&f);
    topo = topology_new();
    region_init_container(&mem_root, topo, "memory", REGION_ALL);
    region_init_container(&io_root, topo, "I/O", 65536);
    fake_io_init(&dev, topo, "dev", 64);
    fake_io_init(&port, topo, "port", 8);
    region_add(&mem_root, 0x1000, &dev.region, 0);
    region_add(&io_root, 0x60, &port.region, 0);
    memset(page, 0, sizeof(page));
    run = (struct kvm_run *)(void *)page;
    set = (struct vcpus){
        .kvm = &f.kvm,
        .env =
            {
                .topo = topo,
                .mem = aspace_new(topo, "memory", &mem_root),
                .io = aspace_new(topo, "I/O", &io_root),
                .callbacks = {.event = on_event, .crash = on_crash, .opaque = &crashes},
            },
        .vcpu = &vcpu,
        .count = 1,
        .wanted = VCPUS_RUNNING,
        .crash.dump = cpu_dump_new(),
    };
    cr_assert(set.env.mem != NULL && set.env.io != NULL && set.crash.dump != NULL);
    pthread_mutex_init(&set.lock, NULL);
    pthread_cond_init(&set.changed, NULL);
    vcpu = (struct vcpu){.set = &set, .fd = -1, .run = run};
}

static void teardown(void)
{
    cpu_dump_free(set.crash.dump);
    fake_io_fini(&port);
    fake_io_fini(&dev);
    aspace_free(set.env.io);
    aspace_free(set.env.mem);
    region_fini(&io_root);
    region_fini(&mem_root);
    topology_free(topo);
}

TestSuite(exit, .init = setup, .fini = teardown);

static void set_io(uint8_t direction, uint8_t size, uint16_t number, uint32_t count)
{
    run->exit_reason = KVM_EXIT_IO;
    run->io.direction = direction;
    run->io.size = size;
    run->io.port = number;
    run->io.count = count;
    run->io.data_offset = DATA_OFFSET;
}

Test(exit, out_writes_its_bytes)
{
    set_io(KVM_EXIT_IO_OUT, 2, 0x62, 1);
    memcpy(page + DATA_OFFSET, "\x34\x12", 2);
    cr_assert(exit_handle(&vcpu));
    cr_assert_eq(port.call_count, 1);
    cr_assert_eq(port.calls[0].offset, 2);
    cr_assert_eq(port.calls[0].value, 0x1234);
    cr_assert_eq(port.calls[0].size, 2);
}

Test(exit, string_output_stays_at_one_port)
{
    set_io(KVM_EXIT_IO_OUT, 1, 0x61, 3);
    memcpy(page + DATA_OFFSET, "abc", 3);
    cr_assert(exit_handle(&vcpu));
    cr_assert_eq(port.call_count, 3);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(port.calls[i].offset, 1);
        cr_assert_eq(port.calls[i].value, 'a' + i);
    }
}

Test(exit, string_input_fills_every_item)
{
    set_io(KVM_EXIT_IO_IN, 2, 0x60, 3);
    memset(page + DATA_OFFSET, 0xee, 8);
    cr_assert(exit_handle(&vcpu));
    cr_assert_eq(port.call_count, 3);
    cr_assert_eq(memcmp(page + DATA_OFFSET, "\1\2\1\2\1\2\xee\xee", 8), 0);
}

Test(exit, input_from_nowhere_is_all_ones)
{
    set_io(KVM_EXIT_IO_IN, 4, 0x1234, 1);
    cr_assert(exit_handle(&vcpu));
    cr_assert_eq(memcmp(page + DATA_OFFSET, "\xff\xff\xff\xff", 4), 0);
}

Test(exit, a_string_may_fill_the_mapping_and_no_more)
{
    set_io(KVM_EXIT_IO_OUT, 4, 0x60, (FAKE_RUN_SIZE - DATA_OFFSET) / 4);
    cr_assert(exit_handle(&vcpu));
    set_io(KVM_EXIT_IO_OUT, 4, 0x60, (FAKE_RUN_SIZE - DATA_OFFSET) / 4 + 1);
    unsigned before = port.call_count;
    cr_assert_not(exit_handle(&vcpu));
    cr_assert_eq(port.call_count, before);
    cr_assert_eq(crashes, 1);
    cr_assert_eq(set.crash.status, EXIT_HOST);
}

Test(exit, absurd_port_accesses_touch_nothing)
{
    set_io(KVM_EXIT_IO_OUT, 0, 0x60, 5);
    cr_assert_not(exit_handle(&vcpu));
    set_io(KVM_EXIT_IO_OUT, 8, 0x60, 1);
    cr_assert_not(exit_handle(&vcpu));
    set_io(KVM_EXIT_IO_OUT, 1, 0x60, UINT32_MAX);
    cr_assert_not(exit_handle(&vcpu));
    set_io(KVM_EXIT_IO_OUT, 1, 0x60, 1);
    run->io.data_offset = UINT64_MAX;
    cr_assert_not(exit_handle(&vcpu));
    cr_assert_eq(port.call_count, 0);
}

static void set_mmio(uint64_t gpa, uint32_t len, bool is_write)
{
    run->exit_reason = KVM_EXIT_MMIO;
    run->mmio.phys_addr = gpa;
    run->mmio.len = len;
    run->mmio.is_write = is_write;
}

Test(exit, mmio_of_any_length)
{
    set_mmio(0x1003, 3, false);
    memset(run->mmio.data, 0xee, 8);
    cr_assert(exit_handle(&vcpu));
    cr_assert_eq(memcmp(run->mmio.data, "\4\5\6\xee\xee\xee\xee\xee", 8), 0);
    set_mmio(0x1008, 8, true);
    memcpy(run->mmio.data, "\1\2\3\4\5\6\7\x08", 8);
    cr_assert(exit_handle(&vcpu));
    struct fake_call last = dev.calls[dev.call_count - 1];
    cr_assert(last.write);
    cr_assert_eq(last.value, 0x0807060504030201);
}

Test(exit, mmio_longer_than_its_data_is_cut)
{
    set_mmio(0x1000, 4000, true);
    cr_assert(exit_handle(&vcpu));
    cr_assert_eq(dev.calls[0].size, 8);
}

Test(exit, host_affairs_are_retried)
{
    static const uint32_t reasons[] = {KVM_EXIT_HLT, KVM_EXIT_INTR, KVM_EXIT_NMI,
                                       KVM_EXIT_IRQ_WINDOW_OPEN};
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        run->exit_reason = reasons[i];
        cr_assert(exit_handle(&vcpu));
    }
    cr_assert_eq(crashes + events, 0);
}

Test(exit, an_unknown_hypercall_says_so_to_the_guest)
{
    run->exit_reason = KVM_EXIT_HYPERCALL;
    cr_assert(exit_handle(&vcpu));
    cr_assert_eq(run->hypercall.ret, (uint64_t)-1000);
}

Test(exit, system_events)
{
    run->exit_reason = KVM_EXIT_SYSTEM_EVENT;
    run->system_event.type = KVM_SYSTEM_EVENT_SHUTDOWN;
    cr_assert_not(exit_handle(&vcpu));
    cr_assert_eq(last_event, MACHINE_POWEROFF);
    run->system_event.type = KVM_SYSTEM_EVENT_RESET;
    cr_assert_not(exit_handle(&vcpu));
    cr_assert_eq(last_event, MACHINE_REBOOT);
    run->system_event.type = KVM_SYSTEM_EVENT_CRASH;
    cr_assert_not(exit_handle(&vcpu));
    cr_assert_eq(last_event, MACHINE_PANIC);
    cr_assert_eq(events, 3);
    run->system_event.type = 77;
    cr_assert_not(exit_handle(&vcpu));
    cr_assert_eq(events, 3);
    cr_assert_eq(crashes, 1);
}

static void crashes_with(uint32_t reason, const char *text)
{
    run->exit_reason = reason;
    set.crashed = false;
    set.wanted = VCPUS_RUNNING;
    cr_assert_not(exit_handle(&vcpu));
    cr_assert_not_null(strstr(set.crash.reason, text), "%s", set.crash.reason);
    cr_assert_eq(set.crash.status, EXIT_CRASH);
    cr_assert_eq(set.wanted, VCPUS_PAUSED, "the other vCPUs go on");
}

Test(exit, ends_say_why)
{
    crashes_with(KVM_EXIT_SHUTDOWN, "triple fault");
    run->fail_entry.hardware_entry_failure_reason = 0x80000021;
    crashes_with(KVM_EXIT_FAIL_ENTRY, "0x80000021");
    memset(&run->internal, 0, sizeof(run->internal));
    run->internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
    crashes_with(KVM_EXIT_INTERNAL_ERROR, "emulate");
    run->internal.suberror = 4711;
    crashes_with(KVM_EXIT_INTERNAL_ERROR, "4711: unknown");
    run->arm_nisv.fault_ipa = 0x9000018;
    crashes_with(KVM_EXIT_ARM_NISV, "0x9000018");
    crashes_with(KVM_EXIT_DEBUG, "(debug)");
    crashes_with(KVM_EXIT_EPR, "23 (unknown)");
    crashes_with(100000, "100000 (unknown)");
    cr_assert_eq(crashes, 8);
}

Test(exit, only_the_first_crash_is_told)
{
    run->exit_reason = KVM_EXIT_SHUTDOWN;
    cr_assert_not(exit_handle(&vcpu));
    run->exit_reason = KVM_EXIT_FAIL_ENTRY;
    cr_assert_not(exit_handle(&vcpu));
    cr_assert_eq(crashes, 1);
    cr_assert_not_null(strstr(set.crash.reason, "triple fault"));
}

Test(exit, a_failed_run_is_the_hosts_fault)
{
    exit_run_failed(&vcpu, EFAULT);
    cr_assert_eq(crashes, 1);
    cr_assert_eq(set.crash.status, EXIT_HOST);
    cr_assert_not_null(strstr(set.crash.reason, "Bad address"));
}

Test(exit, hyperv_is_for_those_who_asked)
{
    run->exit_reason = KVM_EXIT_HYPERV;
    run->hyperv.type = KVM_EXIT_HYPERV_HCALL;
    cr_assert_not(exit_handle(&vcpu));
    cr_assert_eq(crashes, 1);
    cr_assert_not_null(strstr(set.crash.reason, "hyperv"), "%s", set.crash.reason);
}

Test(exit, exits_are_counted_by_reason)
{
    run->exit_reason = KVM_EXIT_INTR;
    exit_handle(&vcpu);
    exit_handle(&vcpu);
    run->exit_reason = 100000;
    exit_handle(&vcpu);
    cr_assert_eq(vcpus_exits(&set, KVM_EXIT_INTR), 2);
    cr_assert_eq(vcpus_exits(&set, KVM_EXIT_IO), 0);
    cr_assert_eq(vcpus_exits(&set, VCPU_EXIT_REASONS - 1), 1);
    cr_assert_eq(vcpus_exits(&set, VCPU_EXIT_REASONS), 0);
}
