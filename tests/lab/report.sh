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
