/*
 * The least a program can do to have a guest: raw ioctls, no threads, no devices; the same
 * interrupt controllers and timer as `vmm` gives a machine. What vmm takes longer is vmm's own.
 */
#ifndef BENCH_FLOOR_VM_H
#define BENCH_FLOOR_VM_H

#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define LOAD_GPA  0x7c00
#define PORT_EXIT 0xf4

/* Writes 0 to the exit port. */
static const uint8_t floor_guest[] = {
    0x31, 0xc0, /* xor %ax, %ax */
    0xe6, 0xf4, /* out %al, $0xf4 */
    0xf4,       /* hlt */
};

struct floor_vm {
    int kvm, vm, vcpu;
    uint8_t *ram;
    size_t ram_size;
    struct kvm_run *run;
    size_t run_size;
};

static inline void die(const char *what)
{
    perror(what);
    exit(125);
}

static inline int check(int result, const char *what)
{
    if (result < 0) {
        die(what);
    }
    return result;
}

/* Memory slots before the interrupt controllers: afterwards each waits for the kernel. */
static inline void floor_vm_create(struct floor_vm *f)
{
    struct kvm_userspace_memory_region slot = {.memory_size = f->ram_size,
                                               .userspace_addr = (uintptr_t)f->ram};
    struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
    uint64_t identity = 0xfffbc000;

    f->vm = check(ioctl(f->kvm, KVM_CREATE_VM, 0UL), "KVM_CREATE_VM");
    check(ioctl(f->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity), "KVM_SET_IDENTITY_MAP_ADDR");
    check(ioctl(f->vm, KVM_SET_TSS_ADDR, 0xfffbd000UL), "KVM_SET_TSS_ADDR");
    check(ioctl(f->vm, KVM_SET_USER_MEMORY_REGION, &slot), "KVM_SET_USER_MEMORY_REGION");
    check(ioctl(f->vm, KVM_CREATE_IRQCHIP, 0UL), "KVM_CREATE_IRQCHIP");
    check(ioctl(f->vm, KVM_CREATE_PIT2, &pit), "KVM_CREATE_PIT2");
}

static inline void floor_vcpu_create(struct floor_vm *f)
{
    struct kvm_regs regs = {.rip = LOAD_GPA, .rflags = 2};
    struct kvm_sregs sregs;

    f->vcpu = check(ioctl(f->vm, KVM_CREATE_VCPU, 0UL), "KVM_CREATE_VCPU");
    check(ioctl(f->vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
    sregs.cs.base = 0;
    sregs.cs.selector = 0;
    check(ioctl(f->vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
    check(ioctl(f->vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
    f->run = mmap(NULL, f->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, f->vcpu, 0);
    if (f->run == MAP_FAILED) {
        die("mmap");
    }
}

/* A guest of floor_guest with so much RAM, about to begin. */
static inline void floor_vm_make(struct floor_vm *f, size_t ram_size)
{
    f->ram_size = ram_size;
    f->kvm = check(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
    f->run_size =
        (size_t)check(ioctl(f->kvm, KVM_GET_VCPU_MMAP_SIZE, 0UL), "KVM_GET_VCPU_MMAP_SIZE");
    f->ram = mmap(NULL, ram_size, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (f->ram == MAP_FAILED) {
        die("mmap");
    }
    memcpy(f->ram + LOAD_GPA, floor_guest, sizeof(floor_guest));
    floor_vm_create(f);
    floor_vcpu_create(f);
}

static inline void floor_vm_end(struct floor_vm *f)
{
    munmap(f->run, f->run_size);
    close(f->vcpu);
    close(f->vm);
    close(f->kvm);
    munmap(f->ram, f->ram_size);
}

#endif
