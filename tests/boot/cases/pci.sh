# PCI and the devices on it, as far as patterns do not tell (see ../suites).
# shellcheck shell=bash disable=SC2154

# --- the bus -------------------------------------------------------------------

case_pci_config() {
    passes pci_config --device edu,addr=5
    expect_equal "$(sed -n 's/^pci_config: \(.* class\)/\1/p' out)" "00 1b36:0008 class 060000
05 1234:11e8 class 00ff00"
}

case_pci_fuzz() {
    passes pci_fuzz --device edu --device edu --device dma-engine,channels=15,msix=on \
        --append "steps=$(amount 10000 500)"
    # Thousands of refused accesses, a handful of lines.
    [[ $(wc -l <err) -lt 100 ]] || fail "guest errors are not rate-limited"
}

# --device edu, N times, in $devices: many_edus N [PROPERTIES]
many_edus() {
    local i
    devices=()
    for ((i = 0; i < $1; i++)); do
        devices+=(--device "edu${2-}")
    done
}

case_pci_full_bus() {
    many_edus 31
    passes pci_fuzz --append steps=200 "${devices[@]}"
    expect_out '^pci_fuzz: functions: 32$'
    many_edus 32
    refused 2 'no PCI slot' --kernel "$GUESTS/edu" "${devices[@]}"
}

case_platform_full() {
    many_edus "$platform_slots" ,bus=mmio
    passes edu "${devices[@]}"
    many_edus $((platform_slots + 1)) ,bus=mmio
    refused 2 'finds no place' --kernel "$GUESTS/edu" "${devices[@]}"
}

# The memory map while the guest has not run, and after it moved the BAR.
case_pci_moved_bar_in_flatview() {
    vmm --kernel "$GUESTS/barmove" --device edu --info flatview
    expect_status 0
    cp out before
    vmm --kernel "$GUESTS/barmove" --device edu --info flatview,at=end
    expect_status 0
    local from to
    read -r from to < <(sed -n 's/^barmove: from \(.*\) to \(.*\)$/\1 \2/p' out)
    grep -q "$from.*edu" before || fail "no edu at $from before"
    grep -q "$to.*edu" err || fail "no edu at $to afterwards"
    ! grep -q "$from.*edu" err || fail "still an edu at $from"
}

case_dma_engine_bad_properties() {
    local property
    for property in channels=16 channels=0 max_size=0 max_size=2G; do
        refused 2 'out of range' --kernel "$GUESTS/dma_engine" --device "dma-engine,$property"
    done
    refused 2 'has a 0 below a 1' --kernel "$GUESTS/dma_engine" --device dma-engine,dma_mask=5
}
