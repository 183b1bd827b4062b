/*
 * start_floor: the least a program can do to start a guest and learn of its end.
 * Raw ioctls, no threads, no devices; the same interrupt controllers, timer and
 * RAM as `vmm` gives a machine by default. What vmm takes longer is vmm's own.
 *
 *   start_floor              run the guest; its status is the exit status
 *   start_floor --image FILE write the guest as a file for `vmm --kernel`
 *
 * The guest writes 0 to the exit port, which means status 1. At this, its first
 * exit, a line is written to stderr, as `vmm --trace kvm_exit` does.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define RAM_SIZE  (256UL << 20)
#define LOAD_GPA  0x7c00
#define PORT_EXIT 0xf4

static const uint8_t guest[] = {
    0x31, 0xc0, /* xor %ax, %ax */
    0xe6, 0xf4, /* out %al, $0xf4 */
    0xf4,       /* hlt */
};

static void die(const char *what)
{
    perror(what);
    exit(125);
}

static int check(int result, const char *what)
{
    if (result < 0) {
        die(what);
    }
    return result;
}

static int write_image(const char *path)
{
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(guest, sizeof(guest), 1, f) != 1 || fclose(f) != 0) {
        die(path);
    }
    return 0;
}

/* Memory slots before the interrupt controllers: afterwards each waits for the kernel. */
static int make_vm(int kvm)
{
    int vm = check(ioctl(kvm, KVM_CREATE_VM, 0UL), "KVM_CREATE_VM");
    uint8_t *ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (ram == MAP_FAILED) {
        die("mmap");
    }
    memcpy(ram + LOAD_GPA, guest, sizeof(guest));
    struct kvm_userspace_memory_region slot = {.memory_size = RAM_SIZE,
                                               .userspace_addr = (uintptr_t)ram};
    struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
    uint64_t identity = 0xfffbc000;
    check(ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &identity), "KVM_SET_IDENTITY_MAP_ADDR");
    check(ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000UL), "KVM_SET_TSS_ADDR");
    check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot), "KVM_SET_USER_MEMORY_REGION");
    check(ioctl(vm, KVM_CREATE_IRQCHIP, 0UL), "KVM_CREATE_IRQCHIP");
    check(ioctl(vm, KVM_CREATE_PIT2, &pit), "KVM_CREATE_PIT2");
    return vm;
}

static int make_vcpu(int vm)
{
    int vcpu = check(ioctl(vm, KVM_CREATE_VCPU, 0UL), "KVM_CREATE_VCPU");
    struct kvm_sregs sregs;
    struct kvm_regs regs = {.rip = LOAD_GPA, .rflags = 2};
    check(ioctl(vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
    sregs.cs.base = 0;
    sregs.cs.selector = 0;
    check(ioctl(vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
    check(ioctl(vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
    return vcpu;
}

/* The guest's exit status from its first exit. */
static int handle(const struct kvm_run *run)
{
    static const char line[] = "start_floor: first exit\n";
    if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0) {
        die("write");
    }
    if (run->exit_reason != KVM_EXIT_IO || run->io.port != PORT_EXIT) {
        fprintf(stderr, "start_floor: exit reason %u\n", run->exit_reason);
        return 126;
    }
    return ((const uint8_t *)run)[run->io.data_offset] << 1 | 1;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--image") == 0) {
        return write_image(argv[2]);
    }
    int kvm = check(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
    int run_size = check(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0UL), "KVM_GET_VCPU_MMAP_SIZE");
    int vcpu = make_vcpu(make_vm(kvm));
    struct kvm_run *run = mmap(NULL, (size_t)run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (run == MAP_FAILED) {
        die("mmap");
    }
    check(ioctl(vcpu, KVM_RUN, 0UL), "KVM_RUN");
    return handle(run);
}
