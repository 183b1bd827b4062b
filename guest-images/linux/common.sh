# shellcheck shell=sh
# common.sh: sourced by the recipes of this folder and by tools/lab.
#
# Everything that is downloaded or slow to make is kept in one cache outside the tree, shared by all
# check-outs. Every entry appears by one rename of a finished folder, so that two first runs at the
# same time are safe, and removing the whole cache is always safe.

# die MESSAGE [HINT]: end the calling script with one line that says what and why.
die()
{
    echo "${0##*/}: error: $1" >&2
    [ -z "${2:-}" ] || echo "${0##*/}: hint: $2" >&2
    exit 125
}

# need COMMAND...: the first one that is missing ends the script, naming the way to get it.
need()
{
    for need_command; do
        command -v "$need_command" >/dev/null ||
            die "the program '$need_command' is missing" "run tools/deps"
    done
}

# debian_arch ARCH: the name Debian gives to one of our architectures.
debian_arch()
{
    case $1 in
        x86_64) echo amd64 ;;
        arm64) echo arm64 ;;
        *) die "no Linux images for the architecture '$1'" "x86_64 or arm64" ;;
    esac
}

# triple ARCH: the name of an architecture for compilers and in library folders.
triple()
{
    case $1 in
        x86_64) echo x86_64-linux-gnu ;;
        arm64) echo aarch64-linux-gnu ;;
    esac
}

# cross_prefix ARCH: what the names of its compiler and binutils begin with; nothing for this machine's.
cross_prefix()
{
    [ "$1" = "$host_arch" ] || echo "$(triple "$1")-"
}

# busybox_for ARCH: a static busybox for that architecture. For this machine's, it is the installed one.
busybox_for()
{
    if [ "$1" = "$host_arch" ]; then
        command -v busybox
    else
        # shellcheck disable=SC2154 # the recipe's own folder
        echo "$("$here/fetch-sysroot" "$1")/usr/bin/busybox"
    fi
}

# publish TEMPORARY FINAL: give a finished folder its name; if another process was first, use its work.
publish()
{
    if ! mv -T "$1" "$2" 2>/dev/null; then
        rm -rf "$1"
        [ -d "$2" ] || die "could not create $2"
    fi
}

# download_packages FOLDER CHOOSE: download the Debian packages that the function CHOOSE names into FOLDER.
# CHOOSE gets the options for apt as arguments and prints names, none when the package lists have
# them not. The host's lists come first, then, where they are missing, too old or not of the wanted
# architecture, lists of our own in FOLDER: we may not be root. What apt said is shown on failure.
download_packages()
{
    download_folder=$1 download_choose=$2
    download_lists=$download_folder/.apt
    mkdir -p "$download_lists/lists/partial" "$download_lists/archives/partial"
    download_chosen -o APT::Sandbox::User=root ||
        download_with_new_lists -o APT::Sandbox::User=root -o "Dir::State::Lists=$download_lists/lists" \
            -o "Dir::Cache=$download_lists" -o "APT::Architectures=amd64,arm64" || {
        cat "$download_lists/log" >&2 2>/dev/null || :
        return 1
    }
    rm -r "$download_lists"
}

download_chosen()
{
    download_names=$("$download_choose" "$@")
    [ -n "$download_names" ] || return 1
    # shellcheck disable=SC2086 # a list of words
    set -- "$@" -qq download $download_names
    echo "Downloading ${download_names%%:*} (once; kept in $cache)" >&2
    (cd "$download_folder" && apt-get "$@") >"$download_lists/log" 2>&1
}

download_with_new_lists()
{
    apt-get "$@" -qq update >"$download_lists/log" 2>&1 && download_chosen "$@"
}

# pack FOLDER OUT: make FOLDER a cpio archive for the kernel to unpack. It is uncompressed (a guest
# under emulation unpacks it slower than it reads it), owned by root and given one date, so that the
# same input gives the same bytes.
pack()
{
    find "$1" -exec touch -h -d "@$epoch" {} +
    (cd "$1" && find . | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc -R 0:0) >"$2.$$"
    mv "$2.$$" "$2"
}

# The architecture of this machine, by our name.
# shellcheck disable=SC2034 # for the scripts that source this
host_arch=$(uname -m | sed 's/^aarch64$/arm64/')

# shellcheck disable=SC2034 # for the scripts that source this
if [ -n "${XDG_CACHE_HOME:-}" ]; then
    cache=$XDG_CACHE_HOME/vmm
elif [ -n "${HOME:-}" ]; then
    cache=$HOME/.cache/vmm
else
    cache=${TMPDIR:-/tmp}/vmm-cache-$(id -u)
fi

# Debian keeps depmod, mke2fs and debugfs in sbin, which is not on a plain user's path.
PATH=$PATH:/usr/sbin:/sbin

# The date of every file in an image, in seconds since 1970 (here 1 January 2025), so that images of the
# same input are the same bytes.
# shellcheck disable=SC2034 # for the scripts that source this
epoch=${SOURCE_DATE_EPOCH:-1735689600}
