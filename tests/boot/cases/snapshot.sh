# Snapshots of micro-guests: saved, restored, refused.
# shellcheck shell=bash disable=SC2034,SC2154

# save [OPTION...]: the guest says ready, and s is what it is then.
save() {
    guest snapshot --device snapshot-ready --snapshot-save s "$@"
    expect_status 0
    expect_out '^snapshot: ready$'
    ! grep -q 'snapshot: ok' out || fail "the guest went on after it was saved"
    expect_equal "$(echo s*)" s
}

restore() {
    vmm --snapshot-load s "$@"
}

case_snapshot() {
    save
    for _ in 1 2 3; do
        restore
        expect_status 0
        expect_no_err
        expect_out '^generation 1$' '^snapshot: ok$'
        ! grep -q 'snapshot: ready' out || fail "it began from the start"
    done
}

case_snapshot_then_run() {
    guest snapshot --device snapshot-ready --snapshot-save s,then=run
    expect_status 0
    expect_out '^snapshot: ready$' '^generation 0$' '^snapshot: ok$'
    restore
    expect_status 0
    expect_out '^generation 1$' '^snapshot: ok$'
}

# A snapshot of a machine that was restored itself.
case_snapshot_of_restored() {
    guest snapshot --device snapshot-ready --append twice --snapshot-save s
    expect_status 0
    vmm --snapshot-load s --snapshot-save t
    expect_status 0
    expect_out '^generation 1$'
    vmm --snapshot-load t
    expect_status 0
    expect_out '^generation 2$' '^snapshot: ok$'
}

case_snapshot_at_console_text() {
    guest snapshot --device snapshot-ready --snapshot-save 's,when=console:shot: re'
    expect_status 0
    expect_equal "$(cat out)" "snapshot: re"
    restore
    expect_status 0
    expect_equal "$(head -n 1 out)" ady
    expect_out '^generation 1$' '^snapshot: ok$'
}

# All that is in a machine: CPUs that run and wait, timers, interrupts, memory on both sides of 4 GiB.
case_snapshot_smp() {
    save --cpus 3 --append smp
    restore
    expect_status 0
    expect_out '^cpu 1 counts on$' '^cpu 2 counts on$' '^timer: goes on$' '^snapshot: ok$'
}

case_snapshot_devices() {
    save --append devices --device edu,dma_mask=0xffffffff --device dma-engine,msix=on
    restore
    expect_status 0
    expect_out '^edu: goes on$' '^dma-engine: goes on$' '^snapshot: ok$'
}

# Memory on both sides of x86-64's hole. arm64 has none, and in its lab each page takes long.
case_snapshot_memory() {
    local memory=4G
    [[ $arch != arm64 ]] || memory=$(amount 4G 1G)
    save --memory "$memory" --append memory
    restore
    expect_status 0
    expect_out '^memory: as it was$' '^snapshot: ok$'
}

# --- disks -----------------------------------------------------------------------------

case_snapshot_disk() {
    make_disk disk 64 before
    touch -d '2026-01-02 03:04:05' disk # whole seconds: all that some cp -p keep
    save --append disk --disk disk
    cp -p disk untouched
    restore
    expect_status 0
    expect_out '^disk: written and read$' '^snapshot: ok$'
    cmp disk untouched || fail "a restored machine wrote to the disk"
    restore # sees nothing of the first one's writes
    expect_status 0
    expect_out '^disk: written and read$'
    cp -p disk elsewhere
    rm disk
    refused 125 "its disk 1, '.*/disk', is missing" --snapshot-load s
    expect_err '^vmm: hint: .*--disk FILE'
    restore --disk elsewhere
    expect_status 0
    refused 2 "it has 1 disks, not 2" --snapshot-load s --disk elsewhere --disk elsewhere
    refused 2 "its disk 1 has the options '', not ',ro'" --snapshot-load s --disk elsewhere,ro
    touch elsewhere
    refused 125 'has changed since it was made: another time' --snapshot-load s --disk elsewhere
    truncate -s 64K elsewhere
    refused 125 'has changed since it was made: another size' --snapshot-load s --disk elsewhere
}

case_disk_overlay() {
    make_disk disk 16
    cp disk before
    passes blk --disk disk,overlay
    cmp disk before || fail "the disk was written"
}

# --- what is refused -----------------------------------------------------------------------

