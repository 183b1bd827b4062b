# vmm-test: suites of boots. Cases cli_* use a shell script in place of vmm.
# shellcheck shell=bash disable=SC2034,SC2154

# A script that does what its options say; $PWD/pids has the processes it began.
make_fake() {
    cat >fake <<'END'
#!/bin/bash
top=$(dirname "$0")
exec 8>>"$top/pids" # who reads it sees it closed when this and its children have ended
echo $$ >&8
for word; do
    case $word in
    --snapshot-save) save=yes ;;
    say=*) echo "${word#say=}" ;;
    message=*) echo "${word#message=}" >&2 ;;
    exit=*) exit "${word#exit=}" ;;
    once=*) [[ -e $top/${word#once=} ]] || { : >"$top/${word#once=}"; exit 3; } ;;
    cat) cat ;;
    ls) ls -s -- * ;;
    arguments) printf '<%s>' "$@"; echo ;;
    write-disk) echo written >disk0; head -c 7 disk0; echo ;;
    read-disk) head -c 7 disk0; echo ;;
    flood) while echo 0123456789012345678901234567890123456789; do :; done ;;
    child) sleep 1000 & echo $! >&8 ;;
    deaf) trap '' TERM ;;
    hang) exec sleep 1000 ;;
    wait) read -r <"$top/go" ;;
    */snapshot*) [[ -z ${save-} ]] || : >"${word%%,*}" ;;
    esac
done
exit 0
END
    chmod +x fake
}

# suite STATUS [OPTION...] FILE...: with the fake. Nothing may be left, running or in the place for
# temporary files, which is this case's folder.
suite() {
    local expected=$1
    shift
    export TMPDIR=$PWD
    [[ -e fake ]] || make_fake
    : >pids
    run "$VMM_TEST" --vmm ./fake "$@"
    expect_status "$expected"
    expect_nothing_left
}

expect_nothing_left() {
    local pid
    while read -r pid; do
        # SIGKILL takes a moment on a busy host; tail ends with the process.
        [[ ! -e /proc/$pid ]] || timeout "$last_resort" tail --pid="$pid" -f /dev/null ||
            [[ $(sed -n 's/^State:\t//p' "/proc/$pid/status") == Z* ]] ||
            fail "process $pid still runs"
    done <pids
    [[ -z $(compgen -G "$TMPDIR/vmm-test.*") ]] || fail "a folder was left"
}

# The result of one boot: verdict NAME PATTERN, of what follows "ok - " and so on
expect_verdict() {
    grep -Eq -A 1 "^(ok|not ok|skip) - $1( |$)" out || fail "no result of $1"
    grep -E -A 1 "^(ok|not ok|skip) - $1( |$)" out | grep -Eq -- "$2" || fail "$1 is not '$2'"
}

# --- with a fake --------------------------------------------------------------------

case_cli_suite_verdicts() {
    cat >s <<'END'
default kernel k
default timeout ${LIMIT}
boot good
    options say=one say=two
    expect ^one$
    expect two
boot orphan
    options child exit=0
boot status
    options exit=3
    status 3
boot bad-status
    options exit=4
boot order
    options say=two say=one
    expect one
    expect two
boot panic
    options exit=127
boot crash
    options say=x exit=126
boot usage
    options 'message=vmm: error: unknown option' exit=2
boot skip
    options 'message=vmm: error: no /dev/kvm' exit=77
boot forbidden
    options say=fine 'say=BUG: here' hang
    forbid BUG:
boot message
    options message=hot
    forbid-message .
    expect-message hot
boot time
    options say=one child deaf hang
    expect one
    expect two
    timeout ${SHORT}
boot flood
    options flood
    output-limit 1M
END
    suite 1 s --junit junit.xml --tap tap --logs logs -D LIMIT="$last_resort" -D SHORT=1.5
    expect_verdict good '^ok'
    expect_verdict orphan '^ok'
    expect_verdict status '^ok'
    expect_verdict bad-status 's:12: status 4, expected 0$'
    expect_verdict order 'pattern 2 of 2 did not come: "two"$'
    expect_verdict panic "the guest's kernel panicked \(status 127, expected 0\)$"
    expect_verdict crash 'the guest crashed \(status 126, expected 0\)$'
    expect_verdict usage 'status 2, expected 0: unknown option$'
    expect_verdict skip '^skip - skip # no /dev/kvm$'
    expect_verdict forbidden 'forbidden pattern "BUG:" at console line 2: BUG: here$'
    expect_verdict message 'forbidden pattern "\." at message line 1: hot$'
    expect_verdict time 'time limit of 1\.5 s ran out; pattern (1 of 2 did not come: "one"|2 of 2 did not come: "two")$'
    expect_verdict flood 'printed more than 1024 KiB on its console'
    expect_equal "$(tail -n 1 out)" '3 passed, 9 failed, 1 skipped'
    expect_equal "$(cat logs/forbidden.console)" $'fine\nBUG: here'
    expect_equal "$(cat logs/message.messages)" hot
    expect_equal "$(stat -c %s logs/flood.console)" 1048576
    [[ ! -e logs/good.console ]] || fail "the console of a boot that passed was kept"
    expect_equal "$(grep -c '^ok' tap)" 4
    expect_equal "$(grep -c '^not ok' tap)" 9
    expect_equal "$(grep -c '<failure' junit.xml)" 9
    ! xmllint --version >/dev/null 2>&1 || xmllint --noout junit.xml || fail "this is no XML"
}

