# shellcheck shell=sh
# exec.sh: sourced by tests/lab/cases: programs of the host in a guest (docs/exec.md).

# A shell that is busybox itself names no path.
busybox=/bin/busybox
[ -x $busybox ] || busybox=$(command -v busybox)

# run_exec EXPECTED [OPTION]... --exec PROGRAM [-- ARG...]: check the exit status. $name names the case, $input
# is the program's stdin; its output goes to $work/out, its stderr and vmm's to $work/err.
run_exec()
{
    expected=$1 status=0
    shift
    output=$work/out errors=$work/err
    run_vmm --kernel "$work/$kernel" --append "$more" "$@" || status=$?
    output=''
    check "exec: $name: exit status $expected" [ "$status" -eq "$expected" ] || {
        echo "#   it was $status"
        show "$work/err"
    }
}

# run_refused PATTERN [OPTION]...: status 125 and one line of error, which says this.
run_refused()
{
    pattern=$1
    shift
    run_exec 125 "$@"
    check "exec: $name: is said" grep -q "^vmm: error: .*$pattern" "$work/err" || show "$work/err"
    check "exec: $name: by one line" [ "$(grep -c '^vmm: error: ' "$work/err")" -eq 1 ]
}

# A script for the guest, of busybox, from stdin.
script()
{
    { echo "#!$busybox sh"; cat; } >"$work/script"
    chmod +x "$work/script"
}

# A first process for rdinit=, which leaves vmm's init a /proc where it finds nothing in its pagemap, as on a
# kernel that has none. Init mounts its own over it where it may: a /dev has to be there, and no more may be mounted.
without_pagemap()
{
    mkdir -p "$work/early/bin" "$work/early/proc" "$work/early/dev"
    cp "$busybox" "$work/early/bin/busybox"
    : >"$work/early/none"
    cat >"$work/early/early" <<'END'
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -o bind /none /proc/1/pagemap
echo 1 >/proc/sys/fs/mount-max
exec /init
END
    chmod +x "$work/early/early"
    (cd "$work/early" && find . | cpio -o -H newc 2>/dev/null) >"$work/early.cpio"
}

exec_basics()
{
    name=uname
    run_exec 0 --exec "$(command -v uname)" -- -a
    check "exec: uname: prints one line, the guest's" \
        [ "$(grep -c 'Linux (none) .*cloud-a' "$work/out")" -eq 1 -a "$(wc -l <"$work/out")" -eq 1 ]
    check "exec: uname: stderr is empty" [ ! -s "$work/err" ]

    lean
    name=false
    run_exec 1 --exec "$(command -v false)"

    # A loader and libraries, for themselves and not as part of a program.
    name=dynamic
    # shellcheck disable=SC2016 # the guest's
    run_exec 3 --exec "$(command -v bash)" -- -c 'echo "$(</proc/self/maps)"; exit 3'
    check "exec: dynamic: its libraries are mapped" grep -q '/libc\.so\.6$' "$work/out"
    check "exec: dynamic: by the loader it names" grep -q '/ld-linux[^/]*$' "$work/out"

    # A script, files in and out, both streams, and the end by a signal.
    name=files
    mkdir -p "$work/in/sub"
    head -c 300000 /dev/urandom >"$work/in/sub/data"
    ln -s sub/data "$work/in/link"
    script <<END
b=$busybox
echo "\$1 in \$(\$b pwd)"
echo err >&2
\$b mkdir -p \$OUT/a/b
\$b cp link \$OUT/a/b/data
\$b chmod 640 \$OUT/a/b/data
\$b ln -s /etc/passwd \$OUT/link
kill -SEGV \$\$
END
    run_exec 139 --exec-dir "$work/in" --out "$work/back" --exec "$work/script" -- 'an argument'
    check "exec: files: arguments, folder and stdout" [ "$(cat "$work/out")" = 'an argument in /work' ]
    check "exec: files: stderr is apart" [ "$(grep -v '^vmm: ' "$work/err")" = err ]
    check "exec: files: a file comes back as it went in" cmp "$work/in/sub/data" "$work/back/a/b/data"
    check "exec: files: with its mode" [ "$(stat -c %a "$work/back/a/b/data")" = 640 ]
    check "exec: files: a link does not come back" [ ! -e "$work/back/link" -a ! -L "$work/back/link" ]
    check "exec: files: and is counted" grep -q '^vmm: warning: 1 of the files' "$work/err"
}

# cat_script: what comes back, and on stderr what the guest's driver has counted on the line.
cat_script()
{
    script <<END
$busybox cat
$busybox cat /proc/tty/driver/$line_driver >&2
END
}

