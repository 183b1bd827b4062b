# Where the console's bytes come from and go to.
# shellcheck shell=bash disable=SC2034,SC2154

case_console_stdio_pipe() {
    last_command="echo guest behind pipes"
    printf 'abcdefgh' | "$LIMIT" "$limit" "$VMM" --kernel "$GUESTS/echo" --append bytes=8 \
        2>err | cat >out
    status=${PIPESTATUS[1]}
    expect_status 0
    expect_equal "$(cat out)" 'echo: ready
abcdefghecho: ok'
}

# Ctrl-A is an ordinary byte where nobody sits.
case_console_stdio_no_terminal() {
    printf 'a\001x\001\001h' >in
    guest echo --append bytes=6 <in
    expect_status 0
    expect_equal "$(sed -n 's/echo: ok$//p' out)" "$(cat in)"
}

case_console_stdin_closed() {
    last_command="hello with standard input closed"
    "$LIMIT" "$limit" "$VMM" --kernel "$GUESTS/hello" --no-reboot >out 2>err <&-
    status=$?
    expect_status 0
    expect_out 'Hello from a flat image'
}

case_console_stdout_closed() {
    last_command="hello with standard output closed"
    "$LIMIT" "$limit" "$VMM" --kernel "$GUESTS/hello" --no-reboot >&- 2>err
    status=$?
    expect_status 0
}

# The reader goes away: the guest runs on to its end.
case_console_reader_gone() {
    last_command="hello into a closed pipe"
    mkfifo pipe
    "$LIMIT" "$limit" "$VMM" --kernel "$GUESTS/hello" --no-reboot >pipe 2>err &
    local pid=$!
    exec 8<pipe
    exec 8<&-
    wait $pid
    status=$?
    expect_status 0
}

case_console_null() {
    guest hello --no-reboot --console null
    expect_status 0
    [[ ! -s out ]] || fail "nothing was to come"
}

case_console_file() {
    guest hello --no-reboot --console file:log
    expect_status 0
    expect_equal "$(cat log)" "Hello from a flat image"
    [[ ! -s out ]] || fail "nothing was to come on standard output"
    refused 125 'No such file' --kernel "$GUESTS/hello" --console file:missing/log
}

# --- terminals -------------------------------------------------------------------------

case_console_terminal() {
    talk_to_guest expect:ready raw send:hello expect:hello expect:ok -- echo --append bytes=5
    expect_status 0
}

# Ctrl-C is the guest's.
case_console_terminal_interrupt_key() {
    talk_to_guest expect:ready raw send:$'\x03\x1a\x1c' expect:$'\x03\x1a\x1c' \
        -- echo --append bytes=3
    expect_status 0
}

case_console_quit_key() {
    talk_to_guest expect:ready raw send:$'\x01x' -- echo
    expect_status 130
}

case_console_help_key() {
    talk_to_guest expect:ready raw send:$'\x01h\x01c\x01x' -- echo
    expect_status 130
    expect_err 'Ctrl-A x +quit' 'Ctrl-A h ' 'no monitor'
}

# Ctrl-A twice sends one.
case_console_escaped_escape() {
    talk_to_guest expect:ready raw send:$'\x01\x01.' expect:$'\x01.' -- echo --append bytes=2
    expect_status 0
}

# talk checks that the terminal is as before after each of these.
case_console_restored_after_signals() {
    local number
    for number in 1 2 15; do # HUP, INT, TERM
        talk_to_guest expect:ready raw kill:$number -- echo
        expect_status 130
    done
    export ASAN_OPTIONS=handle_segv=0 TSAN_OPTIONS=handle_segv=0 # they would come before vmm
    for number in 3 6 11; do # QUIT, ABRT, SEGV
        talk_to_guest expect:ready raw kill:$number -- echo
        [[ $status -ne 99 ]] || fail "the terminal was not restored after signal $number"
    done
}

case_console_restored_after_timeout() {
    talk_to_guest -- echo --timeout 0.1
    expect_status 124
}

# --- other back ends -----------------------------------------------------------------------

# Start guest echo on another console; messages come from descriptor 9.
echo_elsewhere() {
    last_command="$VMM --kernel $GUESTS/echo --console $1"
    mkfifo messages
    "$LIMIT" "$limit" "$VMM" --kernel "$GUESTS/echo" --append bytes=20000 --console "$1" --trace uart_tx \
        >out 2>messages </dev/null &
    background_pid=$!
    exec 9<messages
}

# Read messages until one matches.
await_message() {
    local message
    while IFS= read -r message <&9; do
        [[ ! $message =~ $1 ]] || return 0
    done
    fail "no message matched '$1'"
}

# Talk to the guest in the background. Nobody was there to hear that it is
# ready; the trace tells.
talk_elsewhere() {
    await_message 'uart_tx .*0x0a$'
    cat <&9 >/dev/null & # or vmm would wait for a reader of its messages
    run "$TALK" "$@" echo:"$(amount 10000 500)"
    expect_status 0
    stop_background
    expect_status 130
}

# As under nohup, and for what a shell runs in the background.
case_signal_ignored() {
    trap '' HUP
    background ready echo
    trap - HUP
    local ignored
    ignored=$(sed -n 's/^SigIgn:\t//p' "/proc/$background_pid/status")
    (((16#$ignored & 1) == 1)) || fail "vmm does not ignore SIGHUP, signal 1, but only: $ignored"
    kill -HUP "$background_pid"
    stop_background
    expect_status 130
}

case_console_pty() {
    echo_elsewhere pty
    await_message '/dev/pts/[0-9]+'
    talk_elsewhere --tty "${BASH_REMATCH[0]}"
}

case_console_unix_socket() {
    echo_elsewhere unix:socket
    talk_elsewhere --unix socket
}

# --- signals and pastes ------------------------------------------------------------------------

case_interrupted() {
    talk_to_guest expect:ready kill:2 -- echo
    expect_status 130
    talk_to_guest expect:hang kill:2 -- finish --append hang
    expect_status 130
    talk_to_guest expect:halt kill:15 -- finish --append halt --cpus 2
    expect_status 130
}

# At full speed, and nothing is lost. Slow where a busy host emulates the guest's kernel mode.
case_paste_1m() {
    local bytes
    bytes=$(amount 1048576 16384)
    limit=100
    talk_to_guest expect:ready raw "sum:$bytes" expect:ok -- \
        echo --append "sum bytes=$bytes"
    expect_status 0
}

case_paste_and_echo() {
    local bytes
    bytes=$(amount 16384 1024)
    talk_to_guest expect:ready raw expect:$'\n' "echo:$bytes" expect:ok -- \
        echo --append "bytes=$bytes"
    expect_status 0
}