case_cli_suite_options() {
    mkdir folder
    cat >folder/s <<'END'
default options --memory 64M
boot a.one
    kernel ${KERNEL}/k
    options --append 'x y' arguments
    expect-text <--kernel><${SUITE_DIR}/here/k><--memory><64M><--append><x y><arguments>
boot a.two
    kernel none
    options cat
    input text "in\x41\n"
    expect ^inA$
boot b
    kernel none
    options cat
    input file s
    expect ^boot b$
END
    suite 0 -D KERNEL=here folder/s -j 1
    expect_equal "$(cat out)" $'ok - a.one\nok - a.two\nok - b\n3 passed, 0 failed, 0 skipped'
    KERNEL=here suite 0 folder/s --filter 'a.*' --filter nothing --keep-all --logs kept
    expect_out '^2 passed'
    expect_equal "$(cat kept/a.two.console)" inA
    suite 0 -D KERNEL=here --list folder/s --filter '*.two'
    expect_equal "$(cat out)" a.two
    suite 2 -D KERNEL=here folder/s --filter c
    expect_err '^vmm-test: error: no boot has a name'
    suite 0 -D KERNEL=here folder/s --tap -
    expect_equal "$(head -n 3 out)" $'TAP version 13\n1..3\nok 1 - a.one'
    expect_err '^3 passed'
}

# Each boot has disks of its own; holes stay holes.
case_cli_suite_disks() {
    printf original >image
    truncate -s 10M image
    cat >s <<'END'
default kernel none
boot copied
    disk copy image ro
    disk scratch 1M
    options ls arguments write-disk
    expect-text <--disk><disk0,ro><--disk><disk1>
    expect ^written$
    repeat 4
boot sparse
    disk copy image
    options read-disk ls
    expect ^origina$
    expect ^ *[0-9]{1,2} disk0$
boot missing
    disk copy no-such-image
boot folder
    disk copy /
END
    suite 1 s
    expect_verdict copied.4 '^ok'
    expect_verdict sparse '^ok'
    expect_verdict missing 'cannot open the disk .*/no-such-image: No such file'
    expect_verdict folder 'the disk / is no file and no block device'
    expect_equal "$(head -c 8 image)" original
}

# A state is saved once, with its disks; what is from it is the same machine.
case_cli_suite_states() {
    cat >s <<'END'
boot one
    from ready
    options arguments
    expect ^<arguments><--snapshot-load></.*/ready/snapshot>$
    repeat 3
boot two
    from ready
prepare ready
    kernel none
    options say=booted arguments ls
    disk scratch 1K
    ready is up
    expect booted
    expect <--disk><disk0><--snapshot-save></.*/ready/snapshot,when=console:is up>
    expect disk0$
boot never
    from broken
prepare broken
    kernel none
    options exit=5
boot nothing
    from unsaved
prepare unsaved
    kernel none
    options exit=0
END
    suite 1 s
    expect_verdict one.3 '^ok'
    expect_verdict two '^ok'
    expect_verdict ready '^ok'
    expect_verdict broken 'status 5, expected 0'
    expect_verdict never "'broken', which it is from: status 5, expected 0"
    expect_verdict unsaved 'vmm saved no snapshot'
    expect_equal "$(tail -n 1 out)" '5 passed, 4 failed, 0 skipped'
    suite 0 s --filter one.2
    expect_equal "$(cat out)" $'ok - ready\nok - one.2\n2 passed, 0 failed, 0 skipped'
}

