/*
 * The first two sectors of a bzImage: the setup header (offsets and names as
 * in Linux Documentation/arch/x86/boot.rst) and no real-mode code.
 */
    .section .setup, "a"
setup:
    .org setup + 0x1f1
    .byte 1                                /* setup_sects: this sector and one more */
    .short 0                               /* root_flags */
    .long image_paragraphs                 /* syssize */
    .short 0, 0xffff, 0                    /* ram_size, vid_mode, root_dev */
    .short 0xaa55
    .short 0x66eb                          /* jump over the header */
    .ascii "HdrS"
    .short 0x020f                          /* version 2.15 */
    .org setup + 0x211
    .byte 1                                /* loadflags: LOADED_HIGH */
    .org setup + 0x214
    .long image_start                      /* code32_start */
    .org setup + 0x22c
    .long 0x7fffffff                       /* initrd_addr_max */
    .long 0x100000                         /* kernel_alignment */
    .org setup + 0x236
    .short 1                               /* xloadflags: 64-bit entry */
    .long 2047                             /* cmdline_size */
    .org setup + 0x258
    .quad image_start                      /* pref_address */
    .long image_size                       /* init_size */
    .org setup + 0x400

    .section .note.GNU-stack, "", @progbits
