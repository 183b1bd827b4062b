/*
 * A device access that the CPU does not describe to the hypervisor, by a pair of
 * registers: KVM cannot carry it out. vmm is to end with the CPU's state.
 */
#include "guest.h"
#include "virt.h"

int guest_main(void)
{
    uint64_t low, high;
    print("crash: ldp\n");
    __asm__ volatile("ldp %0, %1, [%2]" : "=r"(low), "=r"(high) : "r"(VIRTIO_GPA));
    print("crash: read %lx %lx\n", low, high);
    return 0;
}
