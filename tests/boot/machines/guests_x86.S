/*
 * Guests of a few instructions, as data: each test loads the bytes of one. The names say what it
 * does; where it is loaded matters to none but those that say so.
 */
#define EDU      0xc0000000 /* where board_assign() puts the first BAR */
#define EDU_MMIO 0xfe000000 /* edu,bus=mmio */
#define COM1     0x3f8
#define EXIT     0xf4       /* debug-exit,iobase=0xf4 */
#define LAPIC    0xfee00000
#define SLEEP    0xfea00200 /* ACPI's sleep control */
#define SLEEP_S5 0x34

#define GUEST(name, bits)                                                                          \
    .balign 16;                                                                                    \
    .global guest_##name, guest_##name##_end;                                                      \
    .code##bits;                                                                                   \
    guest_##name:
#define END(name) guest_##name##_end:

        .section .rodata

/* 5! by edu, printed as a character ('x' is 120), then power-off. */
GUEST(factorial, 64)
        mov     $EDU, %edi
        movl    $5, 8(%rdi)
0:      mov     0x20(%rdi), %eax
        test    $1, %al
        jnz     0b
        mov     8(%rdi), %eax
        mov     $COM1, %dx
        out     %al, %dx
        mov     $SLEEP, %edi
        movb    $SLEEP_S5, (%rdi)
        hlt
END(factorial)

/* Every width of access, to edu and to nothing. */
GUEST(widths, 64)
        mov     $EDU, %edi
        mov     0(%rdi), %eax
        mov     $0x1122334455667788, %rax
        mov     %rax, 0x80(%rdi)
        mov     0x80(%rdi), %rax
        movw    $0x1234, 4(%rdi)
        mov     $COM1 + 7, %dx
        mov     $0x5a, %al
        out     %al, %dx
        in      %dx, %al
        mov     $0x5555, %dx
        in      %dx, %eax
        hlt
END(widths)

/* "Hello\n" by one string instruction; loaded at 0x7c00. */
GUEST(string, 16)
        cld
        mov     $(0f - guest_string + 0x7c00), %si
        mov     $6, %cx
        mov     $COM1, %dx
        rep outsb
        cli
        hlt
0:      .ascii  "Hello\n"
END(string)

/* Ends with status 2 * %al + 1, %al being what a test has put there. */
GUEST(exit, 64)
        out     %al, $EXIT
        hlt
END(exit)

GUEST(power_off, 32)
        movb    $SLEEP_S5, SLEEP
        hlt
END(power_off)

/* Keyboard controller: reset. */
GUEST(reboot, 16)
        mov     $0xfe, %al
        out     %al, $0x64
        hlt
END(reboot)

/* No exception can be delivered: there is no IDT. */
GUEST(crash, 64)
        mov     $0x1234, %ebx
        ud2
END(crash)

/* Prints %al for ever. */
GUEST(flood, 64)
        mov     $COM1, %edx
0:      out     %al, %dx
        jmp     0b
END(flood)

GUEST(spin, 64)
0:      jmp     0b
END(spin)

GUEST(halt_for_ever, 64)
        cli
        hlt
        jmp     guest_halt_for_ever
END(halt_for_ever)

/* Sleeps until an interrupt comes, which nobody sends. */
GUEST(sleep, 64)
        sti
        hlt
        jmp     guest_sleep
END(sleep)

/* Writes a port for ever, the number of the write. */
GUEST(chatter, 64)
        .global guest_chatter_next
        xor     %eax, %eax
0:      inc     %eax
        out     %eax, $0x80
guest_chatter_next:
        jmp     0b
END(chatter)

/* Adds 1 to the 8 bytes at 0x2000 and to %r15, and says so at port 0x80, until the register is 3. */
GUEST(count, 64)
        mov     $0x2000, %edi
0:      incq    (%rdi)
        inc     %r15
        mov     %r15b, %al
        out     %al, $0x80
        cmp     $3, %r15
        jne     0b
        hlt
END(count)

