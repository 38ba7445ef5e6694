# Completion of treadle for fish 3.1 and newer. Load it: treadle completion fish | source
function __treadle_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l treadle (string replace -r '^~' $HOME -- $words[1])
    command -sq $treadle 2>/dev/null; or set treadle treadle
    set -l lines (command $treadle __complete --words $words[2..-1] "$current" 2>/dev/null </dev/null)
    switch "$lines[1]"
        case ':files' ':folders'
            set -l before (string match -r -- '^--[^=]*=' $current)
            set -l path (string replace -r -- '^--[^=]*=' '' $current)
            if test $lines[1] = ':folders'
                __fish_complete_directories $path | string replace -r -- '^' "$before"
            else
                __fish_complete_path $path | string replace -r -- '^' "$before"
            end
        case '*'
            printf '%s\n' $lines[2..-1]
    end
end
complete -c treadle -f -a '(__treadle_complete)'
