# The command line: what it refuses and how, and what it prints. Cases cli_*
# run no guest; what they can test on a host without KVM they do.
# shellcheck shell=bash disable=SC2034,SC2154

# --- options ---------------------------------------------------------------------------

case_cli_no_kernel() {
    refused 2 'no kernel'
    expect_err '^vmm: hint: .*--kernel'
}

case_cli_unknown_option() {
    refused 2 'kernal' --kernal x
    expect_err '^vmm: hint: .*--kernel'
    refused 2 'belongs to no option' --kernel "$GUESTS/hello" stray
    refused 2 'needs a value' --kernel
}

# Options of work not yet begun are unknown, not ignored.
case_cli_options_to_come() {
    local option
    for option in --gdb --qmp --monitor; do
        refused 2 'unknown option' --kernel "$GUESTS/hello" "$option" x
    done
}

case_cli_unknown_device() {
    refused 2 "no device 'pvpanik'" --kernel "$GUESTS/hello" --device pvpanik
    expect_err "^vmm: hint: .*'pvpanic'"
    refused 2 "no property 'iobse'" --kernel "$GUESTS/hello" --device debug-exit,iobse=1
    expect_err "^vmm: hint: .*'iobase'"
    refused 2 "'x' is not a number" --kernel "$GUESTS/hello" --device debug-exit,iobase=x
}

case_cli_unknown_names() {
    refused 2 "'pcc'" --kernel "$GUESTS/hello" --machine pcc
    refused 2 "'acpy'" --kernel "$GUESTS/hello" --machine pc,acpy=on
    refused 2 "'mtre'" --info mtre
    expect_err '^vmm: hint: .*mtree'
    refused 2 "'hst'" --kernel "$GUESTS/hello" --cpu hst
    refused 2 "neither on nor off 'yess'" --kernel "$GUESTS/hello" --cpu host,hyperv=yess
    refused 2 "'kvm_exot'" --kernel "$GUESTS/hello" --trace kvm_exot
    refused 2 "'stdoi'" --kernel "$GUESTS/hello" --console stdoi
    expect_err '^vmm: hint: .*stdio'
}

# What is wrong is seen before KVM is asked for.
case_cli_hyperv() {
    refused 2 'no Hyper-V interface' --info qtree --device hyperv-testdev
    expect_err '^vmm: hint: --cpu host,hyperv=on$'
    refused 2 'snapshot-save does not go with --cpu hyperv=on' --kernel "$GUESTS/hello" --cpu host,hyperv=on \
        --snapshot-save saved
    prints 'dev: hyperv-testdev' --info qtree --cpu host,hyperv=on --device hyperv-testdev
    prints '^hyperv=on$' --cpu help
}

case_cli_bad_timeout() {
    local value
    for value in 0 -1 x 1x '' nan inf 1e99; do
        refused 2 'timeout' --kernel "$GUESTS/hello" --timeout "$value"
    done
}

# --- CPUs and memory ---------------------------------------------------------------------

case_cli_bad_cpus() {
    local value
    for value in 0 -1 x '' 4294967296 99999999999999999999; do
        refused 2 'cpus' --kernel "$GUESTS/hello" --cpus "$value"
    done
}

case_cli_bad_memory() {
    local value
    for value in 0 1 4097 x '' -1 1X 99999999999999999999 99999999T; do
        refused 2 'memory' --kernel "$GUESTS/hello" --memory "$value"
        expect_err '^vmm: hint: .*--memory 256M'
    done
    refused 125 "more than this host's" --kernel "$GUESTS/hello" --memory 64T
    expect_err '^vmm: hint: .*--memory [0-9]'
}

# --- kernels -------------------------------------------------------------------------------

case_cli_bad_kernel_file() {
    : >empty
    mkdir folder
    refused 125 'No such file' --kernel missing
    refused 125 'empty' --kernel empty
    refused 125 'directory' --kernel folder
    refused 125 'not a regular file' --kernel /dev/null
    refused 125 'program' --kernel /bin/sh
    refused 125 'text file' --kernel /etc/passwd
    head -c 700000 /dev/zero | tr '\0' '\200' >large
    refused 125 'not a kernel format' --kernel large
    expect_err '^vmm: hint: .*bzImage'
}

# Each form, cut off inside its header and inside its contents.
case_cli_truncated_kernel() {
    local form size
    for form in loader loader-elf64 loader-bzimage loader-multiboot; do
        for size in 30 3000; do
            head -c $size "$GUESTS/$form" >short
            [[ $form != loader-bzimage || $size -gt 600 ]] || continue
            refused 125 'truncated' --kernel short
        done
    done
}

