# What a boot test can use. Sourced by run, which sets VMM, GUESTS, TALK, LIMIT
# and refusal (why this host runs no guests; empty if it does).
#
# vmm and guest leave the exit status in $status, standard output in the file
# out and standard error in err; the expect_ functions look at these and end the
# case where something differs.

# shellcheck shell=bash

# How much a case does: amount NORMALLY IN_THE_LAB, where every exit takes long.
amount() {
    if [[ -z ${LAB-} ]]; then echo "$1"; else echo "$2"; fi
}

# No command may take more, in seconds of CPU time (limit.c). Where a clock is the only measure, ten times as long.
limit=$(amount 20 90)
[[ $BUILD != *-?san* ]] || limit=$((10 * limit)) # sanitizers multiply the work
last_resort=$((10 * limit))

background_pid=""
status=none
refusal_wanted=

show_last_run() {
    echo "command: $last_command"
    echo "status: $status"
    local file
    for file in out err; do
        if [[ -s $file ]]; then
            echo "$file:"
            head -c 2000 "$file" | cat -v | sed 's/^/  /'
        fi
    done
}

fail() {
    echo "failed: $*"
    [[ -z ${last_command-} ]] || show_last_run
    exit 1
}

skip() {
    echo "$*"
    exit 77
}

# --- running vmm -----------------------------------------------------------------

# Run a command that ends by itself. Standard input is the caller's.
run() {
    last_command=$*
    "$LIMIT" "$limit" "$@" >out 2>err
    status=$?
    ! grep -aq '^limit: error: ' err || fail "it did not come to its end"
    # A host without KVM answers so before much else.
    [[ $status -ne 77 || -z $refusal || -n $refusal_wanted ]] || skip "$refusal"
}

vmm() {
    run "$VMM" "$@"
}

# limited_vmm: print the name of a program that is vmm with its limit, for what starts many.
limited_vmm() {
    printf '#!/bin/sh\nexec "%s" "%s" "%s" "$@"\n' "$LIMIT" "$limit" "$VMM" >limited-vmm
    chmod +x limited-vmm
    echo "$PWD/limited-vmm"
}

# guest NAME [OPTION...]
guest() {
    local name=$1
    shift
    vmm --kernel "$GUESTS/$name" "$@"
}

# A guest on a pseudo-terminal: talk's steps, "--", guest name and options.
talk_to_guest() {
    local steps=()
    while [[ $1 != -- ]]; do
        steps+=("$1")
        shift
    done
    local name=$2
    shift 2
    run "$TALK" "${steps[@]}" -- "$LIMIT" "$limit" "$VMM" --kernel "$GUESTS/$name" "$@"
}

# Start a guest and go on when its output has a line with TEXT: background TEXT NAME [OPTION...]
background() {
    local text=$1 name=$2 words
    shift 2
    last_command="$VMM --kernel $GUESTS/$name $*"
    status=running
    mkfifo background
    "$LIMIT" "$limit" "$VMM" --kernel "$GUESTS/$name" "$@" >background 2>background_err </dev/null &
    background_pid=$!
    exec 9<background
    while IFS= read -r words <&9; do
        [[ $words != *"$text"* ]] || return 0
    done
    cat background_err
    fail "no line with '$text' came"
}

# End the guest in the background with a signal; its status goes to $status.
stop_background() {
    [[ -n $background_pid ]] || return 0
    kill "-${1:-TERM}" "$background_pid" 2>/dev/null
    wait "$background_pid"
    status=$?
    background_pid=
}

# --- looking at what came ------------------------------------------------------------

expect_status() {
    [[ $status -eq $1 ]] || fail "status $1 was expected"
}

# Lines of standard output, of standard error: extended regular expressions, one an argument.
expect_out() {
    local pattern
    for pattern; do
        LC_ALL=C grep -Eq -- "$pattern" out || fail "out has no line '$pattern'"
    done
}

expect_err() {
    local pattern
    for pattern; do
        LC_ALL=C grep -Eq -- "$pattern" err || fail "err has no line '$pattern'"
    done
}

expect_no_err() {
    [[ ! -s err ]] || fail "err was to be empty"
}

expect_equal() {
    [[ $1 == "$2" ]] || fail "'$1' and '$2' differ"
}

# A guest that runs to its own "NAME: ok" and powers off: passes NAME [OPTION...]
passes() {
    guest "$@"
    expect_status 0
    expect_out "^$1: ok"
}

# A command line vmm refuses: refused STATUS PATTERN OPTION...
refused() {
    local expected=$1 pattern=$2
    shift 2
    vmm "$@"
    expect_status "$expected"
    expect_err "^vmm: error: .*$pattern"
    [[ ! -s out ]] || fail "nothing was to come on standard output"
}

# --- files -------------------------------------------------------------------------

# A disk image of so many sectors that begins with TEXT: make_disk FILE SECTORS [TEXT]
make_disk() {
    truncate -s $(($2 * 512)) "$1"
    printf '%s' "${3-DISK}" | dd of="$1" conv=notrunc status=none
}

# Overwrite bytes of a file: patch_file FILE OFFSET ESCAPED_BYTES
# shellcheck disable=SC2059 # the bytes are escapes of printf
patch_file() {
    printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
