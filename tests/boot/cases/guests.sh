# Micro-guests of which more is to be seen than patterns tell (see ../suites), and the ways of loading one.
# shellcheck shell=bash disable=SC2154

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
        "^tables: $tables$" "^initrd: 14 bytes, sum $(byte_sum a b)$"
}

# --- CPUs and memory ---------------------------------------------------------------------

# comes_up CPUS: each of them reports once.
comes_up() {
    guest smp --cpus "$1"
    ! grep -q 'KVM on this host runs' err || skip "$(sed -n 's/^vmm: error: //p' err)"
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

# Three starts: what a reset does not reach counts them, RAM is fresh each time. reboots GUEST HOW
reboots() {
    guest "$1" --append "$2"
    expect_status 0
    expect_equal "$(grep "^$1: start" out | tr '\n' ' ')" "$1: start 1 $1: start 2 $1: start 3 "
    guest "$1" --append "$2" --no-reboot
    expect_status 0
    expect_equal "$(grep -c "^$1: start" out)" 1
}

case_reboot() {
    reboots finish reset
}
