# Micro-guests that test themselves, and the ways of loading one.
# shellcheck shell=bash disable=SC2154

debug_exit=debug-exit,iobase=0xf4,iosize=4

case_hello() {
    guest hello --no-reboot
    expect_status 0
    expect_equal "$(cat out)" "Hello from real mode"
    expect_no_err
}

case_hello_debug_exit() {
    guest hello --device $debug_exit
    expect_status 1
    expect_equal "$(cat out)" "Hello from real mode"
}

case_ring3() {
    guest ring3
    expect_status 0
    expect_out '^ring3: 30c23a81$'
}

case_string_io() {
    passes string_io
    expect_equal "$(grep -c '^string_io: by rep outsb$' out)" 2
}

case_timer() {
    guest timer
    expect_status 0
    expect_out '^timer: woken 5 times, once each$' '^timer: woken periodically$' \
        '^timer: woken by the PIT$'
}

case_mmio() {
    make_disk disk 16
    passes mmio --disk disk
}

case_registers() {
    make_disk disk 16
    passes registers --disk disk
    # Thousands of refused accesses, a handful of lines.
    [[ $(wc -l <err) -lt 100 ]] || fail "guest errors are not rate-limited"
}

# --- loaders ---------------------------------------------------------------------------

byte_sum() {
    cat "$@" | od -An -v -tu1 | awk '{ for (i = 1; i <= NF; i++) n += $i } END { print n }'
}

# loads FORM PROTOCOL [OPTION...]: the guest, built in that form, sees all it was given.
loads() {
    local form=$1 protocol=$2
    shift 2
    printf 'first' >a
    printf 'second' >b
    guest "$form" --append one --append two=2 --initrd a --initrd b --memory 64M "$@"
    expect_status 0
    expect_out "^protocol: $protocol$" '^command line: (.* )?one two=2( |$)' '^memory: 64 MiB$' \
        '^acpi: yes$' "^initrd: 14 bytes, sum $(byte_sum a b)$"
}

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

case_load_multiboot_flat() {
    guest loader-multiboot-flat --append one
    expect_status 0
    expect_out '^protocol: multiboot$' '^command line: [^ ]*loader-multiboot-flat one$'
}

case_load_acpi_off() {
    guest loader-bzimage --machine pc,acpi=off
    expect_status 0
    expect_out '^acpi: no$'
}

# --- CPUs and memory ---------------------------------------------------------------------

# comes_up CPUS: each of them reports once.
comes_up() {
    guest smp --cpus "$1"
    expect_status 0
    expect_out "^smp: $1 cpus$"
    expect_equal "$(sed -n 's/^cpu \([0-9]*\): up$/\1/p' out | sort -n | tr '\n' ' ')" \
        "$(seq -s ' ' 0 $(($1 - 1))) "
}

case_smp_1() {
    comes_up 1
}

case_smp_2() {
    comes_up 2
}

case_smp_8() {
    comes_up 8
}

case_smp_64() {
    comes_up 64
}

case_smp_acpi_off() {
    guest smp --cpus 3 --machine pc,acpi=off --append cpus=3
    expect_status 0
    expect_out '^smp: 3 cpus$'
}

case_memory_256m() {
    passes memmap
    expect_out '^memmap: 0000000000000000 [0-9a-f]* ram$' \
        '^memmap: 0000000000100000 000000000ff00000 ram$'
}

case_memory_least() {
    guest hello --memory 1M --no-reboot
    expect_status 0
}

# The hole below 4 GiB stays free; the rest of the RAM is behind it.
case_memory_6g() {
    passes memmap --memory 6G
    expect_out '^memmap: 0000000000100000 00000000bff00000 ram$' \
        '^memmap: 0000000100000000 00000000c0000000 ram$'
}

# --- disks -----------------------------------------------------------------------------------

# What guest blk writes to sectors 2 and 3, as numbers.
blk_pattern() {
    local i
    for ((i = 0; i < 1024; i++)); do
        echo $(((3 + i * 7 + i / 512) % 256))
    done
}

case_blk() {
    make_disk disk 64 HEAD
    passes blk --disk disk,serial=a-serial-number
    expect_out "^blk: 64 sectors, id 'a-serial-number', writable$" "begins with 'HEAD'$"
    expect_equal "$(od -An -v -tu1 -w1 -j1024 -N1024 disk | tr -d ' ')" "$(blk_pattern)"
    expect_equal "$(stat -c %s disk)" 32768
}

case_blk_read_only() {
    make_disk disk 64 HEAD
    cp disk before
    passes blk --disk disk,ro
    expect_out 'read-only$'
    cmp disk before || fail "a read-only disk was changed"
}

case_blk_broken_rings() {
    make_disk disk 64
    cp disk before
    passes rings --disk disk
    expect_err 'queue 0 is broken'
    cmp disk before || fail "a broken ring changed the disk"
}

case_two_disks_in_order() {
    make_disk a 10 AAAA
    make_disk b 20 BBBB
    guest disks --disk a --disk b,ro
    expect_status 0
    expect_equal "$(cat out)" "disk 0: 10 sectors, AAAA
disk 1: 20 sectors, BBBB
disks: 2"
}

# --- ends ------------------------------------------------------------------------------------

ends() {
    local expected=$1 how=$2
    shift 2
    guest finish --append "$how" "$@"
    expect_status "$expected"
    expect_out "^finish: (.* )?$how( |$)"
}

case_end_poweroff() {
    ends 0 poweroff
    expect_no_err
}

case_end_debug_exit() {
    ends 1 exit=0 --device $debug_exit
    ends 85 exit=42 --device $debug_exit
    ends 255 exit=127 --device $debug_exit
    ends 1 exit=128 --device $debug_exit
}

case_end_panic() {
    ends 127 panic
}

case_end_triple_fault() {
    ends 126 crash
    expect_err 'triple fault' '^ *rip [0-9a-f]{16} ' '^ *cr0 ' 'code at 0x'
    # AMD's hardware resets the registers: the instruction can no longer be found.
    grep -q 'values of a reset' err || expect_err 'code at 0x1[0-9a-f]{5}: 0f 0b'
}

case_end_timeout_in_loop() {
    ends 124 hang --timeout 1
    expect_err 'timeout'
}

case_end_timeout_in_halt() {
    ends 124 halt --timeout 1
}

# Three starts: CMOS memory counts them, RAM is fresh each time.
reboots() {
    ends 0 "$1"
    expect_equal "$(grep '^finish: start' out | tr '\n' ' ')" \
        "finish: start 1 finish: start 2 finish: start 3 "
    ends 0 "$1" --no-reboot
    expect_equal "$(grep -c '^finish: start' out)" 1
}

case_reboot_by_keyboard() {
    reboots reset-keyboard
}

case_reboot_by_port() {
    reboots reset-port
}

case_reboot_by_acpi() {
    reboots reset-acpi
}

case_reboot_smp() {
    guest finish --cpus 4 --append reset-acpi
    expect_status 0
    expect_out '^finish: start 3$'
}