case_cli_kernel_of_another_architecture() {
    cp "$GUESTS/loader" arm64_elf
    patch_file arm64_elf 18 '\xb7\x00'
    refused 125 'arm64' --kernel arm64_elf
    truncate -s 4096 arm64_image
    patch_file arm64_image 56 'ARMd'
    refused 125 'arm64 Linux Image' --kernel arm64_image
    expect_err '^vmm: hint: .*architecture'
}

# ELF files that say absurd things. Offsets: ELF64 header, then its first program header at 64.
case_cli_absurd_elf() {
    local changes=(
        '32 \xff\xff\xff\xff\xff\xff\xff\x7f'    # program headers far behind the end
        '54 \x01\x00'                            # of one byte each
        '56 \xff\xff'                            # 65535 of them
        '56 \x00\x00'                            # none
        '72 \xff\xff\xff\xff\xff\xff\xff\xff'    # segment at offset 2^64 - 1
        '88 \x00\x00\x00\x00\x00\x00\x00\x00'    # loaded over vmm's own tables
        '88 \x00\xf0\xff\xff\xff\xff\xff\xff'    # loaded at the top of the address space
        '88 \x00\x00\x00\xe0\x00\x00\x00\x00'    # loaded where no RAM is
        '96 \xff\xff\xff\xff\xff\xff\xff\xff'    # with 2^64 - 1 bytes in the file
        '104 \xff\xff\xff\xff\xff\xff\xff\xff'   # with 2^64 - 1 bytes in memory
        '104 \x00\x00\x00\x00\x00\x00\x00\x00'   # with fewer bytes in memory than in the file
    )
    local change
    for change in "${changes[@]}"; do
        cp "$GUESTS/loader" absurd
        patch_file absurd "${change% *}" "${change#* }"
        refused 125 'kernel absurd' --kernel absurd
    done
}

case_cli_initrd() {
    refused 125 'initrd missing.*No such file' --kernel "$GUESTS/loader" --initrd missing
    truncate -s 200M large
    refused 125 'initrd large.*do not fit' --kernel "$GUESTS/loader" --initrd large --memory 128M
    expect_err '^vmm: hint: .*--memory [0-9]*M'
    truncate -s 1000M large
    refused 125 'do not fit' --kernel "$GUESTS/loader-bzimage" --initrd large
}

# --- disks -----------------------------------------------------------------------------------

case_cli_bad_disk() {
    : >empty
    mkdir folder
    refused 125 'No such file' --kernel "$GUESTS/hello" --disk missing
    refused 125 'empty' --kernel "$GUESTS/hello" --disk empty
    refused 125 'directory' --kernel "$GUESTS/hello" --disk folder
    make_disk disk 8
    refused 2 "format 'qcow2'" --kernel "$GUESTS/hello" --disk disk,format=qcow2
    refused 2 "no property 'rw'" --kernel "$GUESTS/hello" --disk disk,rw
}

case_disk_without_permission() {
    make_disk disk 8
    chmod 0 disk
    if [[ $(id -u) -eq 0 ]]; then # root may open everything, by a capability it can give up
        command -v setpriv >/dev/null || skip "setpriv is not installed"
        run setpriv --bounding-set=-all --inh-caps=-all \
            "$VMM" --kernel "$GUESTS/hello" --disk disk
    else
        vmm --kernel "$GUESTS/hello" --disk disk
    fi
    expect_status 125
    expect_err '^vmm: error: .*disk.*Permission denied'
}

# The last bytes, less than a sector, stay as they are and the guest cannot reach them.
case_disk_with_tail() {
    make_disk disk 8
    printf 'tail' >>disk
    passes blk --disk disk
    expect_out '^blk: 8 sectors'
    expect_err '^vmm: warning: .*multiple of 512'
    expect_equal "$(tail -c 4 disk)" tail
    expect_equal "$(stat -c %s disk)" $((8 * 512 + 4))
}

case_disk_in_use() {
    make_disk disk 8
    background ready echo --disk disk
    guest disks --disk disk
    expect_status 125
    expect_err '^vmm: error: .*disk.*(use|lock)'
    guest disks --disk disk,ro
    expect_status 125
    stop_background
    guest disks --disk disk
    expect_status 0
}

case_disk_shared_read_only() {
    make_disk disk 8
    background ready echo --disk disk,ro
    guest disks --disk disk,ro
    expect_status 0
    guest disks --disk disk
    expect_status 125
}

# --- hosts without KVM -----------------------------------------------------------------------

# vmm as a user who may do nothing.
as_nobody() {
    command -v setpriv >/dev/null || skip "setpriv is not installed"
    chmod 755 "$tmp" .
    cp "$VMM" ./vmm_copy
    cp "$GUESTS/hello" ./hello_copy
    setpriv --reuid=65534 --regid=65534 --clear-groups ./vmm_copy --version >/dev/null 2>&1 ||
        skip "this host lets nobody run nothing"
    run setpriv --reuid=65534 --regid=65534 --clear-groups ./vmm_copy "${@/$GUESTS\/hello/hello_copy}"
}

