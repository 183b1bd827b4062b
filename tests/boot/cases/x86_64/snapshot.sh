# Snapshots: what only a PC has.
# shellcheck shell=bash

case_snapshot_other_board() {
    guest snapshot --device snapshot-ready --snapshot-save s
    expect_status 0
    refused 2 'it has acpi=on' --snapshot-load s --machine pc,acpi=off
    refused 2 'pm=off' --snapshot-load s --machine pc,pm=on
}

# Devices that --machine adds.
case_snapshot_machine_properties() {
    local property
    for property in pm testdev; do
        guest snapshot --device snapshot-ready --machine "pc,$property=on" --snapshot-save s
        expect_status 0
        vmm --snapshot-load s
        expect_status 0
        expect_out '^snapshot: ok$'
        refused 2 "$property=on" --snapshot-load s --machine pc
    done
}