# received: bytes that the line brought to the guest.
received()
{
    sed -n 's/^1: .* rx:\([0-9]*\).*/\1/p' "$work/err"
}

exec_streams()
{
    name=cat
    head -c 1048576 /dev/urandom >"$work/random"
    input=$work/random
    cat_script
    run_exec 0 --exec "$work/script"
    check "exec: cat: 1 MiB comes back as it was" cmp "$work/random" "$work/out"
    bytes=$(received)
    check "exec: cat: and went through the window" [ "${bytes:-1048576}" -lt 262144 ] || show "$work/err"

    # More than the credit of one grant is to pass.
    name=line
    without_pagemap
    head -c 9000 "$work/random" >"$work/some"
    input=$work/some
    run_exec 0 --initrd "$work/early.cpio" --append rdinit=/early --exec "$work/script"
    input=''
    check "exec: line: 9,000 bytes come back as they were" cmp "$work/some" "$work/out"
    bytes=$(received)
    check "exec: line: and went over the line" [ "${bytes:-0}" -ge 9000 ] || show "$work/err"
}

# The program has written all it will long before its reader has it, and then the reader goes.
exec_reader()
{
    name=reader
    script <<END
$busybox head -c 200000 /dev/zero
echo all >&2
$busybox yes
END
    output=/dev/stdout errors=$work/err
    { run_vmm --kernel "$work/$kernel" --append "$more" --exec "$work/script"; echo $? >"$work/status"; } |
        head -c 300000 >"$work/out"
    output=''
    check "exec: reader: everything arrives" [ "$(wc -c <"$work/out")" -eq 300000 ]
    check "exec: reader: a program whose reader left ends by SIGPIPE" [ "$(cat "$work/status")" -eq 141 ]
}

# A guest that crashes after it has written a little more than a pipe holds, to a reader who begins after that. The
# program talks to and fro with the host before, so that its output has left it: init turns to each stream in turn.
late_reader()
{
    name=crash
    script <<END
$busybox head -c 70000 /dev/zero
for _ in \$($busybox seq 40); do
    echo written >&2
    read -r _
done
$busybox reboot -f
END
    mkfifo "$work/go" "$work/said" "$work/exits" "$work/crashed" "$work/late"
    : >"$work/err"
    while read -r line; do
        [ "$line" != written ] || echo go >&4
        echo "$line" >>"$work/err"
    done 4>"$work/go" <"$work/said" &
    { await shutdown; echo crashed >"$work/crashed"; cat >/dev/null; } <"$work/exits" &
    { read -r _ <"$work/crashed"; cat >"$work/out"; } <"$work/late" &
    input=$work/go output=$work/late errors=$work/said
    run_vmm --kernel "$work/$kernel" --append "$more reboot=t" --trace kvm_exit --trace-file "$work/exits" \
        --exec "$work/script"
    status=$?
    wait
    input='' output=''
    check "exec: crash: exit status 126" [ "$status" -eq 126 ] || show "$work/err"
    check "exec: crash: what was written before it arrives" [ "$(wc -c <"$work/out")" -eq 70000 ]
    check "exec: crash: is said" grep -q 'triple fault' "$work/err"
}

# The program says when it listens; vmm's signal is the program's.
ends_by_signal()
{
    name=signal
    script <<END
trap 'echo caught; exit 7' TERM
echo ready
while :; do $busybox sleep 1; done
END
    mkfifo "$work/ready"
    # In a subshell it would not be vmm that gets the signal.
    "build/$arch/tests/boot/limit" 60 "build/$arch/vmm" --kernel "$work/$kernel" --append "$more" \
        --exec "$work/script" </dev/null >"$work/ready" 2>"$work/err" &
    pid=$!
    {
        read -r line
        kill -TERM "$pid"
        cat
    } <"$work/ready" >"$work/out"
    status=0
    wait "$pid" || status=$?
    check "exec: signal: the program's status after SIGTERM" [ "$status" -eq 7 ] || echo "#   it was $status"
    check "exec: signal: and what it said of it" [ "$line $(cat "$work/out")" = 'ready caught' ]
}

ends_by_panic()
{
    name=panic
    run_exec 127 --append rdinit=/none --append root=none --exec "$busybox" -- true
    check "exec: panic: the kernel's console says why" grep -q 'vmm: console: .*Kernel panic' "$work/err"
}

