# What cases of both architectures say in the words of `pc`.
# shellcheck shell=bash disable=SC2034

debug_exit=debug-exit,iobase=0xf4,iosize=4
tables=ACPI
platform_slots=8
edu=edu # whose DMA reaches RAM
edu_mask=

# What a guest says that may have used MSI or MSI-X: by_message KIND
by_message() {
    echo "by $1$"
}