/* Sends back what it reads from COM1, polling; ends with '.'. */
GUEST(echo, 64)
        mov     $COM1 + 5, %dx
        in      %dx, %al
        test    $1, %al
        jz      guest_echo
        mov     $COM1, %dx
        in      %dx, %al
        out     %al, %dx
        cmp     $'.', %al
        jne     guest_echo
        mov     $'\n', %al
        out     %al, %dx
        cli
        hlt
END(echo)

/*
 * The 8259s: line 5 at vector 0x25, all others masked. Counts its interrupts at port 0x80.
 * Loaded at 0x7c00, with the vector pointing at 0x7d00: the handler is 0x100 behind.
 */
GUEST(interrupts, 16)
        mov     $0x11, %al
        out     %al, $0x20
        mov     $0x20, %al
        out     %al, $0x21
        mov     $0x04, %al
        out     %al, $0x21
        mov     $0x01, %al
        out     %al, $0x21
        mov     $0xdf, %al
        out     %al, $0x21
        xor     %bx, %bx
0:      sti
        hlt
        jmp     0b
        .org    guest_interrupts + 0x100
        inc     %bx
        mov     $0x20, %al
        out     %al, $0x20
        mov     %bl, %al
        out     %al, $0x80
        iret
END(interrupts)

/*
 * Takes a message at vector 0x40. Loaded at 0x10000; the IDT is built at 0x3000.
 */
GUEST(message, 32)
        movl    $0x1ff, LAPIC + 0xf0
        mov     $(1f - guest_message + 0x10000), %eax
        mov     $(0x3000 + 0x40 * 8), %edi
        mov     %ax, (%edi)
        movw    $0x10, 2(%edi)
        movw    $0x8e00, 4(%edi)
        shr     $16, %eax
        mov     %ax, 6(%edi)
        lidt    2f - guest_message + 0x10000
0:      sti
        hlt
        jmp     0b
1:      movl    $0, LAPIC + 0xb0
        mov     $0x77, %al
        out     %al, $0x80
        iret
2:      .word   0x7ff
        .long   0x3000
END(message)

/* Liveness: what is written comes back inverted. Says at port 0x80 what came. */
GUEST(liveness, 64)
        mov     $EDU, %edi
        movl    $0x0f, 4(%rdi)
        mov     4(%rdi), %eax
        out     %eax, $0x80
        movl    $0x10, 4(%rdi)
        mov     4(%rdi), %eax
        out     %eax, $0x80
        hlt
END(liveness)

/*
 * A transfer of 8 bytes by edu from 0x2000 into its buffer, and back to 0x2100; waits for its ends by
 * polling.
 */
GUEST(transfer, 64)
        mov     $EDU_MMIO, %edi
        movq    $0x2000, 0x80(%rdi)
        movq    $0x40000, 0x88(%rdi)
        movq    $8, 0x90(%rdi)
        movq    $1, 0x98(%rdi)
0:      mov     0x98(%rdi), %rax
        test    $1, %al
        jnz     0b
        movq    $0x40000, 0x80(%rdi)
        movq    $0x2100, 0x88(%rdi)
        movq    $3, 0x98(%rdi)
1:      mov     0x98(%rdi), %rax
        test    $1, %al
        jnz     1b
        hlt
END(transfer)

/*
 * Two CPUs. The first, at 0x10000, starts the second at 0x8000, where guest_second is to be; then each
 * writes 100 times to a port of its own.
 */
GUEST(first, 64)
        mov     $LAPIC, %edi
        movl    $0x1ff, 0xf0(%rdi)
        movl    $0x000c4500, 0x300(%rdi)
        movl    $0x000c4608, 0x300(%rdi)
        mov     $100, %ecx
0:      mov     %cl, %al
        out     %al, $0x80
        loop    0b
        cli
        hlt
END(first)

GUEST(second, 16)
        mov     $100, %cx
0:      mov     %cl, %al
        out     %al, $0xed
        loop    0b
        cli
        hlt
END(second)

        .section .note.GNU-stack, "", @progbits
