#compdef treadle
# Completion of treadle for zsh. Load it: source <(treadle completion zsh), or save it as _treadle in a folder of fpath.
_treadle() {
  local treadle=${(Q)words[1]} line value about kind
  local -a lines values shown
  whence -p -- "${treadle/#\~/$HOME}" >/dev/null && treadle=${treadle/#\~/$HOME} || treadle=treadle
  lines=("${(@f)$("$treadle" __complete --words "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null </dev/null)}")
  kind=$lines[1]
  case $kind in
    :files|:folders)
      [[ $PREFIX == --*=* ]] && compset -P '*='
      if [[ $kind == :folders ]]; then _files -/; else _files; fi
      return ;;
  esac
  for line in "${(@)lines[2,-1]}"; do
    value=${line%%$'\t'*}
    about=${${line#$value}#$'\t'}
    values+=("$value")
    shown+=("${value}${about:+  -- $about}")
  done
  (( $#values )) || return 1
  if [[ $kind == :other ]]; then
    compadd -U -V treadle -l -d shown -a -- values
    # Several values that begin otherwise than what was typed: they are listed, and what was typed stays.
    if (( $#values > 1 )); then
      compstate[insert]=
      compstate[list]='list force'
    fi
  else
    compadd -V treadle -l -d shown -a -- values
  fi
}
if [[ ${funcstack[1]} == _treadle ]]; then
  _treadle "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i; }
  compdef _treadle treadle
fi
