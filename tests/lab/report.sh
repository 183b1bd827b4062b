# shellcheck shell=sh
# report.sh: sourced by the lab's tests. One line a result: `ok - ...`, `not ok - ...`, `skip - ... # why`.

# check WHAT COMMAND...: ok when the command succeeds.
check()
{
    check_what=$1
    shift
    if "$@" >/dev/null 2>&1; then
        echo "ok - $check_what"
    else
        echo "not ok - $check_what"
        # shellcheck disable=SC2034 # for the caller
        failed=yes
        return 1
    fi
}

# skip WHAT WHY
skip()
{
    echo "skip - $1 # $2"
}

# show FILE: as comment lines, for the reader of a failure.
show()
{
    [ ! -s "$1" ] || tr -d '\r' <"$1" | tail -n 60 | sed 's/^/#   /'
}

# why_no_arm64: what this machine lacks to build for arm64 and to boot its lab; nothing when it has all.
why_no_arm64()
{
    why_missing=$(tools/deps --list arm64)
    if [ -n "$why_missing" ]; then
        echo "$why_missing"
        return
    fi
    { tools/deps arm64 && guest-images/linux/fetch-kernel generic arm64; } 2>&1 >/dev/null |
        sed -n 's/.*: error: //p' | head -n 1
}
