# What cases of both architectures say in the words of `virt`.
# shellcheck shell=bash disable=SC2034

debug_exit=debug-exit
tables='device tree'
platform_slots=15 # one is pvpanic's
edu=edu,dma_mask=0x7fffffff # whose DMA reaches RAM
edu_mask=mask=$((0x7fffffff))

# What a guest says that may have used MSI or MSI-X: by_message KIND. On a host with no more than a
# GICv2 there are no messages.
by_message() {
    if "$VMM" --kernel "$GUESTS/memmap" --machine virt,gic=3 >/dev/null 2>&1 </dev/null; then
        echo "by $1$"
    else
        echo 'no messages$'
    fi
}
