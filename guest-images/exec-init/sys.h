/*
 * System calls of Linux, for a program without a C library. A result below 0 is
 * -errno. What differs between architectures is in sys_ARCH.h: one function that
 * makes a call, and where the process starts.
 *
 * Source: the kernel's user headers; Linux's calling conventions, syscall(2).
 */
#ifndef EXEC_INIT_SYS_H
#define EXEC_INIT_SYS_H

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/stat.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#include "guest-images/exec-init/sys_x86.h"
#elif defined(__aarch64__)
#include "guest-images/exec-init/sys_arm64.h"
#else
#error "no system calls for this architecture"
#endif

enum {
    SYS_SIGKILL = 9,
    SYS_SIGPIPE = 13,
    SYS_SIGCHLD = 17,
    SYS_SIGNALS = 64,
};

#define SYS_SIGBIT(n) (1ULL << ((n)-1))

#define PTR(p) ((long)(p))

static inline long sys_open(const char *path, int flags)
{
    return sys_call(__NR_openat, AT_FDCWD, PTR(path), flags, 0644, 0, 0);
}

static inline long sys_close(long fd)
{
    return sys_call(__NR_close, fd, 0, 0, 0, 0, 0);
}

static inline long sys_read(long fd, void *buf, size_t len)
{
    return sys_call(__NR_read, fd, PTR(buf), (long)len, 0, 0, 0);
}

static inline long sys_write(long fd, const void *buf, size_t len)
{
    return sys_call(__NR_write, fd, PTR(buf), (long)len, 0, 0, 0);
}

static inline long sys_ioctl(long fd, long request, const void *arg)
{
    return sys_call(__NR_ioctl, fd, request, PTR(arg), 0, 0, 0);
}

static inline long sys_mkdir(const char *path, int mode)
{
    return sys_call(__NR_mkdirat, AT_FDCWD, PTR(path), mode, 0, 0, 0);
}

static inline long sys_mount(const char *type, const char *at)
{
    return sys_call(__NR_mount, PTR(type), PTR(at), PTR(type), 0, 0, 0);
}

static inline long sys_chdir(const char *path)
{
    return sys_call(__NR_chdir, PTR(path), 0, 0, 0, 0, 0);
}

static inline long sys_getdents(long fd, void *buf, size_t len)
{
    return sys_call(__NR_getdents64, fd, PTR(buf), (long)len, 0, 0, 0);
}

static inline long sys_statx(const char *path, struct statx *out)
{
    return sys_call(__NR_statx, AT_FDCWD, PTR(path), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS,
                    PTR(out), 0);
}

static inline long sys_pipe(int fds[2], int flags)
{
    return sys_call(__NR_pipe2, PTR(fds), flags, 0, 0, 0, 0);
}

static inline long sys_dup(int from, int to)
{
    return sys_call(__NR_dup3, from, to, 0, 0, 0, 0);
}

/* A copy of this process, as fork(2). */
static inline long sys_fork(void)
{
    return sys_call(__NR_clone, SYS_SIGCHLD, 0, 0, 0, 0, 0);
}

static inline long sys_execve(const char *path, const char *const *argv, const char *const *envp)
{
    return sys_call(__NR_execve, PTR(path), PTR(argv), PTR(envp), 0, 0, 0);
}

static inline long sys_setsid(void)
{
    return sys_call(__NR_setsid, 0, 0, 0, 0, 0, 0);
}

static inline long sys_kill(long pid, int signo)
{
    return sys_call(__NR_kill, pid, signo, 0, 0, 0, 0);
}

/* Any child, without waiting. */
static inline long sys_wait_any(int *status)
{
    enum { NO_HANG = 1 };

    return sys_call(__NR_wait4, -1, PTR(status), NO_HANG, 0, 0, 0);
}

/* Block exactly the signals of mask. */
static inline long sys_sigmask(uint64_t mask)
{
    enum { SET_MASK = 2 };

    return sys_call(__NR_rt_sigprocmask, SET_MASK, PTR(&mask), 0, sizeof(mask), 0, 0);
}

static inline long sys_signalfd(uint64_t mask)
{
    return sys_call(__NR_signalfd4, -1, PTR(&mask), sizeof(mask), O_CLOEXEC | O_NONBLOCK, 0, 0);
}

/* Look which are ready; wait: until one is. */
static inline long sys_poll(struct pollfd *fds, unsigned count, bool wait)
{
    const long no_time[2] = {0, 0};

    return sys_call(__NR_ppoll, PTR(fds), count, wait ? 0 : PTR(no_time), 0, 0, 0);
}

/* Memory that no fork() copies: a page stays the one it is. */
static inline long sys_map_shared(size_t len)
{
    enum { READ_WRITE = 3, SHARED_ANONYMOUS = 0x21, POPULATE = 0x8000 };

    return sys_call(__NR_mmap, 0, (long)len, READ_WRITE, SHARED_ANONYMOUS | POPULATE, -1, 0);
}

struct sys_iovec {
    void *base;
    size_t len;
};

static inline long sys_vmsplice(long fd, const struct sys_iovec *iov)
{
    return sys_call(__NR_vmsplice, fd, PTR(iov), 1, 0, 0, 0);
}

static inline long sys_pread(long fd, void *buf, size_t len, long offset)
{
    return sys_call(__NR_pread64, fd, PTR(buf), (long)len, offset, 0, 0);
}

static inline long sys_finit_module(long fd, int flags)
{
    return sys_call(__NR_finit_module, fd, PTR(""), flags, 0, 0, 0);
}

static inline void sys_sync(void)
{
    sys_call(__NR_sync, 0, 0, 0, 0, 0, 0);
}

static inline long sys_reboot(unsigned command)
{
    return sys_call(__NR_reboot, (long)0xfee1dead, 672274793, command, 0, 0, 0);
}

static inline void sys_exit(int status)
{
    for (;;) {
        sys_call(__NR_exit_group, status, 0, 0, 0, 0, 0);
    }
}

#endif
