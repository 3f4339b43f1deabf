# SPDX-License-Identifier: Apache-2.0
#
# action_names.awk - the catalogue's action names as C: a row a service, its names sorted and front-coded.
#
# A name is the number of bytes it shares with the one before it, as a character from '!' on, its other
# bytes, a digit and a newline. The digit says what resources the action takes: 0 none, 1 one type must be there,
# 2 any of some types, 3 several types must be there. Front-coding halves 460 kB; a look-up walks one
# service, once for each kind of event.
BEGIN { FS = "\t"; for (i = 33; i < 127; i++) code[i - 33] = sprintf("%c", i) }
$1 == "service" { end(); printf "    {\"%s\", \"", $2; open = 1; last = "" }
$1 == "action" {
    name = substr($2, index($2, ":") + 1)
    for (n = 0; n < 90 && n < length(last) && substr(name, n + 1, 1) == substr(last, n + 1, 1); n++)
        ;
    c = code[n]
    if (c == "\"" || c == "\\")
        c = "\\" c
    required = gsub(/!/, "!", $4)
    printf "%s%s%d\\n", c, substr(name, n + 1), ($4 == "-" ? 0 : required > 1 ? 3 : required == 1 ? 1 : 2)
    last = name
}
END { end() }
function end() { if (open) print "\"}," }