case_cli_suite_reruns() {
    export TMPDIR=$PWD
    printf '%s\n' 'default kernel none' 'boot a' ' options once=first once=second' \
        'boot b' ' options exit=1' >s
    suite 1 s --rerun 2
    expect_verdict a '^ok - a # flaky: attempt 3 passed, before: status 3, expected 0$'
    expect_out '^1 passed, 1 failed, 0 skipped, 1 flaky$'
    [[ -e vmm-test-logs/a.console && -e vmm-test-logs/a.again1.console ]] || fail "not all was kept"
    suite 1 s
    expect_verdict a '^ok - a$'
    [[ ! -e vmm-test-logs/a.again1.console ]] || fail "a console of an earlier run was left"
}

case_cli_suite_mistakes() {
    export TMPDIR=$PWD
    printf 'boot a\n kernel k\nstatsu 1\n' >s
    printf 'boot b\n' >t
    suite 2 s t
    expect_err '^s:3: error: there is no .statsu.$' "^s:3: hint: did you mean 'status'" \
        "^t:1: error: 'b' has no kernel$"
    mv s $'s\033\n'
    suite 2 $'s\033\n'
    expect_err '^s[?][?]:3: error: '
    suite 2 missing
    expect_err '^vmm-test: error: .*missing: No such file'
    suite 2 .
    expect_err '^vmm-test: error: .*Is a directory'
    suite 2
    expect_err '^vmm-test: error: no suite'
    suite 2 s --jobs 0
    expect_err '^vmm-test: error: --jobs: '
    suite 2 s --jnuit x
    expect_err "^vmm-test: hint: did you mean --junit"
    printf 'boot a\n kernel none\n' >s
    run "$VMM_TEST" --vmm ./missing s
    expect_status 1
    expect_verdict a 'cannot run .*/missing: No such file or directory'
    run "$VMM_TEST" --help
    expect_out '^usage: vmm-test'
}

# What cannot be written is said, and leaves nothing half-written.
case_cli_suite_disk_full() {
    export TMPDIR=$PWD
    printf 'boot a\n kernel none\n options flood\n output-limit 100K\n' >s
    make_fake
    run bash -c 'ulimit -f 8; exec "$@"' - "$VMM_TEST" --vmm ./fake s --logs logs
    expect_status 125
    expect_err '^vmm-test: error: cannot write logs/a.console: File too large$'
    expect_equal "$(ls logs)" ''
    [[ -c /dev/full ]] || return 0
    suite 125 s --tap /dev/full
    expect_err '^vmm-test: error: cannot write /dev/full: No space left on device$'
    run sh -c '"$@" >/dev/full' - "$VMM_TEST" --vmm ./fake s
    expect_status 125
    expect_err '^vmm-test: error: cannot write to standard output'
}

# Interrupted: all end at once, even the deaf, and the reports are written.
case_cli_suite_interrupted() {
    export TMPDIR=$PWD
    make_fake
    printf '%s\n' 'default kernel none' 'default timeout 1000' 'boot a' ' options child hang' 'boot b' \
        ' options child deaf hang' 'boot c' >s
    mkfifo pids
    "$VMM_TEST" --vmm ./fake s --jobs 2 --tap tap >out 2>err &
    local pid=$! pids=() i
    exec 9<>pids
    for i in 1 2 3 4; do
        read -r -t "$last_resort" -u 9 "pids[i]" || fail "the boots did not start"
    done
    kill -INT "$pid"
    wait "$pid"
    status=$?
    rm pids
    printf '%s\n' "${pids[@]}" >pids
    expect_status 130
    expect_nothing_left
    expect_verdict a 'interrupted$'
    expect_verdict b 'interrupted$'
    expect_err '^vmm-test: interrupted; 1 of 3 boots were not run$'
    grep -q '^ok 3 - c # SKIP not run: interrupted$' tap || fail "no report"
}

