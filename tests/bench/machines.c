/*
 * machines: how many machines a second are made, run to the guest's end and freed, and what is left
 * of them.
 *
 *   machines [COUNT [AT_ONCE]]      (2000, 8)
 *
 * In one process by libvmm, each thread one machine at a time; beside it, in turns, the least that
 * raw ioctls need for the same (floor_vm.h). Then the same as processes of vmm, beside start_floor.
 * Ending a VM waits for grace periods of the kernel, so AT_ONCE matters more than the CPUs.
 *
 * Memory and descriptors are those of this process after the first tenth and at the end.
 */
#include "src/lib/vmm.h"
#include "tests/bench/floor_vm.h"

#include <dirent.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>

#define TURNS       10
#define RAM         (1UL << 20)
#define AT_ONCE_MAX 256
#define EXIT_PORT   "device=debug-exit,iobase=0xf4,iosize=4"

extern char **environ;

static unsigned at_once = 8;
static atomic_uint left; /* of this turn, not begun */
static char image[] = "/tmp/vmm-machines-XXXXXX";

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- one life ------------------------------------------------------------------ */

static void vmm_life(void)
{
    static const char *const options[] = {"memory=1M", EXIT_PORT, NULL};
    struct vmm_error e;
    struct vmm_stop stop;
    struct vmm *m = vmm_new(options, &e);

    if (m == NULL || vmm_load(m, VMM_REAL16, LOAD_GPA, floor_guest, sizeof(floor_guest), &e) < 0 ||
        vmm_run(m, NULL, &stop, &e) < 0) {
        fprintf(stderr, "machines: %s\n", e.what);
        exit(m == NULL && e.status == 77 ? 77 : 125);
    }
    if (stop.why != VMM_ENDED || stop.status != 1) {
        fprintf(stderr, "machines: %s\n", stop.text);
        exit(1);
    }
    vmm_free(m);
}

static void floor_life(void)
{
    struct floor_vm vm;

    floor_vm_make(&vm, RAM);
    check(ioctl(vm.vcpu, KVM_RUN, 0UL), "KVM_RUN");
    if (vm.run->exit_reason != KVM_EXIT_IO) {
        die("no exit to a port");
    }
    floor_vm_end(&vm);
}

#define WORDS 8 /* of a command line, NULL included */

/* A process that ends with status 1, as the guest says. */
static void process(const char *const words[WORDS])
{
    char *argv[WORDS];
    posix_spawn_file_actions_t actions;
    int status;
    pid_t pid;

    memcpy(argv, words, sizeof(argv)); /* posix_spawn() only reads them */
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (posix_spawn(&pid, argv[0], &actions, NULL, argv, environ) != 0 ||
        waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 1) {
        die(argv[0]);
    }
    posix_spawn_file_actions_destroy(&actions);
}

static void vmm_process(void)
{
    const char *const words[WORDS] = {
        "./vmm",    "--kernel", image, "--device", "debug-exit,iobase=0xf4,iosize=4",
        "--memory", "1M",       NULL};

    process(words);
}

static char floor_program[4096];

static void floor_process(void)
{
    const char *const words[WORDS] = {floor_program};

    process(words);
}

/* --- many ---------------------------------------------------------------------- */

static void *lives(void *arg)
{
    void (*const *life)(void) = arg;

    for (unsigned n = atomic_load(&left); n > 0;) {
        if (atomic_compare_exchange_weak(&left, &n, n - 1)) {
            (*life)();
            n = atomic_load(&left);
        }
    }
    return NULL;
}

/* Seconds that `count` lives take, at_once at a time. */
static double run(void (*life)(void), unsigned count)
{
    pthread_t threads[AT_ONCE_MAX];
    const double begin = now_s();

    left = count;
    for (unsigned i = 0; i < at_once; i++) {
        if (pthread_create(&threads[i], NULL, lives, &life) != 0) {
            die("pthread_create");
        }
    }
    for (unsigned i = 0; i < at_once; i++) {
        pthread_join(threads[i], NULL);
    }
    return now_s() - begin;
}

static unsigned descriptors(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");

    while (d != NULL && readdir(d) != NULL) {
        n++;
    }
    closedir(d);
    return n - 3; /* . and .. and d's own */
}

static unsigned long memory_kib(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f == NULL || fscanf(f, "%*u %lu", &pages) != 1) {
        die("/proc/self/statm");
    }
    fclose(f);
    return pages * (unsigned long)sysconf(_SC_PAGESIZE) / 1024;
}

/* `count` lives of each kind, in turns. */
static void compare(const char *name, void (*ours)(void), void (*least)(void), unsigned count)
{
    const unsigned each = count / TURNS;
    double our_time = 0, least_time = 0;
    unsigned long kib = 0;
    unsigned fds = 0;

    for (int i = 0; i < TURNS; i++) {
        our_time += run(ours, each);
        least_time += run(least, each);
        if (i == 0) {
            kib = memory_kib();
            fds = descriptors();
        }
    }
    const double made = (double)each * TURNS;
    printf(
        "%-10s %6.0f a second, least %6.0f, ratio %.2f; after %u and %u: %lu and %lu KiB, %u and "
        "%u descriptors\n",
        name, made / our_time, made / least_time, least_time / our_time, each, each * TURNS, kib,
        memory_kib(), fds, descriptors());
}

static void write_image(void)
{
    const int fd = mkstemp(image);

    if (fd < 0 || write(fd, floor_guest, sizeof(floor_guest)) != sizeof(floor_guest)) {
        die(image);
    }
    close(fd);
}

int main(int argc, char **argv)
{
    const unsigned count = argc > 1 ? (unsigned)atoi(argv[1]) : 2000;

    at_once = argc > 2 ? (unsigned)atoi(argv[2]) : 8;
    if (count < TURNS || at_once < 1 || at_once > AT_ONCE_MAX) {
        fprintf(stderr, "usage: machines [COUNT [AT_ONCE]]\n");
        return 2;
    }
    const char *slash = strrchr(argv[0], '/');
    snprintf(floor_program, sizeof(floor_program), "%.*sstart_floor",
             slash != NULL ? (int)(slash + 1 - argv[0]) : 0, argv[0]);
    vmm_life(); /* says it if there is no KVM */
    compare("in process", vmm_life, floor_life, count);
    write_image();
    compare("processes", vmm_process, floor_process, count / TURNS);
    unlink(image);
    return 0;
}
