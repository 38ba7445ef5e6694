/** What an agent may write to hurt whoever looks: a shell script. It clears up after itself, as far as a terminal can. */
export const hostileOutput = String.raw`
printf '\033]52;c;c3RvbGVu\007'
printf '\033]0;owned\007\033]2;owned\033\\'
printf '\033]8;;https://evil.example/\033\\press me\033]8;;\033\\\n'
printf '\033]1337;File=inline=1:c3RvbGVu\007\033]777;notify;owned;owned\007'
printf '\033Pq#0;2;0;0;0~~\033\\\033_Gf=32;c3RvbGVu\033\\'
printf '<img src=x onerror=alert(1)><script>alert(1)</script>\n'
printf '\377\376 \300\200 \355\240\200 \xf4\x90\x80\x80\n'
printf '\033[999999999;999999999H\033[2147483647C\033[2147483647b\033[?1003h\033[?1003l'
printf '\033[?1049h\033[2J\033[?1049l'
head -c 300000 /dev/zero | tr '\0' x; echo
printf '\033]0;never ended'; head -c 100000 /dev/zero | tr '\0' y; printf '\007\n'
printf '\033[0m\033[?25h'
`