# vmm-test is killed, and what it had started with it.
case_cli_suite_killed() {
    export TMPDIR=$PWD
    make_fake
    printf '%s\n' 'boot a' ' kernel none' ' timeout 1000' ' options hang' >s
    mkfifo pids
    "$VMM_TEST" --vmm ./fake s >out 2>err &
    local pid=$! boot
    exec 9<pids
    read -r -t "$last_resort" -u 9 boot || fail "the boot did not start"
    kill -KILL "$pid"
    read -r -t "$last_resort" -u 9 boot # 1: the end of the file
    [[ $? -eq 1 ]] || fail "the boot still runs"
}

# Who starts vmm-test may ignore the ends of children, or have closed standard streams.
# shellcheck disable=SC2016 # expressions of the inner shell
case_cli_suite_surroundings() {
    local closed
    export TMPDIR=$PWD
    make_fake
    printf '%s\n' 'boot a' ' kernel none' " timeout $last_resort" >s
    run bash -c 'trap "" CHLD; exec "$@"' - "$VMM_TEST" --vmm ./fake s
    expect_status 0
    printf '%s\n' ' options cat message=heard' " input text 'seen'" ' expect ^seen$' ' expect-message ^heard$' \
        'boot b' ' kernel none' ' options exit=1' >>s
    for closed in '<&-' '>&-' '2>&-' '<&- >&- 2>&-'; do
        bash -c '"$@" '"$closed" - "$VMM_TEST" --vmm ./fake s --tap tap >out 2>err
        expect_equal "$(grep -o '^.*ok [12]' tap)" $'ok 1\nnot ok 2'
        bash -c '"$@" '"$closed" - "$VMM_TEST" --vmm ./missing s --tap tap >out 2>err
        expect_equal "$(grep -c ': cannot run .*/missing: No such file' tap)" 2
    done
}

case_cli_suite_nohup() {
    export TMPDIR=$PWD
    make_fake
    mkfifo pids go
    exec 7<>go
    printf '%s\n' 'boot a' ' kernel none' " timeout $last_resort" ' options wait' >s
    (trap '' HUP; exec "$VMM_TEST" --vmm ./fake s) >out 2>err &
    local pid=$! boot
    exec 9<>pids
    read -r -t "$last_resort" -u 9 boot || fail "the boot did not start"
    kill -HUP "$pid"
    echo >&7
    wait "$pid"
    expect_verdict a '^ok'
}

case_cli_suite_terminal() {
    export TMPDIR=$PWD
    make_fake
    printf '%s\n' 'default kernel none' 'boot good' 'boot bad' ' options exit=1' >s
    run "$TALK" expect:'[0/2] 0 failed, running: good' expect:'not ok - bad' \
        expect:'1 passed, 1 failed' -- "$VMM_TEST" --vmm ./fake s -j 1
    expect_status 1
    ! grep -q '^ok' out || fail "boots that passed are not listed on a terminal"
}

# --- with vmm -------------------------------------------------------------------------

# One hangs, one panics, one prints what it must not: these three fail, and nothing is left.
case_suite_fifty() {
    export TMPDIR=$PWD
    cp "$GUESTS/finish" finish
    cat >s <<'END'
default kernel finish
default timeout ${LIMIT}
default forbid BUG:
default forbid WARNING:
default options --memory 16M
boot good
    options --append poweroff
    expect ^finish: .*poweroff$
    repeat 47
boot hanging
    options --append hang
    expect ^finish: .*hang$
    timeout ${SHORT}
boot panicking
    options --append panic
boot forbidden
    options --append 'hang BUG: here'
END
    run "$VMM_TEST" --vmm "$(limited_vmm)" -D LIMIT="$last_resort" -D SHORT=2 s
    [[ -z $refusal ]] || skip "$refusal"
    expect_status 1
    expect_equal "$(tail -n 1 out)" '47 passed, 3 failed, 0 skipped'
    expect_verdict hanging 's:10: time limit of 2 s ran out(; pattern 1 of 1 did not come: ".*")?$'
    expect_verdict panicking "s:14: the guest's kernel panicked \(status 127, expected 0\)$"
    expect_verdict forbidden 's:16: forbidden pattern "BUG:" at console line 1: .*hang BUG: here$'
    expect_equal "$(ls vmm-test-logs)" $'forbidden.console\nhanging.console\npanicking.console'
    ! grep -slF "$PWD/finish" /proc/[0-9]*/cmdline || fail "a boot still runs"
    [[ -z $(compgen -G 'vmm-test.*') ]] || fail "a folder was left"
}
