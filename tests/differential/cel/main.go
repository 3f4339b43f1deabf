// SPDX-License-Identifier: Apache-2.0
//
// The same `cel` case, answered by cel-go: JSON Lines in, JSON Lines out, in order.
//
// A case is as `kim evaluate` takes it. An answer is {"id","value"}, {"id","error"} or, where what the case's "unknown"
// names matters, {"id","unknown":[...]}. Expressions are parsed and evaluated, never type-checked: so does kim.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

type question struct {
	ID         json.RawMessage            `json:"id"`
	Expression string                     `json:"expression"`
	Bindings   map[string]json.RawMessage `json:"bindings"`
	Unknown    []string                   `json:"unknown"`
}

type object = map[string]any

// ---- values in ----

// 64-bit integers may stand as numbers or as strings.
func integerText(raw json.RawMessage) string { return strings.Trim(string(raw), `"`) }

func items(raw json.RawMessage) []json.RawMessage {
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		panic(fmt.Sprintf("not a list: %s", raw))
	}
	return list
}

func text(raw json.RawMessage) string {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		panic(fmt.Sprintf("not a string: %s", raw))
	}
	return s
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err.Error())
	}
	return value
}

func listOf(raw json.RawMessage) ref.Val {
	list := []ref.Val{}
	for _, item := range items(raw) {
		list = append(list, read(item))
	}
	return types.DefaultTypeAdapter.NativeToValue(list)
}

func mapOf(raw json.RawMessage) ref.Val {
	entries := map[ref.Val]ref.Val{}
	for _, item := range items(raw) {
		pair := items(item)
		entries[read(pair[0])] = read(pair[1])
	}
	return types.DefaultTypeAdapter.NativeToValue(entries)
}

var readers = map[string]func(json.RawMessage) ref.Val{
	"int":    func(r json.RawMessage) ref.Val { return types.Int(must(strconv.ParseInt(integerText(r), 10, 64))) },
	"uint":   func(r json.RawMessage) ref.Val { return types.Uint(must(strconv.ParseUint(integerText(r), 10, 64))) },
	"double": func(r json.RawMessage) ref.Val { return types.Double(must(strconv.ParseFloat(text(r), 64))) },
	"string": func(r json.RawMessage) ref.Val { return types.String(text(r)) },
	"bytes":  func(r json.RawMessage) ref.Val { return types.Bytes(must(base64.StdEncoding.DecodeString(text(r)))) },
	"bool":   func(r json.RawMessage) ref.Val { return types.Bool(must(strconv.ParseBool(string(r)))) },
	"null":   func(json.RawMessage) ref.Val { return types.NullValue },
	"timestamp": func(r json.RawMessage) ref.Val {
		return types.Timestamp{Time: must(time.Parse(time.RFC3339Nano, text(r)))}
	},
	"duration": func(r json.RawMessage) ref.Val { return types.Duration{Duration: must(time.ParseDuration(text(r)))} },
}

func init() { // they refer to read, and so back to this table
	readers["list"] = listOf
	readers["map"] = mapOf
}

func read(raw json.RawMessage) ref.Val {
	var tagged map[string]json.RawMessage
	if err := json.Unmarshal(raw, &tagged); err != nil || len(tagged) != 1 {
		panic(fmt.Sprintf("not a value: %s", raw))
	}
	for tag, value := range tagged {
		if reader, known := readers[tag]; known {
			return reader(value)
		}
		panic("unknown type " + tag)
	}
	return nil
}

// ---- values out ----

func double(d float64) string {
	switch {
	case math.IsNaN(d):
		return "NaN"
	case math.IsInf(d, 1):
		return "Infinity"
	case math.IsInf(d, -1):
		return "-Infinity"
	}
	return strconv.FormatFloat(d, 'g', -1, 64)
}

// A duration in seconds, as protobuf's JSON has it, without needless zeros.
func seconds(d time.Duration) string {
	sign, n := "", uint64(d)
	if d < 0 {
		sign, n = "-", -n
	}
	fraction := strings.TrimRight(fmt.Sprintf(".%09d", n%1e9), "0")
	return sign + strconv.FormatUint(n/1e9, 10) + strings.TrimSuffix(fraction, ".") + "s"
}

