# What the documentation shows.

# shellcheck shell=bash disable=SC2154

case_worked_device() {
    command -v patch >/dev/null || skip "there is no patch program (Debian: patch)"
    local limit=90 # it compiles, beside all the other cases
    BUILD=$BUILD run "$top/tests/boot/worked-device" "$PWD/tree"
    expect_status 0
}
