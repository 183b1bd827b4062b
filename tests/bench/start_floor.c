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
#include "tests/bench/floor_vm.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RAM_SIZE (256UL << 20)

static int write_image(const char *path)
{
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(floor_guest, sizeof(floor_guest), 1, f) != 1 || fclose(f) != 0) {
        die(path);
    }
    return 0;
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
    struct floor_vm vm;

    floor_vm_make(&vm, RAM_SIZE);
    check(ioctl(vm.vcpu, KVM_RUN, 0UL), "KVM_RUN");
    return handle(vm.run);
}
