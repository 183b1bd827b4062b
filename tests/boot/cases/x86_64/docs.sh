# What the documentation shows.

# shellcheck shell=bash disable=SC2154

# Do what docs/PAGE.md shows.
follow() {
    command -v patch >/dev/null || skip "there is no patch program (Debian: patch)"
    local limit
    limit=$(amount 90 600) # it compiles, beside all the other cases
    BUILD=$BUILD run "$top/tests/boot/worked-page" "docs/$1.md" "$PWD/tree"
    expect_status 0
}

case_worked_device() {
    follow adding-a-device
}

case_unit_boot_tests() {
    case $BUILD in *san*) skip "programs without the sanitizer cannot use this libvmm" ;; esac
    follow unit-boot-tests
}
