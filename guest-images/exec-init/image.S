/* The init of --exec guests, as bytes for src/exec/pack.c. */
    .section .rodata
    .globl exec_init_image, exec_init_size
    .hidden exec_init_image, exec_init_size
    .balign 16
exec_init_image:
    .incbin "init"
1:
    .balign 8
exec_init_size:
    .quad 1b - exec_init_image
    .section .note.GNU-stack, "", %progbits