case_cli_no_permission_on_kvm() {
    refusal_wanted=1
    [[ -e /dev/kvm ]] || skip "there is no /dev/kvm"
    if [[ $(id -u) -eq 0 ]]; then
        [[ $(stat -c %a /dev/kvm) == *[0145] ]] || skip "everyone may use /dev/kvm"
        as_nobody --kernel "$GUESTS/hello"
    else
        [[ ! -w /dev/kvm ]] || skip "this user may use /dev/kvm"
        vmm --kernel "$GUESTS/hello"
    fi
    expect_status 77
    expect_err '^vmm: error: no permission to use /dev/kvm' '^vmm: hint: '
}

case_cli_no_kvm() {
    refusal_wanted=1
    local hide='mount -t tmpfs none /dev && exec "$@"'
    local namespace=(unshare --mount --propagation private)
    [[ $(id -u) -eq 0 ]] || namespace+=(--map-root-user)
    "${namespace[@]}" sh -c "$hide" - true 2>/dev/null || skip "unshare and mount are not allowed"
    run "${namespace[@]}" sh -c "$hide" - "$VMM" --kernel "$GUESTS/hello"
    expect_status 77
    expect_err '^vmm: error: .*/dev/kvm' '^vmm: hint: '
}

# --- what it prints ---------------------------------------------------------------------------

# prints PATTERN OPTION...
prints() {
    local pattern=$1
    shift
    vmm "$@"
    expect_status 0
    expect_no_err
    expect_out "$pattern"
}

case_cli_help() {
    prints '^usage: vmm' --help
    expect_out '--kernel FILE' '--disk ' '--timeout '
    prints '^vmm [0-9]+\.' --version
    prints '^debug-exit ' --device help
    expect_out '^pvpanic ' '^virtio-blk '
    prints 'iobase' --device debug-exit,help
    expect_out 'iosize'
    prints '^pc ' --machine help
    expect_out 'acpi'
    prints 'kvm_exit' --trace help
}

# A closed pipe behind --help is an error, not a crash.
case_cli_help_to_full_disk() {
    [[ -c /dev/full ]] || skip "there is no /dev/full"
    "$VMM" --help >/dev/full 2>err
    status=$?
    expect_status 125
    expect_err 'standard output'
}

case_cli_info() {
    make_disk disk 8
    prints '0*3f8' --info mtree
    prints '0*feb00[0-9a-f]*' --info flatview --disk disk
    prints 'uart16550' --info qtree
    prints 'addr 00:05\.0, pci id 1234:11e8 \(sub 1af4:1100\)' --info qtree --device edu,addr=5
    prints 'bar 0: mem at 0xc0000000 \[0xc00fffff\]' --info qtree --device edu
    prints '4' --info irq
    prints 'gsi 13: edu INTA' --info irq --device edu,addr=5
    prints 'gsi 10: edu' --info irq --device edu,bus=mmio
}

case_cli_dump_acpi() {
    make_disk disk 8
    mkdir tables
    vmm --dump-acpi tables --disk disk --cpus 2
    expect_status 0
    local table
    for table in rsdp xsdt dsdt facp apic; do
        [[ -s $(find tables -iname "$table*" | head -n 1) ]] || fail "no table $table in $(ls tables)"
    done
    refused 125 'No such file' --dump-acpi missing/folder
}

case_cli_doctor() {
    refusal_wanted=1
    vmm --doctor
    [[ $status -eq 0 || $status -eq 77 ]] || fail "status 0 or 77 was expected"
    expect_out '/dev/kvm'
}

# --- traces -----------------------------------------------------------------------------------

case_trace_to_file() {
    guest hello --no-reboot --trace 'kvm_*,mem_*' --trace-file trace
    expect_status 0
    expect_no_err
    expect_equal "$(cat out)" "Hello from a flat image"
    grep -q 'kvm_exit' trace || fail "no kvm_exit in the trace"
    grep -q 'uart' trace && fail "an event that was not asked for"
    return 0
}

case_trace_to_json() {
    guest hello --no-reboot --trace '*' --trace-file trace.json
    expect_status 0
    expect_equal "$(head -c 1 trace.json)" "["
    expect_equal "$(tail -c 2 trace.json | tr -d '\n')" "]"
}

case_trace_to_stderr() {
    guest hello --no-reboot --trace uart_tx
    expect_status 0
    expect_err 'uart_tx'
}

case_cli_trace_bad_file() {
    refused 125 'No such file' --kernel "$GUESTS/hello" --trace '*' --trace-file missing/trace
    refused 2 'without --trace' --kernel "$GUESTS/hello" --trace-file trace
}
