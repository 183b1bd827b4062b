/*
 * The smallest guest: a flat image without a header that writes a line to the
 * PL011 and resets (vmm --no-reboot ends with status 0).
 */
#define UART_GPA          0x09000000
#define PSCI_SYSTEM_RESET 0x84000009

    .text
    .globl _start
_start:
    mov x1, #UART_GPA
    adr x2, message /* position independent: the image is not linked */
next:
    ldrb w3, [x2], #1
    cbz w3, end
    strb w3, [x1]
    b next

end:
    ldr w0, =PSCI_SYSTEM_RESET
    hvc #0
stop:
    wfi
    b stop
    .ltorg

message:
    .asciz "Hello from a flat image\n"

    .section .note.GNU-stack, "", @progbits
