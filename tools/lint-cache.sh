# shellcheck shell=sh
# lint-cache.sh: sourced by tools/lint. Which files must a tool look at again?
#
# That a tool found nothing in a file is recorded by an empty file in the cache that all clones share, named
# by the SHA-256 of a description of all that the answer came from: the tool and its configuration, and
# the name and content of the file and of all that it includes. So a record is never wrong, only of no
# more use; dates do not matter, and where no description can be made the tool runs.
#
# shellcheck disable=SC2154 # $work and $records are the sourcing script's

# identity TOOL: a hash of the tool, its configuration and ours.
identity()
{
    identity_program=$(readlink -f "$(command -v "$1")")
    {
        "$1" --version 2>&1
        # clang's tools are small programs around one library; cppcheck's knowledge of libc is a file.
        case $1 in
            cppcheck) cat /usr/lib/*/cppcheck/cfg/std.cfg 2>/dev/null ;;
            clang-*) ldd "$identity_program" 2>/dev/null | grep -o '/[^ ]*/libclang[^ ]*' | xargs -r cat ;;
        esac
        cat "$identity_program" tools/lint tools/lint-cache.sh
        [ ! -f ".$1" ] || cat ".$1"
    } | sha256sum | cut -d ' ' -f 1
}

# reached: "FILE OTHER" for each file of standard input, itself first, and each file of the tree that it
# includes or, as a script, sources: at once or through others, and under whatever condition.
reached()
{
    cat >"$work/from"
    find . \( -path ./build -o -path ./.git \) -prune -o -xtype f -print | cut -c 3- | awk '
        function link(file, name)
        {
            gsub(/\/\.\//, "/", name)
            sub(/^\.\//, "", name)
            while (sub(/[^\/]+\/\.\.\//, "", name))
                ;
            if (name in known)
                links[file] = links[file] " " name
        }

        # Names are paths from the root of the tree or from the folder of the file.
        function read(file,    folder, line)
        {
            been_read[file] = 1
            folder = file
            sub(/[^\/]*$/, "", folder)
            while ((getline line < file) > 0) {
                if (line ~ /^[ \t]*#[ \t]*include[ \t]*["<]/)
                    sub(/^[^"<]*["<]/, "", line)
                else if (line ~ /^[ \t]*# shellcheck source=/)
                    sub(/^.*source=/, "", line)
                else if (line ~ /^[ \t]*(\.|source)[ \t]/)
                    sub(/^[ \t]*(\.|source)[ \t]+"?(\$[a-z_]*\/)?/, "", line)
                else
                    continue
                sub(/["> \t;].*/, "", line)
                link(file, line)
                link(file, folder line)
            }
            close(file)
        }

        function visit(file,    i, count, list)
        {
            seen[file] = from
            print from, file
            if (!(file in been_read))
                read(file)
            count = split(links[file], list, " ")
            for (i = 1; i <= count; i++)
                if (seen[list[i]] != from)
                    visit(list[i])
        }

        FILENAME != ARGV[2] { known[$0] = 1; next }
        { from = $0; visit($0) }' - "$work/from"
}

# describe TOOL...: from lines "TOOL/FILE OTHER" in $work/reads, OTHER being each that the tool reads for
# FILE, make the descriptions $work/described/TOOL/FILE, which sha256sum --check can read.
describe()
{
    {
        for tool; do echo "$(identity "$tool") $tool"; done
        cut -d ' ' -f 2 "$work/reads" | sort -u | xargs -r sha256sum
    } >"$work/sums"
    mkdir "$work/described"
    sed 's,/[^/]* .*,,' "$work/reads" | sort -u | (cd "$work/described" && xargs -r mkdir -p)
    awk -v out="$work/described/" '
        FILENAME == ARGV[1] { sum[$2] = $1; next }
        $1 != description {
            close(out description)
            description = $1
            split(description, part, "/")
            print sum[part[1]] >(out description)
        }
        { print sum[$2] "  " $2 >(out description) }' "$work/sums" "$work/reads"
}

# not_passed: "TOOL KEY:FILE" for each "TOOL/FILE" of standard input that has no record; the key is - when
# there is no description. Fails when it cannot tell.
not_passed()
{
    (cd "$work/described" && find . -type f -exec sha256sum {} +) >"$work/keys"
    : >"$work/used"
    awk -v records="$records/" -v used="$work/used" '
        FILENAME == ARGV[1] { key[substr($2, 3)] = $1; next }
        {
            slash = index($0, "/")
            tool = substr($0, 1, slash - 1)
            mark = ($0 in key) ? key[$0] : "-"
            record = records tool "/" mark
            if ((getline line < record) < 0)
                print tool, mark ":" substr($0, slash + 1)
            else
                print record >used
            close(record)
        }' "$work/keys" - || return
    # What nobody has asked for in a month is of an old state of the tree.
    xargs -r touch -c <"$work/used"
    find "$records" -type f -mtime +30 -delete
    return 0
}

# record TOOL KEY:FILE...: the tool passed these, unless something that it read has changed meanwhile.
record()
{
    record_tool=$1
    shift
    for record_of; do
        case $record_of in -:*) continue ;; esac
        sha256sum --status --check "$work/described/$record_tool/${record_of#*:}" &&
            touch "$records/$record_tool/${record_of%%:*}"
    done
    return 0
}
