# Snapshots: what only a PC has.
# shellcheck shell=bash

case_snapshot_other_board() {
    guest snapshot --device snapshot-ready --snapshot-save s
    expect_status 0
    refused 2 'it has acpi=on' --snapshot-load s --machine pc,acpi=off
}
