/*
 * The door to KVM: opening, capabilities, the VM.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, sections 4.1 to 4.4.
 * Locking: none; set-up and tear-down run on one thread.
 */
#include "src/kvm/kvm.h"

#include "src/arch/arch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

const struct kvm_cap kvm_caps[] = {
    KVM_CAP_ROW(USER_MEMORY, true, "guest RAM"),
    KVM_CAP_ROW(DESTROY_MEMORY_REGION_WORKS, true, "changes of the memory map"),
    KVM_CAP_ROW(READONLY_MEM, true, "ROM"),
    KVM_CAP_ROW(IRQCHIP, true, "interrupt controllers"),
    KVM_CAP_ROW(IRQ_ROUTING, true, "interrupt routes"),
    KVM_CAP_ROW(IRQFD, true, "interrupts from device threads"),
    KVM_CAP_ROW(IOEVENTFD, true, "doorbells to device threads"),
    KVM_CAP_ROW(IMMEDIATE_EXIT, true, "pause and stop"),
    KVM_CAP_ROW(MP_STATE, true, "several CPUs, reset"),
    KVM_CAP_ROW(IOEVENTFD_ANY_LENGTH, false, "doorbells of any width"),
    KVM_CAP_ROW(COALESCED_MMIO, false, "memory writes without an exit each"),
    KVM_CAP_ROW(COALESCED_PIO, false, "port writes without an exit each"),
};
const size_t kvm_cap_count = sizeof(kvm_caps) / sizeof(kvm_caps[0]);

static int real_ioctl(struct kvm *kvm, int fd, unsigned long request, void *arg)
{
    (void)kvm;
    int r = ioctl(fd, request, arg);
    return r < 0 ? -errno : r;
}

void kvm_init(struct kvm *kvm)
{
    *kvm = (struct kvm){
        .dev_fd = -1,
        .vm_fd = -1,
        .irqchip_fd = -1,
        .its_fd = -1,
        .page_size = (unsigned)sysconf(_SC_PAGESIZE),
        .ioctl = real_ioctl,
    };
}

int kvm_get_reg(struct kvm *kvm, int fd, uint64_t id, uint64_t *value)
{
    struct kvm_one_reg reg = {.id = id, .addr = (uintptr_t)value};
    return kvm_ioctl(kvm, fd, KVM_GET_ONE_REG, &reg);
}

int kvm_set_reg(struct kvm *kvm, int fd, uint64_t id, uint64_t value)
{
    struct kvm_one_reg reg = {.id = id, .addr = (uintptr_t)&value};
    return kvm_ioctl(kvm, fd, KVM_SET_ONE_REG, &reg);
}

int kvm_create_device(struct kvm *kvm, uint32_t type, int *fd)
{
    struct kvm_create_device d = {.type = type};
    int r = kvm_ioctl(kvm, kvm->vm_fd, KVM_CREATE_DEVICE, &d);
    *fd = r == 0 ? (int)d.fd : -1;
    return r;
}

int kvm_get_attr(struct kvm *kvm, int fd, uint32_t group, uint64_t attr, void *value)
{
    struct kvm_device_attr a = {.group = group, .attr = attr, .addr = (uintptr_t)value};
    return kvm_ioctl(kvm, fd, KVM_GET_DEVICE_ATTR, &a);
}

int kvm_set_attr(struct kvm *kvm, int fd, uint32_t group, uint64_t attr, void *value)
{
    struct kvm_device_attr a = {.group = group, .attr = attr, .addr = (uintptr_t)value};
    return kvm_ioctl(kvm, fd, KVM_SET_DEVICE_ATTR, &a);
}

int kvm_check_cap(struct kvm *kvm, int number)
{
    int value = kvm_ioctl_num(kvm, kvm->dev_fd, KVM_CHECK_EXTENSION, (unsigned long)number);
    return value < 0 ? 0 : value;
}

/* Append the names of the needed capabilities that are missing. */
static void list_missing(struct kvm *kvm, const struct kvm_cap *caps, size_t count, char *text,
                         size_t size)
{
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(text);
        if (caps[i].needed && kvm_check_cap(kvm, caps[i].number) == 0) {
            snprintf(text + used, size - used, "%s%s (%s)", used == 0 ? "" : ", ", caps[i].name,
                     caps[i].use);
        }
    }
}

/* missing: their names; empty: none is. */
static int check_missing(const char *missing, struct err *e)
{
    if (missing[0] == '\0') {
        return 0;
    }
    err_set(e, ENOTSUP, "this host's KVM lacks %s", missing);
    err_hint(e, "a newer Linux kernel has them; `vmm --doctor` lists what is there");
    err_status(e, EXIT_NO_KVM);
    return -ENOTSUP;
}

