# shellcheck shell=sh
# packages.sh: sourced, after common.sh, by the recipes that make a folder of the cache out of Debian's packages.
#
# Such a folder is named by all that it was made of: the versions of the packages, the recipe, and what else
# the recipe names. To know the versions, apt is asked what Debian offers, which takes a second. The answer is
# therefore remembered: as long as the host's package lists are the same or, where those do not do, for a day.
# shellcheck disable=SC2154 # $cache is of common.sh, $arch of the recipe

# short_hash: of what is read.
short_hash()
{
    sha256sum | cut -c 1-16
}

# lists_state: the names, sizes and dates of the host's package lists and of what apt is configured by.
lists_state()
{
    find /var/lib/apt/lists /etc/apt -maxdepth 2 -type f ! -path '*/partial/*' -printf '%p %s %T@\n' 2>/dev/null |
        LC_ALL=C sort
}

# obtain KIND NAME WHAT INPUT: the folder of the cache of that KIND and NAME for $arch.
#
# When it is there, it is printed, and the script ends. Otherwise the packages are downloaded to the new folder
# $work, and the script goes on: it unpacks them, removes them, and calls `keep`. The function `choose` prints
# the packages' names; it gets options for apt as arguments. INPUT is what else went into the folder, and
# WHAT names it all in messages. $inside, if it is set, is the path in the folder that is printed.
obtain()
{
    obtain_folder=$cache/$1 obtain_name=$2 obtain_what=$3 obtain_input=$4
    obtain_end=$(short_hash <"$0")-$arch
    # In a lab is no apt: it uses what its host used last.
    if [ -n "${LAB:-}" ]; then
        last_used || die "the lab's host has not fetched $obtain_what"
        echo "$entry${inside:-}"
        exit
    fi
    obtain_state=$(lists_state)
    obtain_day=$(date +%F)
    answer=$cache/answers/$1-$obtain_name-$(echo "$obtain_input $obtain_state" | short_hash)-$obtain_end
    for entry in "$answer" "$answer-$obtain_day"; do
        if [ -d "$entry/." ]; then
            use "$(readlink "$entry")"
        fi
    done

    need apt-get apt-cache dpkg flock
    mkdir -p "$obtain_folder" "$cache/answers"
    work=$(mktemp -d "$obtain_folder/.new.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    obtain_unread=''
    if ! offered "$answer" && ! offered_by_own_lists "$answer-$obtain_day"; then
        last_used || {
            cat "$work/log" >&2
            die "could not download $obtain_what" \
                "it comes from Debian's archive: is the network up, and are apt's lists new (apt-get update)?"
        }
        obtain_unread=yes
    fi
    rm -f "$work/log"
    if [ -d "$entry" ]; then
        [ -z "$obtain_unread" ] ||
            echo "${0##*/}: Debian's archive cannot be read: using $entry, which was made before" >&2
        remember
        use "$entry"
    fi
}

# keep: give the folder that is made its name, print it, and end.
keep()
{
    chmod 755 "$work"
    publish "$work" "$entry"
    remember
    use "$entry"
}

# use ENTRY: print it, and end. Its date says when it was used last; a cache that is not ours has none.
use()
{
    touch -c "$1" 2>/dev/null || :
    echo "$1${inside:-}"
    exit
}

# last_used: the entry of this recipe that was used last.
last_used()
{
    # shellcheck disable=SC2012 # names of our own
    entry=$(ls -td "$obtain_folder/$obtain_name"-*-"$obtain_end" 2>/dev/null | head -n 1)
    [ -n "$entry" ]
}

# remember: that this entry is the answer.
remember()
{
    ln -s "$entry" "$work.answer"
    mv -T "$work.answer" "$obtain_answer"
    find "$cache/answers" -type l -mtime +30 -exec rm -f {} + 2>/dev/null || :
}

# offered ANSWER OPTION...: with these options for apt, is there the entry of the packages that are offered, or
# can they be downloaded? ANSWER is where that is remembered. What apt said is in $work/log.
offered()
{
    obtain_answer=$1
    shift
    set -- -o APT::Sandbox::User=root "$@"
    obtain_names=$(choose "$@" 2>>"$work/log")
    [ -n "$obtain_names" ] || return 1
    # shellcheck disable=SC2086 # a list of words
    set -- "$@" -qq download $obtain_names
    # A line is: URI, file, size, checksum; the URI depends on the mirror.
    obtain_offer=$(cd "$work" && apt-get --print-uris "$@" 2>>log) || return 1
    obtain_offer=$(echo "$obtain_offer" | cut -d ' ' -f 2- | LC_ALL=C sort)
    entry=$obtain_folder/$obtain_name-$(echo "$obtain_input $obtain_offer" | short_hash)-$obtain_end
    [ ! -d "$entry" ] || return 0
    echo "Downloading $obtain_what (once; kept in $cache)" >&2
    rm -f "$work"/*.deb
    (cd "$work" && apt-get "$@") >>"$work/log" 2>&1
}

# offered_by_own_lists ANSWER: the same with lists of our own, since we may not be root: the host's are missing, too
# old, or not of the wanted architecture. They are read at most once a day, by one process at a time.
offered_by_own_lists()
{
    own=$cache/apt
    mkdir -p "$own/lists/partial" "$own/archives/partial"
    set -- "$1" -o "Dir::State::Lists=$own/lists" -o "Dir::Cache=$own" -o APT::Architectures=amd64,arm64
    exec 9>"$own/lock"
    flock 9
    if [ "$(cat "$own/read" 2>/dev/null)" != "$obtain_day $obtain_state" ]; then
        read_own_lists "$@"
    fi
    offered "$@"
}

# The host's lists are a beginning, which need not be downloaded again. An archive that cannot be read is not the
# end: the packages may be in the lists of before, and the entry in the cache.
read_own_lists()
{
    shift
    [ -e "$own/read" ] || cp -p /var/lib/apt/lists/*_* "$own/lists" 2>/dev/null || :
    if apt-get -o APT::Sandbox::User=root "$@" -o APT::Update::Error-Mode=any -qq update >>"$work/log" 2>&1; then
        echo "$obtain_day $obtain_state" >"$own/read"
    else
        obtain_unread=yes
    fi
}
