# Loading an Image, and the memory of the `virt` machine.
# shellcheck shell=bash disable=SC2154

case_hello() {
    guest hello --no-reboot
    expect_status 0
    expect_equal "$(cat out)" "Hello from a flat image"
    expect_no_err
}

case_load_image() {
    loads loader arm64
}

case_load_packed_image() {
    gzip -c "$GUESTS/memmap" >packed
    vmm --kernel packed
    expect_status 0
    expect_out '^memmap: ok$'
}

case_end_crash() {
    guest crash
    expect_status 126
    expect_err 'KVM cannot carry out' '^ *pc +[0-9a-f]{16} ' 'code at 0x401f[0-9a-f]{4}: '
    expect_equal "$(cat out)" "crash: ldp"
}
