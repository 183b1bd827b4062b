# bash completion for vmm(1) and vmm-test(1)
_vmm()
{
    local cur prev options
    _init_completion -s 2>/dev/null || { cur=${COMP_WORDS[COMP_CWORD]}; prev=${COMP_WORDS[COMP_CWORD-1]}; }
    case $prev in
        --kernel | --initrd | --disk | --trace-file | --dump-acpi | --dump-fdt | --dtb | --snapshot-save | --snapshot-load | --exec)
            compopt -o filenames 2>/dev/null
            COMPREPLY=($(compgen -f -- "$cur"))
            return ;;
        --exec-dir | --out | --modules)
            compopt -o filenames 2>/dev/null
            COMPREPLY=($(compgen -d -- "$cur"))
            return ;;
        --info)
            COMPREPLY=($(compgen -W "mtree flatview qtree irq mtree,at=end flatview,at=end qtree,at=end irq,at=end" -- "$cur"))
            return ;;
        --console) COMPREPLY=($(compgen -W "stdio null pty file: unix:" -- "$cur")); return ;;
        --machine) COMPREPLY=($(compgen -W "help $(vmm --machine help 2>/dev/null | sed -n 's/^\([a-z]*\) .*/\1/p')" -- "$cur")); return ;;
        --cpu) COMPREPLY=($(compgen -W "host help" -- "$cur")); return ;;
        --device)
            COMPREPLY=($(compgen -W "help $(vmm --device help 2>/dev/null | cut -d' ' -f1)" -- "$cur"))
            return ;;
        --trace)
            COMPREPLY=($(compgen -W "help $(vmm --trace help 2>/dev/null | cut -d' ' -f1)" -- "$cur"))
            return ;;
    esac
    options=$(vmm --help 2>/dev/null | sed -n 's/^  \(--[a-z-]*\).*/\1/p')
    COMPREPLY=($(compgen -W "$options" -- "$cur"))
}
complete -F _vmm vmm

_vmm_test()
{
    local cur prev suites
    _init_completion -s 2>/dev/null || { cur=${COMP_WORDS[COMP_CWORD]}; prev=${COMP_WORDS[COMP_CWORD-1]}; }
    compopt -o filenames 2>/dev/null
    case $prev in
        --tap | --junit | --logs | --vmm) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --jobs | -j | --rerun | -D) return ;;
        --filter)
            suites=$(printf '%s\n' "${COMP_WORDS[@]}" | grep '\.suite$')
            COMPREPLY=($(compgen -W "$(vmm-test --list $suites 2>/dev/null)" -- "$cur"))
            return ;;
    esac
    case $cur in
        -*) COMPREPLY=($(compgen -W "$(vmm-test --help 2>/dev/null | grep -o -- '--[a-z-]*')" -- "$cur")) ;;
        *) COMPREPLY=($(compgen -f -X '!*.suite' -- "$cur") $(compgen -d -- "$cur")) ;;
    esac
}
complete -F _vmm_test vmm-test
