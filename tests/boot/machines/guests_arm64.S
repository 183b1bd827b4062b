/*
 * Guests of a few instructions, as data: each test loads the bytes of one. The names say what it does;
 * those of guests_x86.S do the same there. The MMU is off: data in memory goes past the caches, so that
 * guests which share some with a test clean them.
 */
#define EDU        0x10000000 /* where board_assign() puts the first BAR */
#define EDU_MMIO   0x0c100000 /* edu,bus=mmio: behind pvpanic */
#define DEBUG_EXIT 0x0c100000
#define PVPANIC    0x0c000000
#define NOTHING    0x0b000000
#define RAM        0x40000000
#define UART       0x09000000
#define UART_FR    0x18
#define UART_IBRD  0x24 /* two registers without an effect, to tell a test numbers */
#define UART_FBRD  0x28

/* Source: Arm DEN 0022 (PSCI), less 0x84000000. */
#define CPU_OFF      2
#define CPU_ON       3
#define SYSTEM_OFF   8
#define SYSTEM_RESET 9

/* Source: Arm IHI 0048 (GICv2), 0069 (GICv3). */
#define GICD         0x08000000
#define GICC         0x08010000 /* GICv2 */
#define GICR         0x080a0000 /* GICv3 */
#define ICC_IAR1     S3_0_C12_C12_0
#define ICC_EOIR1    S3_0_C12_C12_1
#define ICC_SRE      S3_0_C12_C12_5
#define ICC_IGRPEN1  S3_0_C12_C12_7
#define ICC_PMR      S3_0_C4_C6_0

#define GUEST(name)                                                                                \
    .balign 16;                                                                                    \
    .global guest_##name, guest_##name##_end;                                                      \
    guest_##name:
#define END(name) guest_##name##_end:

        .macro psci function
        mov     w0, #0x84000000
        add     w0, w0, #\function
        hvc     #0
        .endm

        .section .rodata

