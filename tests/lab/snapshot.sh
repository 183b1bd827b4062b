# shellcheck shell=sh
# snapshot.sh: sourced by tests/lab/cases: machines that begin at a snapshot (docs/snapshots.md).

# restore NAME [VMM OPTION]...: a machine from $work/snap, whose steps after `ready` must pass.
restore()
{
    begin_case "$1"
    shift
    output=$work/console.$name
    run_vmm --snapshot-load "$work/snap" "$@"
    status=$?
    tr -d '\r' <"$output" >"$log"
    output=''
    check "$name: exit status 0" [ "$status" -eq 0 ]
    for step in $after; do
        prints "guest: $step passed"
    done
    check "$name: nothing is wrong" [ "$(grep -c '^guest: wrong:' "$log")" -eq 0 ]
}

# forks AS KEEP [VMM OPTION]...: one boot, and machines from its snapshot: with disk and PCI devices in use, which
# the step KEEP begins, one after the other and some at a time.
forks()
{
    as=$1 edus=0 with='' after='forked'
    if [ -e "$images/no-modules" ]; then
        skip "$as*forked_devices*" "$(cat "$images/no-modules")"
    else
        edus=1 with=,$2 after='forked forked_devices'
    fi
    shift 2
    boot "$as-boot" 0 "info$with,ready,$(echo "$after" | tr ' ' ,) vmm.edus=$edus vmm.engines=$edus" \
        --initrd "$work/pcitools" --disk "$work/rootfs.img" --device "$edu,dma_delay=0" \
        --device dma-engine,channels=3 --snapshot-save "$work/snap,when=console:ready for a snapshot" "$@"
    check "$as-boot: it stops where it is saved" [ "$(grep -c 'goes on' "$log")" -eq 0 ]
    end_boot
    sum=$(sha256sum <"$work/rootfs.img")
    done=0
    while [ "$done" -lt "${LAB_RESTORES:-8}" ]; do
        for _ in 1 2; do
            done=$((done + 1))
            (
                restore "$as-$done"
                end_boot
            ) >"$work/results.$done" &
        done
        wait
        cat "$work/results.$done" "$work/results.$((done - 1))"
        rm -f "$work/results".* "$work/console."*
    done
    check "$as: no machine wrote to the disk" [ "$sum" = "$(sha256sum <"$work/rootfs.img")" ]
}

group_snapshot()
{
    lean
    forks snapshot keep
    snapshot_disk_full
    touch "$work/rootfs.img"
    "build/$arch/vmm" --snapshot-load "$work/snap" >/dev/null 2>"$errors"
    check "snapshot: a disk that changed is refused" grep -q 'has changed since it was made' "$errors"
    [ "$arch" = arm64 ] || reseeded
}

# A machine goes on from the snapshot and is to be saved where there is no room for it.
snapshot_disk_full()
{
    small_disk snapshot-full 8m || return 0
    echo old >"$work/small/snap"
    said=$logs/snapshot-full.err
    output=/dev/null errors=$said
    run_vmm --snapshot-load "$work/snap" --snapshot-save "$work/small/snap,when=console:goes on"
    status=$?
    output=''
    check "snapshot-full: exit status 125" [ "$status" -eq 125 ] || show "$said"
    check "snapshot-full: is said" \
        grep -q "^vmm: error: cannot write snapshot '.*/small/snap', No space left on device" "$said" || show "$said"
    check "snapshot-full: all that is there is the file of before" \
        [ "$(ls -A "$work/small") $(cat "$work/small/snap")" = 'snap old' ]
    umount "$work/small"
}

# A kernel with a driver for the generation id. Debian's cloud kernel has none, the lab's own has; and the
# modules of the initramfs are not for that one, which is why there is no disk.
reseeded()
{
    cp "$(guest-images/linux/fetch-kernel generic)/bzImage" "$work/generic"
    kernel=generic
    boot reseeded-boot 0 "ready,reseeded" --snapshot-save "$work/snap,when=console:ready for a snapshot"
    end_boot
    lean
    after=reseeded
    for n in 1 2; do
        restore "reseeded-$n"
        end_boot
    done
    check "snapshot: each machine has random numbers of its own" \
        [ "$(sed -n 's/^guest: random //p' "$logs"/reseeded-[12].log | sort -u | wc -l)" -eq 2 ]
}