# vmm's own part in an end.
ends_for_vmm()
{
    name=timeout
    run_exec 124 --timeout 8 --exec "$work/script"
    # On a slow machine the kernel may still be booting.
    check "exec: timeout: a program that runs can say goodbye" [ "$(cat "$work/out")" != ready ]

    # A status that is vmm's own, too, and a writer that would go on for ever.
    name='left behind'
    script <<END
$busybox head -c 65536 /dev/zero
$busybox yes &
exit 124
END
    run_exec 124 --exec "$work/script"
    check "exec: left behind: status 124 of a program is no time-out" [ ! -s "$work/err" ] || show "$work/err"
    check "exec: left behind: what was written until then arrives" [ "$(wc -c <"$work/out")" -ge 65536 ]

    name='early end'
    run_exec 125 --exec "$busybox" -- poweroff -f
    check "exec: early end: is said" grep -q '^vmm: error: the guest ended before it could tell' "$work/err"

    name='no driver'
    run_exec 125 --append 8250.nr_uarts=1 --exec "$busybox" -- true
    check "exec: no driver: the kernel's console says why" \
        grep -q 'vmm: console: .*no serial line /dev/ttyS1' "$work/err" || show "$work/err"
}

# How programs and their guests end. What has no part in it of an architecture is tested on one.
group_ends()
{
    lean
    ends_by_signal
    ends_by_panic
    [ "$arch" = arm64 ] || { ends_for_vmm; late_reader; }
}

# A disk by modules, and a kernel whose log goes to a file.
exec_modules()
{
    kernel_files=$(guest-images/linux/fetch-kernel cloud "$arch")
    modules=$(echo "$kernel_files"/lib/modules/*)
    script <<END
$busybox mkdir /mnt
$busybox mount -t ext4 -o ro /dev/vda /mnt && $busybox cat /mnt/hello.txt
END
    name=modules
    run_exec 0 --modules "$modules,loop" --disk "$work/rootfs.img,ro" --console "file:$logs/exec-modules.log" \
        --exec "$work/script"
    check "exec: modules: the disk can be read" grep -q 'on /dev/vda' "$work/out"
    check "exec: modules: the console has the kernel's log" grep -q 'Linux version' "$logs/exec-modules.log"
    name='no module'
    run_refused 'there is no module nothing' --modules "$modules,nothing" --exec "$busybox"
}

# Debian 12's kernels unpack none.
exec_packed_module()
{
    name='packed module'
    mkdir "$work/packed"
    xz <"$(find "$modules" -name loop.ko)" >"$work/packed/loop.ko.xz"
    echo loop.ko.xz: >"$work/packed/modules.dep"
    run_refused 'the kernel does not load this compressed module: .*loop\.ko\.xz: error 95$' \
        --modules "$work/packed,loop" --exec "$busybox" -- true
}

# Two files, and room for one.
exec_disk_full()
{
    name='full disk'
    small_disk "exec: $name" 1m || return 0
    script <<END
$busybox head -c 600000 /dev/zero >\$OUT/one
$busybox cp \$OUT/one \$OUT/two
END
    run_refused "--out $work/small: cannot write '[a-z]*', No space left on device" \
        --out "$work/small" --exec "$work/script"
    check "exec: $name: one file came back, and no part of the other" \
        [ "$(find "$work/small" -type f | wc -l) $(cat "$work/small"/[!.]* | wc -c)" = '1 600000' ]
    umount "$work/small"
}

exec_refused()
{
    name='missing program'
    run_refused 'cannot find /none' --exec /none
    echo 'no program' >"$work/text"
    name='no program'
    run_refused 'is not executable' --exec "$work/text"
    name='another architecture'
    printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\363\0\1\0\0\0' >"$work/riscv"
    chmod +x "$work/riscv"
    run_refused 'is for RISC-V' --exec "$work/riscv"
    name='missing library'
    sed 's/libtinfo\.so\.6/libnonex.so.6/g' "$(command -v bash)" >"$work/program"
    chmod +x "$work/program"
    run_refused "$work/program needs the library libnonex\.so\.6, which is not on this host" --exec "$work/program"
    name='large initramfs'
    mkdir -p "$work/in"
    dd if=/dev/zero of="$work/in/large" bs=1 count=0 seek=300M 2>/dev/null
    run_refused 'has 30. MiB; --memory 256M takes 96' --exec-dir "$work/in" --exec "$busybox"
}

group_exec()
{
    exec_basics
    exec_streams
    exec_modules
    exec_refused
    # What has no part in it of an architecture is tested on one.
    [ "$arch" = arm64 ] || { exec_reader; exec_packed_module; exec_disk_full; }
}
