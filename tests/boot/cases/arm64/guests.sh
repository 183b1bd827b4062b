# Loading an Image, and the memory of the `virt` machine.
# shellcheck shell=bash disable=SC2154

case_load_image() {
    loads loader arm64
}

case_memory_256m() {
    passes memmap
    expect_out '^memmap: 0000000040000000 0000000010000000 ram$'
}

case_memory_6g() {
    passes memmap --memory 6G
    expect_out '^memmap: 0000000040000000 0000000180000000 ram$'
}
