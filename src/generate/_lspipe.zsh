#compdef lspipe
# Completion of lspipe(1) for zsh. lspipe itself answers what may stand at the cursor; its first line says how.

_lspipe() {
    local -a answer described suffix
    local line value help kind prefix
    local -i result=1

    answer=("${(@f)$(LSPIPE_COMPLETE=1 command lspipe -- "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    kind=${answer[1]%%$'\t'*}
    prefix=${answer[1]#*$'\t'}
    shift answer

    # What stays is not matched again, so that a list shows only what is new.
    if [[ -n $prefix && $PREFIX == "$prefix"* ]]; then
        IPREFIX+=$prefix
        PREFIX=${PREFIX#"$prefix"}
    else
        prefix=
    fi
    for line in $answer; do
        value=${${line%%$'\t'*}#"$prefix"}
        help=${line#*$'\t'}
        described+=("${${value//\\/\\\\}//:/\\:}${help:+:${help//\\/\\\\}}")
    done
    if [[ $kind == list ]]; then
        # A comma, which a blank replaces.
        suffix=(-q -S ,)
    fi

    if (( $#described )); then
        _describe -V 'lspipe' described $suffix && result=0
    fi
    case $kind in
        files) _files && result=0 ;;
        dirs) _files -/ && result=0 ;;
    esac
    return result
}

# Also where this file is sourced.
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _lspipe "$@"
else
    compdef _lspipe lspipe
fi
