# Micro-guests of what only the `pc` machine has, its ways of loading and its memory map.
# shellcheck shell=bash disable=SC2154

case_hello() {
    guest hello --no-reboot
    expect_status 0
    expect_equal "$(cat out)" "Hello from a flat image"
    expect_no_err
}

case_hello_debug_exit() {
    guest hello --device "$debug_exit"
    expect_status 1
    expect_equal "$(cat out)" "Hello from a flat image"
}

case_string_io() {
    passes string_io
    expect_equal "$(grep -c '^string_io: by rep outsb$' out)" 2
}

# --- loaders ---------------------------------------------------------------------------

case_load_pvh() {
    loads loader pvh
}

case_load_elf64() {
    loads loader-elf64 linux64
}

case_load_bzimage() {
    loads loader-bzimage linux64
}

case_load_multiboot() {
    printf 'NR_CPUS=1\n' >environment
    guest loader-multiboot --append one --initrd environment --memory 64M
    expect_status 0
    expect_out '^protocol: multiboot$' '^command line: [^ ]*loader-multiboot one$' \
        "^initrd: 10 bytes, sum $(byte_sum environment)$" '^memory: 64 MiB$'
}

# --- ends ------------------------------------------------------------------------------------

case_end_triple_fault() {
    guest finish_pc --append crash
    expect_status 126
    expect_err 'triple fault' '^ *rip [0-9a-f]{16} ' '^ *cr0 ' 'code at 0x'
    # AMD's hardware resets the registers: the instruction can no longer be found.
    grep -q 'values of a reset' err || expect_err 'code at 0x1[0-9a-f]{5}: 0f 0b'
}

case_console_restored_after_crash() {
    talk_to_guest expect:crash -- finish_pc --append crash
    expect_status 126
}

case_reboot_by_keyboard() {
    reboots finish_pc keyboard
}

case_reboot_by_port() {
    reboots finish_pc port
}
