# What cases of both architectures say in the words of `virt`.
# shellcheck shell=bash disable=SC2034

debug_exit=debug-exit
tables='device tree'
platform_slots=15 # one is pvpanic's
edu=edu,dma_mask=0x7fffffff # whose DMA reaches RAM
edu_mask=mask=$((0x7fffffff))
