# The interrupt controller in snapshots.
# shellcheck shell=bash disable=SC2154

# The guest checks itself in the machine that is saved and goes on, and in one that is restored.
case_snapshot_gicv2() {
    guest gicv2 --machine virt,gic=2 --cpus 3 --device snapshot-ready --snapshot-save s,then=run
    [[ $status -ne 77 ]] || skip "this host has no GICv2 for guests"
    expect_status 0
    expect_out '^generation 0$' '^gicv2: ok$'
    vmm --snapshot-load s
    expect_status 0
    expect_no_err
    expect_out '^generation 1$' '^cpu [0-2]: registers as they were$' '^cpu 0: shared interrupts go on$' \
        '^cpu 1: one of each sender$' '^cpu 2: its interrupt came here$' '^gicv2: ok$'
    refused 2 'it has acpi=.*,gic=2' --snapshot-load s --machine virt,gic=3
}

# Which GIC it is the snapshot knows, though nobody asked for one.
case_snapshot_gic() {
    local has=2 other=3
    if [[ $(by_message MSI) == by* ]]; then has=3 other=2; fi
    guest snapshot --device snapshot-ready --snapshot-save s
    expect_status 0
    vmm --snapshot-load s --machine "virt,gic=$has"
    expect_status 0
    expect_out '^snapshot: ok$'
    refused 2 "it has acpi=.*,gic=$has" --snapshot-load s --machine "virt,gic=$other"
}