static int check_caps(struct kvm *kvm, struct err *e)
{
    char missing[400] = "";
    list_missing(kvm, kvm_caps, kvm_cap_count, missing, sizeof(missing));
    list_missing(kvm, arch_caps, arch_cap_count, missing, sizeof(missing));
    return check_missing(missing, e);
}

int kvm_need_caps(struct kvm *kvm, const struct kvm_cap *caps, size_t count, struct err *e)
{
    char missing[400] = "";
    list_missing(kvm, caps, count, missing, sizeof(missing));
    return check_missing(missing, e);
}

/* The limits; 0 from KVM means that the question is older than the answer (api.rst, 4.4). */
static void read_limits(struct kvm *kvm)
{
    int vcpus = kvm_check_cap(kvm, KVM_CAP_MAX_VCPUS);
    if (vcpus == 0) {
        vcpus = kvm_check_cap(kvm, KVM_CAP_NR_VCPUS);
    }
    int slots = kvm_check_cap(kvm, KVM_CAP_NR_MEMSLOTS);
    unsigned reachable = arch_max_vcpus(kvm);
    kvm->max_vcpus = vcpus == 0 ? 4 : (unsigned)vcpus;
    if (kvm->max_vcpus > reachable) {
        kvm->max_vcpus = reachable;
    }
    kvm->max_slots = slots == 0 ? 32 : (unsigned)slots;
    kvm->max_gsis = (unsigned)kvm_check_cap(kvm, KVM_CAP_IRQ_ROUTING);
    kvm->coalesced_page = (unsigned)kvm_check_cap(kvm, KVM_CAP_COALESCED_MMIO);
    kvm->coalesced_pio = kvm_check_cap(kvm, KVM_CAP_COALESCED_PIO) != 0;
    kvm->ioeventfd_any_len = kvm_check_cap(kvm, KVM_CAP_IOEVENTFD_ANY_LENGTH) != 0;
}

int kvm_check(struct kvm *kvm, struct err *e)
{
    int version = kvm_ioctl_num(kvm, kvm->dev_fd, KVM_GET_API_VERSION, 0);
    if (version != KVM_API_VERSION) {
        if (version < 0) {
            err_set(e, ENOTSUP, "not a KVM device: %s", strerror(-version));
        } else {
            err_set(e, ENOTSUP, "KVM's API version is %d, not %d", version, KVM_API_VERSION);
        }
        err_hint(e, "vmm needs the KVM of Linux 4.11 or newer");
        err_status(e, EXIT_NO_KVM);
        return -ENOTSUP;
    }
    int r = check_caps(kvm, e);
    if (r < 0) {
        return r;
    }
    int size = kvm_ioctl_num(kvm, kvm->dev_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (size < (int)sizeof(struct kvm_run)) {
        err_set(e, ENOTSUP, "KVM gives %d bytes for a vCPU's shared page", size);
        err_status(e, EXIT_NO_KVM);
        return -ENOTSUP;
    }
    kvm->run_size = (size_t)size;
    read_limits(kvm);
    return 0;
}

static int open_failed(const char *path, int code, struct err *e)
{
    if (code == EACCES || code == EPERM) {
        err_set(e, code, "no permission to use %s", path);
        err_hint(e, "join its group: sudo usermod -aG kvm \"$USER\", then log in again");
    } else if (code == ENOENT || code == ENODEV || code == ENXIO) {
        err_set(e, code, "no KVM: %s: %s", path, strerror(code));
        err_hint(e, "%s", arch_no_kvm_hint);
    } else {
        err_set(e, code, "cannot open %s: %s", path, strerror(code));
    }
    err_status(e, EXIT_NO_KVM);
    return -code;
}

int kvm_open(struct kvm *kvm, const char *path, struct err *e)
{
    kvm_init(kvm);
    kvm->dev_fd = open(path, O_RDWR | O_CLOEXEC);
    if (kvm->dev_fd < 0) {
        return open_failed(path, errno, e);
    }
    int r = kvm_check(kvm, e);
    if (r < 0) {
        err_prefix(e, "%s", path);
        kvm_close(kvm);
    }
    return r;
}

int kvm_create_vm(struct kvm *kvm, struct err *e)
{
    int fd;
    do {
        fd = kvm_ioctl_num(kvm, kvm->dev_fd, KVM_CREATE_VM, arch_vm_type(kvm));
    } while (fd == -EINTR);
    if (fd < 0) {
        err_set(e, -fd, "KVM cannot create a VM: %s", strerror(-fd));
        if (fd == -EBUSY) {
            err_hint(e, "another hypervisor may hold the processor's virtualization: stop it");
        }
        return fd;
    }
    kvm->vm_fd = fd;
    return arch_vm_init(kvm, e);
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

void kvm_close(struct kvm *kvm)
{
    close_fd(&kvm->its_fd);
    close_fd(&kvm->irqchip_fd);
    close_fd(&kvm->vm_fd);
    close_fd(&kvm->dev_fd);
}