/* 5! by edu, printed as a character ('x' is 120), then power-off. */
GUEST(factorial)
        mov     x1, #EDU
        mov     w0, #5
        str     w0, [x1, #8]
0:      ldr     w0, [x1, #0x20]
        tbnz    w0, #0, 0b
        ldr     w0, [x1, #8]
        mov     x2, #UART
        str     w0, [x2]
        psci    SYSTEM_OFF
END(factorial)

/* Every width of access, to edu, to the UART and to nothing. */
GUEST(widths)
        mov     x1, #EDU
        mov     x2, #UART
        mov     x3, #NOTHING
        ldr     w0, [x1]
        movz    x0, #0x1122, lsl #48
        movk    x0, #0x3344, lsl #32
        movk    x0, #0x5566, lsl #16
        movk    x0, #0x7788
        str     x0, [x1, #0x80]
        ldr     x0, [x1, #0x80]
        mov     w0, #0x1234
        strh    w0, [x1, #4]
        strb    w0, [x2, #UART_FBRD]
        ldrb    w0, [x2, #UART_FBRD]
        ldr     w0, [x3]
        psci    CPU_OFF
END(widths)

/* Ends with status 2 * w0 + 1, w0 being what a test has put there. */
GUEST(exit)
        mov     x1, #DEBUG_EXIT
        str     w0, [x1]
0:      b       0b
END(exit)

GUEST(power_off)
        psci    SYSTEM_OFF
END(power_off)

GUEST(reboot)
        psci    SYSTEM_RESET
END(reboot)

GUEST(panic)
        mov     x1, #PVPANIC
        mov     w0, #1
        strb    w0, [x1]
0:      b       0b
END(panic)

/* KVM is not told what a pair of registers reads from a device. */
GUEST(crash)
        mov     x2, #UART
        ldp     x0, x1, [x2]
END(crash)

/* Prints w0 for ever. */
GUEST(flood)
        mov     x1, #UART
0:      str     w0, [x1]
        b       0b
END(flood)

GUEST(spin)
0:      b       0b
END(spin)

GUEST(halt_for_ever)
        psci    CPU_OFF
END(halt_for_ever)

/* Sleeps until an interrupt comes, which nobody sends. */
GUEST(sleep)
        wfi
        b       guest_sleep
END(sleep)

/* Writes a register for ever, the number of the write. */
GUEST(chatter)
        .global guest_chatter_next
        mov     x1, #UART
        mov     w0, #0
0:      add     w0, w0, #1
        str     w0, [x1, #UART_IBRD]
guest_chatter_next:
        b       0b
END(chatter)

/* Adds 1 to the 8 bytes at RAM + 0x2000 and to x15, and says so, until the register is 3. */
GUEST(count)
        mov     x1, #UART
        mov     x2, #RAM
        add     x2, x2, #0x2000
0:      dc      civac, x2
        dsb     sy
        ldr     x0, [x2]
        add     x0, x0, #1
        str     x0, [x2]
        dsb     sy
        dc      civac, x2
        dsb     sy
        add     x15, x15, #1
        str     w15, [x1, #UART_IBRD]
        cmp     x15, #3
        b.ne    0b
        psci    CPU_OFF
END(count)

/* Sends back what it reads from the UART, polling; ends with '.'. */
GUEST(echo)
        mov     x1, #UART
0:      ldr     w0, [x1, #UART_FR]
        tbnz    w0, #4, 0b /* there is nothing */
        ldr     w0, [x1]
        str     w0, [x1]
        cmp     w0, #'.'
        b.ne    0b
        mov     w0, #'\n'
        str     w0, [x1]
        psci    CPU_OFF
END(echo)

/*
 * SPI 100 of the GIC, which is interrupt 132, at its edge; all others are off. Counts its interrupts in
 * x15 and says so. x6 is 0 where it is a GICv2: that has no field in GICD_TYPER for the bits of a number.
 * Loaded where a table of vectors can be, of which the one it needs is 0x280 behind.
 */
GUEST(interrupts)
        adr     x0, guest_interrupts
        msr     vbar_el1, x0
        mov     x1, #GICD
        mov     x2, #GICR
        mov     x3, #UART
        mov     x5, #GICC
        ldr     w6, [x1, #4]    /* GICD_TYPER */
        and     w6, w6, #0xf80000
        cbz     w6, 1f
        ldr     w0, [x2, #0x14] /* GICR_WAKER: no sleep */
        and     w0, w0, #~2
        str     w0, [x2, #0x14]
        mov     w0, #0x12
        str     w0, [x1]        /* GICD_CTLR: group 1, affinity routing */
        mov     w0, #-1
        str     w0, [x1, #0x90] /* GICD_IGROUPR4 */
        add     x4, x1, #0x6000
        str     xzr, [x4, #0x420] /* GICD_IROUTER132: CPU 0 */
        mov     x0, #1
        msr     ICC_SRE, x0
        isb
        mov     x0, #0xff
        msr     ICC_PMR, x0
        mov     x0, #1
        msr     ICC_IGRPEN1, x0
        isb
        b       2f
1:      mov     w0, #1
        str     w0, [x1]         /* GICD_CTLR */
        strb    w0, [x1, #0x884] /* GICD_ITARGETSR: CPU 0 */
        str     w0, [x5]         /* GICC_CTLR */
        mov     w0, #0xff
        str     w0, [x5, #4]     /* GICC_PMR */
2:      mov     w0, #0x200
        str     w0, [x1, #0xc20] /* GICD_ICFGR8 */
        mov     w0, #0xa0
        strb    w0, [x1, #0x484] /* GICD_IPRIORITYR */
        mov     w0, #0x10
        str     w0, [x1, #0x110] /* GICD_ISENABLER4 */
        msr     daifclr, #2
3:      wfi
        b       3b
        .org    guest_interrupts + 0x280
        add     x15, x15, #1
        cbz     w6, 4f
        mrs     x0, ICC_IAR1
        str     w15, [x3, #UART_IBRD]
        msr     ICC_EOIR1, x0
        isb
        eret
4:      ldr     w0, [x5, #0xc]  /* GICC_IAR */
        str     w15, [x3, #UART_IBRD]
        str     w0, [x5, #0x10] /* GICC_EOIR */
        eret
END(interrupts)

/* Liveness: what is written comes back inverted. Says what came. */
GUEST(liveness)
        mov     x1, #EDU
        mov     x2, #UART
        mov     w0, #0x0f
        str     w0, [x1, #4]
        ldr     w0, [x1, #4]
        str     w0, [x2, #UART_IBRD]
        mov     w0, #0x10
        str     w0, [x1, #4]
        ldr     w0, [x1, #4]
        str     w0, [x2, #UART_IBRD]
        psci    CPU_OFF
END(liveness)

/*
 * A transfer of 8 bytes by edu from RAM + 0x2000 into its buffer, and back to RAM + 0x2100; waits for its
 * ends by polling.
 */
GUEST(transfer)
        mov     x1, #EDU_MMIO
        mov     x2, #RAM
        add     x2, x2, #0x2000
        mov     x3, #0x40000
        str     x2, [x1, #0x80]
        str     x3, [x1, #0x88]
        mov     x0, #8
        str     x0, [x1, #0x90]
        mov     x0, #1
        str     x0, [x1, #0x98]
0:      ldr     x0, [x1, #0x98]
        tbnz    x0, #0, 0b
        add     x2, x2, #0x100
        str     x3, [x1, #0x80]
        str     x2, [x1, #0x88]
        mov     x0, #3
        str     x0, [x1, #0x98]
1:      ldr     x0, [x1, #0x98]
        tbnz    x0, #0, 1b
        psci    CPU_OFF
END(transfer)

/*
 * Two CPUs. The first starts the second at RAM + 0x8000, where guest_second is to be; then each writes 100
 * times to a register of its own.
 */
GUEST(first)
        mov     w0, #0xc4000000
        add     w0, w0, #CPU_ON
        mov     x1, #1 /* its affinity */
        mov     x2, #RAM
        add     x2, x2, #0x8000
        mov     x3, #0
        hvc     #0
        mov     x1, #UART
        mov     w2, #100
0:      str     w2, [x1, #UART_IBRD]
        subs    w2, w2, #1
        b.ne    0b
        psci    CPU_OFF
END(first)

GUEST(second)
        mov     x1, #UART
        mov     w2, #100
0:      str     w2, [x1, #UART_FBRD]
        subs    w2, w2, #1
        b.ne    0b
        psci    CPU_OFF
END(second)

        .section .note.GNU-stack, "", %progbits
