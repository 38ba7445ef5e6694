# Completion of treadle for bash 4.4 and newer. Load it: source <(treadle completion bash)
_treadle() {
  local treadle=$1 answer kind line value about current
  local -a lines values abouts
  COMPREPLY=()
  type -P -- "$treadle" >/dev/null || treadle=treadle
  answer=$("$treadle" __complete --line "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null </dev/null) || return 0
  mapfile -t lines <<<"$answer"
  kind=${lines[0]}
  case $kind in
    :files) compopt -o default; return 0 ;;
    :folders) compopt -o dirnames; return 0 ;;
  esac
  for line in "${lines[@]:1}"; do
    value=${line%%$'\t'*}
    about=
    [[ $line == *$'\t'* ]] && about=${line#*$'\t'}
    values+=("$value")
    abouts+=("$about")
  done
  # One is inserted; of several, readline inserts what they begin with and lists them all.
  if ((${#values[@]} <= 1)); then
    COMPREPLY=("${values[@]}")
    return 0
  fi
  local i width=0
  for value in "${values[@]}"; do ((${#value} > width)) && width=${#value}; done
  for i in "${!values[@]}"; do
    current=${values[i]}
    if [[ -n ${abouts[i]} ]]; then
      printf -v current "%-${width}s  (%s)" "${values[i]}" "${abouts[i]}"
      current=${current:0:$((${COLUMNS:-80} - 1))}
    fi
    COMPREPLY+=("$current")
  done
  # Values that begin otherwise than what was typed: nothing is inserted, for they have nothing in common.
  [[ $kind == :other ]] && COMPREPLY+=(' ')
  return 0
}
complete -F _treadle treadle
