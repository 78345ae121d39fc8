# Completion of lspipe(1) for fish. lspipe itself answers what may stand at the cursor; its first line says how.

function __fish_lspipe_complete
    set -l before (commandline --current-process --tokenize --cut-at-cursor)
    set -l typed (commandline --current-token --cut-at-cursor | string replace --all --regex '[\\\\"\']' '')
    set -l answer (LSPIPE_COMPLETE=1 command lspipe -- $before "$typed" 2>/dev/null)
    set -q answer[1]
    or return
    set -l first (string split \t -- $answer[1])
    for line in $answer[2..]
        echo -- $line
    end
    switch $first[1]
        case files
            set -l path (string replace -- "$first[2]" '' "$typed")
            string replace --regex -- '^' "$first[2]" (__fish_complete_path "$path")
        case dirs
            set -l path (string replace -- "$first[2]" '' "$typed")
            string replace --regex -- '^' "$first[2]" (__fish_complete_directories "$path")
    end
end

complete --command lspipe --no-files --keep-order --arguments '(__fish_lspipe_complete)'
