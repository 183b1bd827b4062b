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

# publish TEMPORARY FINAL: give a finished folder of the cache its name; if another process was first, use its
# work. What lies beside it and was not used for 30 days goes: who uses an entry gives it a new date.
publish()
{
    if ! mv -T "$1" "$2" 2>/dev/null; then
        rm -rf "$1"
        [ -d "$2" ] || die "could not create $2"
    fi
    find "${2%/*}" -mindepth 1 -maxdepth 1 -mtime +30 -exec rm -rf {} + 2>/dev/null || :
}

# host_packages: the names and versions of all packages of this machine, as a hash. What is made here depends on
# too many of them, such as the libraries of lspci, to name those that matter; what is made again takes seconds.
host_packages()
{
    dpkg-query -W 2>/dev/null | sha256sum
}

# image_key RECIPES ARCH KERNEL_DIR [FILE...]: a hash of all that an image is made of: the recipes in that folder,
# the FILEs, packages, and the date of its files. The name of a folder of the cache stands for its contents.
image_key()
{
    key_recipes=$1 key_arch=$2 key_kernel=$3 key_sysroot=''
    shift 3
    [ "$key_arch" = "$host_arch" ] || key_sysroot=$("$key_recipes/fetch-sysroot" "$key_arch") || return
    {
        cat "$key_recipes"/* "$@"
        echo "${key_kernel##*/}" "${key_sysroot##*/}" "$epoch"
        host_packages
    } | sha256sum | cut -c 1-16
}

# pack FOLDER OUT: make FOLDER a cpio archive for the kernel to unpack. It is uncompressed (a guest
# under emulation unpacks it slower than it reads it), owned by root and given one date, with modes that do not
# depend on the caller's umask, so that the same input gives the same bytes.
pack()
{
    chmod -R go=u-w "$1"
    find "$1" -exec touch -h -d "@$epoch" {} +
    (cd "$1" && find . | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc -R 0:0) >"$2.$$"
    mv "$2.$$" "$2"
}

# The architecture of this machine, by our name.
# shellcheck disable=SC2034 # for the scripts that source this
host_arch=$(uname -m | sed 's/^aarch64$/arm64/')

# In a lab, the cache is the one of the host that started it.
# shellcheck disable=SC2034 # for the scripts that source this
if [ -n "${LAB_CACHE:-}" ]; then
    cache=$LAB_CACHE
elif [ -n "${XDG_CACHE_HOME:-}" ]; then
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
