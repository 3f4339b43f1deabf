// SPDX-License-Identifier: Apache-2.0
//
// unicode_tables.go - writes unicode.inc: what \p{...} and (?i) of regular expressions mean.
//
//	go run unicode_tables.go > unicode.inc
//
// Of Go's tables, for Go's regexp is what cel-go matches with. Run it again for a newer Unicode.
package main

import (
	"bufio"
	"fmt"
	"os"
	"sort"
	"strings"
	"unicode"
)

// As regexp/syntax looks names up: no blanks, hyphens and underscores; one capital.
func canonical(name string) string {
	name = strings.NewReplacer("_", "", "-", "", " ", "").Replace(name)
	return strings.ToUpper(name[:1]) + strings.ToLower(name[1:])
}

func ranges(table *unicode.RangeTable) [][2]rune {
	var all [][2]rune
	add := func(lo, hi, stride rune) {
		for c := lo; c <= hi; c += stride {
			end := c
			if stride == 1 {
				end = hi
			}
			if n := len(all); n > 0 && all[n-1][1]+1 == c {
				all[n-1][1] = end
			} else {
				all = append(all, [2]rune{c, end})
			}
			c = end
		}
	}
	for _, r := range table.R16 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range table.R32 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	return all
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	tables := map[string]*unicode.RangeTable{}
	for name, table := range unicode.Scripts {
		tables[canonical(name)] = table
	}
	for name, actual := range unicode.CategoryAliases {
		tables[canonical(name)] = unicode.Categories[actual]
	}
	for name, table := range unicode.Categories {
		tables[canonical(name)] = table
	}
	tables["Any"] = &unicode.RangeTable{R32: []unicode.Range32{{Lo: 0, Hi: unicode.MaxRune, Stride: 1}}}
	tables["Ascii"] = &unicode.RangeTable{R16: []unicode.Range16{{Lo: 0, Hi: 127, Stride: 1}}}

	names := []string{}
	for name := range tables {
		if name != "Assigned" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	fmt.Fprintf(out, "/* Unicode %s; written by unicode_tables.go. */\n", unicode.Version)
	fmt.Fprintln(out, "static const code_range property_ranges[] = {")
	first, begin, count := map[*unicode.RangeTable]int{}, 0, map[*unicode.RangeTable]int{}
	for _, name := range names {
		table := tables[name]
		if _, done := first[table]; done {
			continue
		}
		first[table] = begin
		column := 0
		for _, r := range ranges(table) {
			fmt.Fprintf(out, "{%d,%d},", r[0], r[1])
			if column++; column%10 == 0 {
				fmt.Fprintln(out)
			}
			begin++
			count[table]++
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintln(out, "};\nstatic const property properties[] = {")
	for _, name := range names {
		fmt.Fprintf(out, "    {\"%s\", %d, %d},\n", name, first[tables[name]], count[tables[name]])
	}
	fmt.Fprintln(out, "};\n/* A code point and the next one that is the same but for its case; round in a ring. */")
	fmt.Fprintln(out, "static const code_range folds[] = {")
	column := 0
	for c := rune(0); c <= unicode.MaxRune; c++ {
		if f := unicode.SimpleFold(c); f != c {
			fmt.Fprintf(out, "{%d,%d},", c, f)
			if column++; column%10 == 0 {
				fmt.Fprintln(out)
			}
		}
	}
	fmt.Fprintln(out, "\n};")
}