func write(value ref.Val) any {
	switch v := value.(type) {
	case types.Int:
		return object{"int": json.Number(strconv.FormatInt(int64(v), 10))}
	case types.Uint:
		return object{"uint": json.Number(strconv.FormatUint(uint64(v), 10))}
	case types.Double:
		return object{"double": double(float64(v))}
	case types.String:
		return object{"string": string(v)}
	case types.Bytes:
		return object{"bytes": base64.StdEncoding.EncodeToString(v)}
	case types.Bool:
		return object{"bool": bool(v)}
	case types.Null:
		return object{"null": nil}
	case types.Timestamp:
		return object{"timestamp": v.Time.UTC().Format(time.RFC3339Nano)}
	case types.Duration:
		return object{"duration": seconds(v.Duration)}
	case *types.Type:
		return object{"type": v.TypeName()}
	case traits.Mapper:
		return object{"map": entries(v)}
	case traits.Lister:
		list := []any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			list = append(list, write(it.Next()))
		}
		return object{"list": list}
	}
	panic(fmt.Sprintf("a value of type %T", value))
}

// In the order of the keys as they are written: cel-go's maps have none.
func entries(m traits.Mapper) []any {
	type entry struct {
		order string
		pair  []any
	}
	all := []entry{}
	add := func(key, value ref.Val) {
		pair := []any{write(key), write(value)}
		all = append(all, entry{string(must(json.Marshal(pair[0]))), pair})
	}
	if native, is := m.Value().(map[ref.Val]ref.Val); is { // a key that is NaN is found in no other way
		for key, value := range native {
			add(key, value)
		}
	} else {
		for it := m.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			add(key, m.Get(key))
		}
	}
	sort.Slice(all, func(i, k int) bool { return all[i].order < all[k].order })
	pairs := []any{}
	for _, e := range all {
		pairs = append(pairs, e.pair)
	}
	return pairs
}

// ---- cases ----

// A path may be a variable's name, or what is selected from the variable that a part of it names.
func patternsOf(path string) (all []*cel.AttributePatternType) {
	parts := strings.Split(path, ".")
	for n := len(parts); n > 0; n-- {
		p := cel.AttributePattern(strings.Join(parts[:n], "."))
		for _, field := range parts[n:] {
			p = p.QualString(field)
		}
		all = append(all, p)
	}
	return all
}

func unknowns(u *types.Unknown) []string {
	seen, names := map[string]bool{}, []string{}
	for _, id := range u.IDs() {
		trails, _ := u.GetAttributeTrails(id)
		for _, trail := range trails {
			if name := trail.String(); !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	sort.Strings(names)
	return names
}

func evaluate(q question, env *cel.Env) object {
	ast, issues := env.Parse(q.Expression)
	if issues.Err() != nil {
		return object{"error": issues.Err().Error()}
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptPartialEval))
	if err != nil {
		return object{"error": err.Error()}
	}
	bindings := map[string]any{}
	for name, raw := range q.Bindings {
		bindings[name] = read(raw)
	}
	patterns := []*cel.AttributePatternType{}
	for _, path := range q.Unknown {
		patterns = append(patterns, patternsOf(path)...)
	}
	value, _, err := program.Eval(must(cel.PartialVars(bindings, patterns...)))
	if err != nil {
		return object{"error": err.Error()}
	}
	if u, is := value.(*types.Unknown); is {
		return object{"unknown": unknowns(u)}
	}
	return object{"value": write(value)}
}

func answer(line []byte, env *cel.Env) (out object) {
	var q question
	defer func() {
		if fault := recover(); fault != nil {
			out = object{"refused": fmt.Sprint(fault)}
		}
		out["id"] = q.ID
	}()
	if err := json.Unmarshal(line, &q); err != nil {
		return object{"refused": err.Error()}
	}
	return evaluate(q, env)
}

func main() {
	env := must(cel.NewEnv())
	in, out := bufio.NewScanner(os.Stdin), bufio.NewWriter(os.Stdout)
	defer out.Flush()
	in.Buffer(nil, 1<<20)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for in.Scan() {
		if err := encoder.Encode(answer(in.Bytes(), env)); err != nil {
			panic(err)
		}
	}
}
