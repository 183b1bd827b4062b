# What --machine pc,testdev=on and pm=on add, and --cpu hyperv=on.
# shellcheck shell=bash disable=SC2154

case_testdev() {
    passes testdev --machine pc,testdev=on --cpus 3 --memory 70M
    expect_out '^testdev: 3 CPUs, 70 MiB$'
    expect_no_err
}

case_pci_testdev() {
    passes pci_testdev --machine pc,testdev=on
    for kind in mmio portio; do
        expect_out "^pci_testdev: $kind-no-eventfd" "^pci_testdev: $kind-wildcard-eventfd" \
            "^pci_testdev: $kind-datamatch-eventfd"
    done
    expect_no_err
}

# Also over a reset.
case_hyperv() {
    guest hyperv --cpu host,hyperv=on --device hyperv-testdev
    [[ $status -ne 77 ]] || skip "$(sed -n 's/^vmm: error: //p' err)"
    expect_status 0
    expect_out '^hyperv: ok$'
    expect_no_err
}

case_pm_timer() {
    passes pm_timer --machine pc,pm=on
}

case_s3() {
    guest s3 --machine pc,pm=on --device "$debug_exit"
    expect_status 43 # 21 was in RAM
    expect_out '^s3: good night$'
    expect_no_err
}

case_s3_without_waking_vector() {
    guest s3 --machine pc,pm=on --append lost
    expect_status 0
    expect_out '^s3: started anew$'
}

# Nothing wakes it, so --timeout does.
case_s3_timeout() {
    guest s3 --machine pc,pm=on --timeout 0.1
    expect_status 124
}

case_cli_pm_needs_acpi() {
    refused 2 'pm=on is of no use with acpi=off' --kernel "$GUESTS/hello" --machine pc,pm=on,acpi=off
}

# --- tools/kvm-unit-tests --------------------------------------------------------------

# A folder like one of that project, whose tests are micro-guests: make_tests FILE...
make_tests() {
    local file
    mkdir -p kut/x86
    printf 'ARCH=x86_64\nTEST_DIR=x86\n' >kut/config.mak
    for file; do
        ln -s "$GUESTS/$file" "kut/x86/$file.flat"
    done
    cat >kut/x86/unittests.cfg
}

case_kut_runner() {
    make_tests finish <<'END'
# a comment
[passes]
file = finish.flat
test_args = 'exit=0'
smp = 2
extra_params = -cpu max,host-phys-bits -m 64
[fails]
file = finish.flat
test_args = 'exit=1'
[skips]
file = finish.flat
test_args = 'exit=38'
[aborts]
file = finish.flat
test_args = "exit=63"
[says-nothing]
file = finish.flat
test_args = 'poweroff'
[hangs]
file = finish.flat
test_args = 'hang'
timeout = 1s
[other]
file = finish.flat
test_args = 'exit=0'
arch = i386
[missing]
file = nothing.flat
[by-hand]
file = finish.flat
test_args = 'exit=0'
groups = nodefault
[has-a-device]
file = finish.flat
test_args = 'exit=0'
qemu_params = -device intel-iommu,intremap=on
[without]
file = finish.flat
test_args = 'exit=0'
qemu_params = -machine pit=off
[checked]
file = finish.flat
test_args = 'exit=0'
check = /proc/no/such=Y
END
    run "$top/tools/kvm-unit-tests" --vmm "$(limited_vmm)" kut
    expect_status 1
    expect_out '^ok 1 - passes$' '^not ok 2 - fails: status 3$' \
        '^ok 3 - skips # SKIP all of it is skipped by the test$' '^not ok 4 - aborts: aborted$' \
        '^not ok 5 - says-nothing: ended without a status$' '^not ok 6 - hangs: took longer than 1 s$' \
        '^ok 7 - other # SKIP for i386$' '^ok 8 - missing # SKIP there is no nothing.flat$' \
        '^ok 9 - by-hand # SKIP not run unless asked for' '^ok 10 - .* SKIP vmm has no -device intel-iommu$' \
        '^ok 11 - without$' '^# without: without pit=off$' '^ok 12 - checked # SKIP /proc/no/such is not Y$' \
        '^1\.\.12$' '^2 passed, 4 failed, 6 skipped$'
    run "$top/tools/kvm-unit-tests" --vmm "$(limited_vmm)" kut 'pass*' without
    expect_status 0
    expect_out '^2 passed, 0 failed, 0 skipped$'
}

case_cli_kut_runner_mistakes() {
    run "$top/tools/kvm-unit-tests" --vmm "$VMM" .
    expect_status 2
    expect_err 'has no config.mak'
    run "$top/tools/kvm-unit-tests"
    expect_status 2
    run "$top/tools/kvm-unit-tests" --nonsense .
    expect_status 2
    expect_err "unknown option '--nonsense'"
}

# The project's own tests, if it is there: KVM_UNIT_TESTS=DIR make check-boot BOOT_ARGS=kvm_unit_tests.
if [[ -n ${KVM_UNIT_TESTS-} ]]; then
    case_kvm_unit_tests() {
        limit=7200
        run "$top/tools/kvm-unit-tests" --vmm "$VMM" "$KVM_UNIT_TESTS"
        cat out
        expect_status 0
    }
fi
