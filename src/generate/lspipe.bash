# Completion of lspipe(1) for bash 4 or newer. lspipe itself answers what may stand at the cursor; its first line says how.

_lspipe() {
    # Readline also breaks words at = and :, lspipe does not. Pieces with no blank in between are one word.
    local rest=${COMP_LINE:0:COMP_POINT} piece blanks words=() i
    for ((i = 0; i <= COMP_CWORD; i++)); do
        piece=${COMP_WORDS[i]}
        blanks=${rest%%[![:space:]]*}
        rest=${rest#"$blanks"}
        if ((i == COMP_CWORD)); then
            piece=$rest
        fi
        if ((i == 0)) || [[ -n $blanks ]]; then
            words+=("$piece")
        else
            words[-1]+=$piece
        fi
        rest=${rest#"$piece"}
    done
    # What is typed and not replaced: $2 begins after the last break, or after an opening quote.
    local typed=${words[-1]} kept=${words[-1]%"$2"}
    # Without quotes and backslashes.
    words=("${words[@]//[\\\"\']/}")

    local kind='' prefix='' value help
    COMPREPLY=()
    while IFS=$'\t' read -r value help; do
        if [[ -z $kind ]]; then
            kind=$value prefix=$help
            continue
        fi
        if [[ $typed != [\"\']* && $value == *[!A-Za-z0-9_,.:=^+/@%-]* ]]; then
            printf -v value %q "$value"
        fi
        COMPREPLY+=("${value#"${kept#[\"\']}"}")
    done < <(LSPIPE_COMPLETE=1 command lspipe -- "${words[@]}" 2>/dev/null)

    case $kind in
        list)
            # A comma may follow.
            compopt -o nospace
            ;;
        files | dirs)
            local action=-f
            if [[ $kind == dirs ]]; then
                action=-d
            fi
            compopt -o filenames
            # A name with an escape sequence is not for a terminal.
            while IFS= read -r value; do
                if [[ $value != *[[:cntrl:]]* ]]; then
                    COMPREPLY+=("$value")
                fi
            done < <(compgen "$action" -- "${2#"${prefix#"$kept"}"}")
            ;;
    esac
}

complete -o nosort -F _lspipe lspipe
