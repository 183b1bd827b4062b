# PCI, edu and dma-engine, on the PCI bus and as platform devices.
# shellcheck shell=bash disable=SC2154

# --- the bus -------------------------------------------------------------------

case_pci_config() {
    passes pci_config --device edu,addr=5
    expect_equal "$(sed -n 's/^pci_config: \(.* class\)/\1/p' out)" "00 1b36:0008 class 060000
05 1234:11e8 class 00ff00"
}

case_pci_bars() {
    passes pci_bars --device edu --device edu,addr=31
}

case_pci_bar_race() {
    passes pci_race --cpus 2 --device edu
}

case_pci_reset() {
    passes pci_reset --device dma-engine,max_size=64M --device edu
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

case_pci_bad_places() {
    local kernel="$GUESTS/edu"
    refused 2 'slot 5 .* taken' --kernel "$kernel" --device edu,addr=5 --device edu,addr=5
    refused 2 'out of range' --kernel "$kernel" --device edu,addr=32
    refused 2 "bus 'usb'" --kernel "$kernel" --device edu,bus=usb
    refused 2 'PCI slot' --kernel "$kernel" --device edu,bus=mmio,addr=3
}

case_edu_bad_properties() {
    refused 2 'out of range' --kernel "$GUESTS/edu" --device edu,dma_delay=70000
    refused 2 'not a number' --kernel "$GUESTS/edu" --device edu,dma_mask=all
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

# --- edu -----------------------------------------------------------------------

case_edu() {
    passes edu --device edu
    expect_out '^edu: PCI function$'
}

case_edu_platform() {
    passes edu --device edu,bus=mmio
    expect_out '^edu: platform device$'
}

case_edu_irq() {
    passes edu_irq --device edu
    expect_out 'by line$' "$(by_message MSI)"
}

case_edu_irq_platform() {
    passes edu_irq --device edu,bus=mmio
    expect_out 'by line$'
}

case_edu_dma() {
    passes edu_dma --device "$edu,dma_delay=0" --append "$edu_mask"
}

case_edu_dma_platform() {
    passes edu_dma --device "$edu,bus=mmio,dma_delay=0" --append "$edu_mask"
}

case_edu_dma_takes_time() {
    passes edu_dma --device "$edu" --append slow
}

case_edu_dma_wide() {
    passes edu_dma --device edu,dma_delay=0,dma_mask=0xffffffffffffffff --memory 4G --append wide
}

case_edu_shared_line() {
    passes edu_shared --device edu,addr=4 --device edu,addr=8
}

# As many requests as keep a slow host under a few seconds; the guest's own default is a million.
case_edu_storm() {
    passes edu_storm --device edu --append requests=3000
    expect_no_err
}

case_edu_storm_platform() {
    passes edu_storm --device edu,bus=mmio --append requests=3000
    expect_no_err
}

case_edu_reboot() {
    passes edu_reboot --device "$edu"
    expect_out '^edu_reboot: start 3$'
}

case_edu_reboot_platform() {
    passes edu_reboot --device "$edu,bus=mmio"
}

# --- dma-engine ----------------------------------------------------------------

case_dma_engine() {
    passes dma_engine --device dma-engine,max_size=2M
    expect_out 'PCI function, channels: 1$'
    passes dma_engine --device dma-engine,max_size=2M,channels=15
}

case_dma_engine_platform() {
    passes dma_engine --device dma-engine,max_size=2M,channels=3,bus=mmio
    expect_out 'platform device, channels: 3$'
}

case_dma_engine_irq() {
    passes dma_engine_irq --device dma-engine,channels=2
    expect_out 'by line$' "$(by_message MSI)"
    passes dma_engine_irq --device dma-engine,channels=2,msix=on
    expect_out 'by line$' "$(by_message MSI-X)"
}

case_dma_engine_irq_platform() {
    passes dma_engine_irq --device dma-engine,channels=2,bus=mmio
}

case_dma_engine_64m() {
    passes dma_engine_large --device dma-engine,channels=2,max_size=64M
}

case_dma_engine_bad_properties() {
    local property
    for property in channels=16 channels=0 max_size=0 max_size=2G; do
        refused 2 'out of range' --kernel "$GUESTS/dma_engine" --device "dma-engine,$property"
    done
    refused 2 'has a 0 below a 1' --kernel "$GUESTS/dma_engine" --device dma-engine,dma_mask=5
}
