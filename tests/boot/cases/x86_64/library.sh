# The library as others use it: installed, found by pkg-config, shared and static. The examples are for x86-64, and
# another architecture's lab has no compiler.
# shellcheck shell=bash disable=SC2154

# Block number N of C in a page of docs, to a file: c_block PAGE N FILE
c_block() {
    awk -v n="$2" '/^```c$/ { at++; on = at == n; next } /^```$/ { on = 0 } on' "$top/docs/$1" >"$3"
    [[ -s $3 ]] || fail "docs/$1 has no C block $2"
}

# Install what is built into ./usr.
install_here() {
    [[ -e $BUILD/lib/libvmm.so ]] || skip "sanitizer builds have no library"
    command -v pkg-config >/dev/null || skip "pkg-config is not installed"
    run make -s -C "$top" ARCH="$arch" install PREFIX="$PWD/usr" MAKEFLAGS=
    expect_status 0
    export PKG_CONFIG_PATH=$PWD/usr/lib/pkgconfig LD_LIBRARY_PATH=$PWD/usr/lib
}

# shellcheck disable=SC2046 # words of pkg-config
case_library_installed() {
    install_here
    c_block libvmm.md 1 example.c
    run cc -Wall -Wextra -Werror example.c -o shared $(pkg-config --cflags --libs vmm)
    expect_status 0
    run ./shared
    expect_status 0
    expect_out '^IO write 1 byte at pc-ports.post\+0x0 value 0x6$' '^all vCPUs are halted'
    run cc example.c -static -o static $(pkg-config --cflags --libs --static vmm)
    expect_status 0
    run env -u LD_LIBRARY_PATH ./static
    expect_status 0
    expect_out '^IO write 1 byte at pc-ports.post\+0x0 value 0x6$' '^all vCPUs are halted'
}

# shellcheck disable=SC2046 # words of pkg-config
case_library_test_kit() {
    install_here
    c_block libvmm.md 2 test.c
    run cc -Wall -Wextra -Werror test.c -o test $(pkg-config --cflags --libs vmm) -lcriterion
    expect_status 0
    run ./test
    expect_status 0
    expect_err 'Passing: 1'
}

# The headers are C++, too, less what is on Criterion.
# shellcheck disable=SC2046 # words of pkg-config
case_cli_library_cplusplus() {
    install_here
    command -v c++ >/dev/null || skip "there is no C++ compiler"
    printf '%s\n' '#include <vmm/vmmtest.h>' 'const char *dead(vmm *m) { return vmmtest_stop_report(m, VMM_DEAD); }' >t.cc
    run c++ -Wall -Werror -fsyntax-only $(pkg-config --cflags vmm) t.cc
    expect_status 0
}

# Only the interface can be seen from outside, in either form.
case_cli_library_symbols() {
    install_here
    nm -D --defined-only usr/lib/libvmm.so.0 | sed 's/.* //' >shared
    nm -g --defined-only usr/lib/libvmm.a | sed -n 's/.* [A-Z] //p' >static
    expect_equal "$(grep -v '^vmm' shared static)" ""
    expect_equal "$(sort shared)" "$(sort static)"
    grep -h '^VMM_API' "$top"/src/lib/vmm{,test}.h | grep -o 'vmm[a-z_]*(' | tr -d '(' | sort >declared
    expect_equal "$(sort shared)" "$(cat declared)"
}

# Writable data is listed, with its reason, in docs/libvmm.md.
case_cli_library_globals() {
    local name
    [[ -e $BUILD/lib/libvmm.so ]] || skip "sanitizer builds have no library"
    command -v objdump >/dev/null || skip "there is no objdump"
    objdump -t "$BUILD/lib/libvmm.so" |
        awk '/ O \.(data|bss|tdata|tbss)[ \t]/ { sub(/\..*/, "", $NF); print $NF }' | sort -u >globals
    while read -r name; do
        [[ $name == completed || $name == __* ]] || # the compiler's
            sed -n '/^## Global data/,/^## Cost/p' "$top/docs/libvmm.md" | grep -q "^|.*\`$name\`.*|" ||
            fail "docs/libvmm.md does not list the global '$name'"
    done <globals
    [[ -s globals ]] || fail "no globals were found, which cannot be"
}
