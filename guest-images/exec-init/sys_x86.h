/*
 * x86-64: the SYSCALL instruction, and the process's first instructions.
 */
#ifndef EXEC_INIT_SYS_X86_H
#define EXEC_INIT_SYS_X86_H

static inline long sys_call(long n, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long ret;

    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}

#define SYS_START                                                                                  \
    __asm__(".globl _start\n"                                                                      \
            "_start:\n"                                                                            \
            "    xor %ebp, %ebp\n"                                                                 \
            "    and $-16, %rsp\n"                                                                 \
            "    call init_main\n"                                                                 \
            "    ud2\n")

#endif
