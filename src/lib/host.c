/*
 * What the host's CPUs offer to guests: learnt with the process's first machine, and kept, since it
 * is the same for all and takes milliseconds to ask where this host is itself a virtual machine.
 *
 * Locking: written once, under pthread_once(); constant from then on.
 */
#include "src/arch/arch.h"
#include "src/lib/internal.h"

static struct cpu_host *cpu_host;

/* Where it fails the machine asks again, and says why. */
static void learn(void)
{
    struct kvm kvm;

    if (kvm_open(&kvm, KVM_DEVICE, NULL) == 0) {
        if (cpu_host_new(&cpu_host, &kvm, NULL) < 0) {
            cpu_host = NULL;
        }
        kvm_close(&kvm);
    }
}

const struct cpu_host *lib_cpu_host(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, learn);
    return cpu_host;
}
