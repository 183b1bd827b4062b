/*
 * A fake KVM for unit tests: every ioctl is written to a log as text and
 * answered by the test, so that no /dev/kvm is needed.
 */
#ifndef TESTS_FAKE_KVM_H
#define TESTS_FAKE_KVM_H

#include "src/kvm/kvm.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define FAKE_DEV_FD   1000 /* never used as real descriptors */
#define FAKE_VM_FD    1001
#define FAKE_RUN_SIZE (3 * 4096)

struct fake_kvm {
    struct kvm kvm;             /* first; pass &fake.kvm */
    char log[8192];             /* what was asked, ";"-separated, see fake_kvm.c for the texts */
    unsigned long fail_request; /* this ioctl fails ... */
    int fail_code;              /* ... with this -errno; 0: none */
    /* Answers before anything else when set; return -ENOSYS to leave it to the fake. */
    int (*answer)(struct fake_kvm *f, int fd, unsigned long request, void *arg);
    void *opaque;         /* for answer */
    pthread_mutex_t lock; /* guards log */
};

/* All capabilities there; 8 slots, 16 vCPUs, 40 routes besides the lines, a coalesced ring. */
void fake_kvm_init(struct fake_kvm *f);

/* Forget the log. */
void fake_kvm_clear(struct fake_kvm *f);

/* The log, also readable while threads add to it only after they ended. */
#define assert_log(f, expected) cr_assert_str_eq((f)->log, expected)

#endif
