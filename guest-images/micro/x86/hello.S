/*
 * The smallest guest: a flat real-mode image at 0000:7c00 that writes a line to
 * COM1 and ends, through debug-exit when there is one, else by a reset
 * (vmm --no-reboot ends with status 0).
 */
#define PORT_COM1       0x3f8
#define PORT_DEBUG_EXIT 0xf4
#define PORT_KEYBOARD   0x64
#define KEYBOARD_RESET  0xfe

    .text
    .code16
    .globl _start
_start:
    cli
    cld
    /* Position independent: the image is not linked. */
    call here
here:
    pop %si
    add $message - here, %si
    mov $PORT_COM1, %dx
next:
    lodsb
    test %al, %al
    jz end
    outb %al, %dx
    jmp next

end:
    outb %al, $PORT_DEBUG_EXIT
    mov $KEYBOARD_RESET, %al
    outb %al, $PORT_KEYBOARD
stop:
    hlt
    jmp stop

message:
    .asciz "Hello from a flat image\n"

    .section .note.GNU-stack, "", @progbits