case_snapshot_other_machine() {
    save --memory 64M --cpus 2
    refused 2 'it has 64M of memory, not 128M; it has 2 CPUs, not 1' \
        --snapshot-load s --memory 128M --cpus 1
    refused 2 "its CPUs are 'host', not 'host,-none'" --snapshot-load s --cpu host,-none
    refused 2 "its device 1 is 'snapshot-ready', not 'edu'" --snapshot-load s --device edu
    refused 2 "it has no device 'edu'" --snapshot-load s --device snapshot-ready --device edu
    restore --memory 64M --cpus 2 --device snapshot-ready
    expect_status 0
}

case_snapshot_damaged() {
    save
    local size
    size=$(stat -c %s s)
    for n in 0 63 64 1000 $((size - 1)); do
        head -c "$n" s >t
        refused 125 "(too short for a snapshot|is damaged)" --snapshot-load t
    done
    cp s t
    patch_file t $((size - 60000)) '\001\002\003'
    refused 125 'guest RAM at offset 0x[0-9a-f]* does not match its checksum' --snapshot-load t
    cp s t
    patch_file t 70 '\377'
    refused 125 'does not match its checksum' --snapshot-load t
    printf 'just a text\n%090d' 0 >t
    refused 125 "'t' is no snapshot" --snapshot-load t
    refused 125 'No such file' --snapshot-load none
    refused 125 'no regular file' --snapshot-load /dev/null
}

case_snapshot_disk_full() {
    echo old >s
    last_command="a snapshot larger than ulimit -f"
    (
        ulimit -f 64
        "$LIMIT" "$limit" "$VMM" --kernel "$GUESTS/snapshot" --device snapshot-ready --snapshot-save s >out 2>err
    )
    status=$?
    expect_status 125
    expect_err "^vmm: error: cannot write snapshot 's', File too large"
    expect_equal "$(echo s*) $(cat s)" "s old"
}

case_snapshot_reboot() {
    guest snapshot --device snapshot-ready --append reboot --snapshot-save s
    expect_status 0
    vmm --snapshot-load s
    expect_status 125
    expect_err 'a snapshot has no kernel to load' '^vmm: hint: .*--no-reboot'
    vmm --snapshot-load s --no-reboot
    expect_status 0
    # With the kernel it starts over, in clean memory.
    vmm --snapshot-load s --kernel "$GUESTS/snapshot"
    expect_status 0
    expect_out '^snapshot: ready$' '^snapshot: ok$'
}

case_snapshot_options() {
    refused 2 "when=later is no time" --kernel x --snapshot-save s,when=later
    refused 2 "then=what is nothing to do" --kernel x --snapshot-save s,then=what
    refused 2 "'color' is no part of it" --kernel x --snapshot-save s,color=red
    refused 2 'given twice' --kernel x --snapshot-save s --snapshot-save t
    refused 2 'begins a run' --snapshot-load s --info irq
}

# Boots of a suite that begin from one saved machine, at the same time.
case_snapshot_suite() {
    export TMPDIR=$PWD
    cat >s <<'END'
default timeout ${LIMIT}
prepare ready
    kernel ${GUESTS}/snapshot
    options --device snapshot-ready --memory 64M
    disk scratch 1M
    expect ^snapshot: ready$
    forbid ^snapshot: ok
boot again
    from ready
    expect ^generation 1$
    expect ^snapshot: ok$
    forbid ^snapshot: ready$
    repeat 6
prepare at-text
    kernel ${GUESTS}/snapshot
    options --device snapshot-ready
    ready shot: re
boot from-text
    from at-text
    expect ^ady$
    expect ^snapshot: ok$
prepare never
    kernel ${GUESTS}/hello
    options --no-reboot
boot unborn
    from never
END
    run "$VMM_TEST" --vmm "$(limited_vmm)" -D "LIMIT=$last_resort" -D "GUESTS=$GUESTS" s -j 4
    [[ -z $refusal ]] || skip "$refusal"
    expect_status 1
    expect_verdict never 'no snapshot was made'
    expect_verdict unborn "'never', which it is from: status 125"
    expect_equal "$(tail -n 1 out)" '9 passed, 2 failed, 0 skipped'
    [[ -z $(compgen -G 'vmm-test.*') ]] || fail "a folder was left"
}

# A guest that ends without being ready leaves no file, and that is no success.
case_snapshot_never_ready() {
    guest memmap --snapshot-save s
    expect_status 125
    expect_err '^vmm: error: no snapshot was made: the guest ended before it was ready$' '^vmm: hint: .*snapshot-ready'
    guest memmap --snapshot-save s,when=console:nothing
    expect_status 125
    expect_err "^vmm: hint: no line of its console had 'nothing'$"
    [[ ! -e s ]] || fail "there is a file"
}
