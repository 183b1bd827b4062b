# PCI as only the `pc` machine has it.
# shellcheck shell=bash disable=SC2154

case_pci_config_acpi_off() {
    passes pci_config --device edu,addr=5 --machine pc,acpi=off
}

case_pci_ports() {
    passes pci_ports --device edu
}
