package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin.dev"
	"tocsin.dev/investigate"
)

// Commands makes `tocsin <noun> <verb>` from the table. What stands in the path of the route are arguments, the tenant
// excepted, which is --tenant and may be left away where there is only one; everything else are flags. Answers are a
// table, or with --json an object a line. connect is called when a command runs.
func Commands(connect func() (*Client, error)) []*cobra.Command {
	var nouns []*cobra.Command
	by := map[string]*cobra.Command{}
	for _, o := range Ops(nil) {
		if !o.command {
			continue
		}
		noun, verb, _ := strings.Cut(o.Name, " ")
		parent := by[noun]
		if parent == nil {
			parent = &cobra.Command{Use: noun, Short: nounHelp(noun), RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
			by[noun] = parent
			nouns = append(nouns, parent)
		}
		parent.AddCommand(command(o, verb, connect))
	}
	by["sigma"].AddCommand(loadOwn(connect))
	return nouns
}

// nounHelp is the help of a noun: that of its list, else of what gets one, else of its first operation.
func nounHelp(noun string) string {
	for _, o := range Ops(nil) {
		if strings.HasPrefix(o.Name, noun+" ") && (strings.HasSuffix(o.Name, " list") || strings.HasSuffix(o.Name, " get")) {
			return o.Help
		}
	}
	for _, o := range Ops(nil) {
		if strings.HasPrefix(o.Name, noun+" ") {
			return o.Help
		}
	}
	return ""
}

// run is one call of a command.
type run struct {
	cmd    *cobra.Command
	o      Op
	in     reflect.Value // of the input, addressable
	client *Client
	json   bool
	all    bool
	from   string
	wait   bool
}

func command(o Op, verb string, connect func() (*Client, error)) *cobra.Command {
	in := reflect.New(o.in)
	r := &run{o: o, in: in.Elem()}
	names := placed(o)
	cmd := &cobra.Command{Use: verb, Short: o.Help, Long: o.Help + ".\n\n" + needs(o)}
	r.cmd = cmd
	for _, n := range names {
		cmd.Use += " " + strings.ToUpper(n)
	}
	cmd.Args = cobra.ExactArgs(len(names))
	if o.upload {
		cmd.Use += " FILE..."
		cmd.Args = cobra.MinimumNArgs(1)
	}
	cmd.Flags().BoolVar(&r.json, "json", false, "print one JSON object a line")
	flags(cmd, r.in)
	if isPage(o.out) {
		cmd.Flags().BoolVar(&r.all, "all-pages", false, "go on until the end of the list")
	}
	if o.Name == "connections create" {
		cmd.Flags().StringVar(&r.from, "from", "", "a file with what tocsin sim printed; - for standard input")
		cmd.Flags().BoolVar(&r.wait, "wait", false, "end when the first sync has")
	}
	cmd.SilenceUsage = true
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if r.client, err = connect(); err != nil {
			return err
		}
		if o.upload {
			return r.upload(args)
		}
		for i, n := range names {
			set(r.in, n, args[i])
		}
		return flagged(cmd, r.do())
	}
	return cmd
}

// placed are the names in the route's path besides the tenant, in their order: a command's arguments.
func placed(o Op) (names []string) {
	for part := range strings.SplitSeq(o.Path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok && name != "tenant}" {
			names = append(names, strings.TrimSuffix(name, "}"))
		}
	}
	return names
}

// placedAt is what the field of the path with this name holds.
func placedAt(v reflect.Value, name string) string {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			if text := placedAt(v.Field(i), name); text != "" {
				return text
			}
		}
		if f.Tag.Get("path") == name {
			return v.Field(i).String()
		}
	}
	return ""
}

// set sets the field of the path with this name.
func set(v reflect.Value, name, text string) bool {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous && set(v.Field(i), name, text) {
			return true
		}
		if f.Tag.Get("path") == name {
			v.Field(i).SetString(text)
			return true
		}
	}
	return false
}

// flags makes a flag of every field that stands in no path, and of the tenant.
func flags(cmd *cobra.Command, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch {
		case f.Anonymous || f.Name == "Body" && f.Type.Kind() == reflect.Struct:
			flags(cmd, v.Field(i))
		case f.Tag.Get("path") != "" && f.Tag.Get("path") != "tenant":
		case f.Tag.Get("json") == "-":
		case f.Type == reflect.TypeFor[investigate.Scope]() || f.Type == reflect.TypeFor[investigate.Then]():
			partFlags(cmd, v.Field(i), fieldName(f)+"_")
		default:
			name := flagName(fieldName(f))
			help := f.Tag.Get("doc")
			if e := f.Tag.Get("enum"); e != "" {
				help += " (" + strings.ReplaceAll(e, ",", ", ") + ")"
			}
			secret := secrets[name]
			if secret {
				help += "; @FILE reads it from a file"
			}
			if cmd.Flags().Lookup(name) == nil {
				cmd.Flags().Var(&value{name: name, v: v.Field(i), file: secret}, name, help)
				if f.Type.Kind() == reflect.Bool {
					cmd.Flags().Lookup(name).NoOptDefVal = "true"
				}
			}
		}
	}
}

// partFlags makes a flag of every member of a part of the input, under the part's name.
func partFlags(cmd *cobra.Command, v reflect.Value, part string) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := flagName(part + fieldName(f))
		cmd.Flags().Var(&value{name: name, v: v.Field(i)}, name, f.Tag.Get("doc"))
		if f.Type.Kind() == reflect.Bool {
			cmd.Flags().Lookup(name).NoOptDefVal = "true"
		}
	}
}

// flagName is what a member is called as a flag.
func flagName(member string) string { return strings.ToLower(strings.ReplaceAll(member, "_", "-")) }

// secrets are flags that should not stand on a command line, where everybody on the machine can read them.
var secrets = map[string]bool{"client-secret": true, "certificate": true, "ca": true, "password": true, "address": true, "text": true}

// value is a field of an input as a flag.
type value struct {
	name string
	v    reflect.Value
	file bool // @FILE is what stands in the file
}

// String is the flag's present value; the empty one is not shown in the help.
func (f *value) String() string {
	if !f.v.IsValid() || f.v.IsZero() {
		return ""
	}
	if f.v.Kind() == reflect.Pointer {
		return textOf(f.v.Elem())
	}
	return textOf(f.v)
}

// Type is what the help calls it.
func (f *value) Type() string {
	switch f.v.Kind() {
	case reflect.Bool:
		return ""
	case reflect.Int, reflect.Int64:
		return "number"
	case reflect.Slice:
		return "list"
	case reflect.Struct:
		return "time"
	}
	return "text"
}

// Set reads the flag. A time may be a date or a span from now, such as 90d.
func (f *value) Set(s string) error {
	if name, ok := strings.CutPrefix(s, "@"); ok && f.file {
		text, err := os.ReadFile(name)
		if err != nil {
			return invalid("Name a file that is there, or leave the @ away.", "--%s cannot be read: there is no file %s that can be opened.", f.name, name)
		}
		s = strings.TrimRight(string(text), "\r\n")
	}
	switch f.v.Kind() {
	case reflect.Pointer:
		p := reflect.New(f.v.Type().Elem())
		f.v.Set(p)
		return (&value{name: f.name, v: p.Elem()}).Set(s)
	case reflect.Bool:
		is, known := map[string]bool{"true": true, "yes": true, "1": true, "false": false, "no": false, "0": false}[strings.ToLower(s)]
		if !known {
			return fmt.Errorf("%q is neither true nor false", s)
		}
		f.v.SetBool(is)
	case reflect.Int, reflect.Int64:
		var n int64
		if err := json.Unmarshal([]byte(s), &n); err != nil {
			return fmt.Errorf("%q is not a number", s)
		}
		f.v.SetInt(n)
	case reflect.Slice:
		f.v.SetZero()
		for part := range strings.SplitSeq(s, ",") {
			f.v.Set(reflect.Append(f.v, reflect.ValueOf(strings.TrimSpace(part)).Convert(f.v.Type().Elem())))
		}
	case reflect.Struct:
		t, err := parseTime(s, time.Now())
		if err != nil {
			return err
		}
		f.v.Set(reflect.ValueOf(t))
	default:
		f.v.SetString(s)
	}
	return nil
}

// parseTime reads a time, a date, or a span from now.
func parseTime(s string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	if n, ok := strings.CutSuffix(s, "d"); ok {
		var days int
		if json.Unmarshal([]byte(n), &days) == nil {
			return now.UTC().AddDate(0, 0, days), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time such as 2026-12-31, 2026-12-31T12:00:00Z or 90d", s)
}

// do calls the operation and prints its answer.
func (r *run) do() error {
	ctx := r.cmd.Context()
	if r.from != "" {
		if err := r.read(); err != nil {
			return err
		}
	}
	if err := r.whichTenant(ctx); err != nil {
		return err
	}
	get, version := r.looks()
	if version.IsValid() {
		version.SetInt(1) // until it is known
	}
	if err := r.faults(); err != nil {
		return err
	}
	if version.IsValid() {
		if err := r.lookUp(ctx, get, version); err != nil {
			return err
		}
	}
	if r.o.stream {
		for f, err := range r.client.Follow(ctx, r.o.Name, r.in.Interface()) {
			if err != nil {
				return err
			}
			if err := r.print(reflect.ValueOf(f)); err != nil {
				return err
			}
		}
		return nil
	}
	for {
		out := reflect.New(r.o.out)
		if err := r.client.Do(ctx, r.o.Name, r.in.Interface(), out.Interface()); err != nil {
			return err
		}
		if err := r.print(out.Elem()); err != nil {
			return err
		}
		next := ""
		if isPage(r.o.out) {
			next = out.Elem().FieldByName("Next").String()
		}
		if next == "" || !r.all {
			r.more(next)
			if r.wait {
				return r.waitFor(ctx, out.Interface().(*Connection))
			}
			return nil
		}
		r.in.FieldByName("After").SetString(next)
	}
}

// looks is how a version is looked up that was not given, and where it goes: who wants to be refused if somebody else
// changes the thing meanwhile gives the one that was looked at.
func (r *run) looks() (get Op, version reflect.Value) {
	noun, _, _ := strings.Cut(r.o.Name, " ")
	get, ok := table()[cmp.Or(versionAt[r.o.Name], noun+" get")]
	version = member(r.in.FieldByName("Body"), "Version")
	if !ok || !version.IsValid() || r.cmd.Flags().Changed("version") {
		return get, reflect.Value{}
	}
	return get, version
}

// lookUp sets the version to the present one.
func (r *run) lookUp(ctx context.Context, get Op, version reflect.Value) error {
	in, out := reflect.New(get.in), reflect.New(get.out)
	for _, name := range append(placed(get), "tenant") {
		set(in.Elem(), name, placedAt(r.in, name))
	}
	if err := r.client.Do(ctx, get.Name, in.Interface(), out.Interface()); err != nil {
		return err
	}
	is := member(out.Elem(), "Version")
	if r.o.Name == "canary set" {
		is = member(member(out.Elem(), "Canary"), "Version")
	}
	version.Set(is)
	return nil
}

// versionAt is what shows the version of that which an operation changes, where it is not what gets one of its noun.
var versionAt = map[string]string{"connections set-stream": "connections stream", "canary set": "stream get"}

// member is the field of a struct with this name, if it is one and has it.
func member(v reflect.Value, name string) reflect.Value {
	if !v.IsValid() || v.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return v.FieldByName(name)
}

// faults are all that is wrong about the input, by the names of arguments and flags.
func (r *run) faults() error {
	named := func(b bounds) string {
		if b.path {
			return strings.ToUpper(b.name)
		}
		return "--" + flagName(b.name)
	}
	all := faults(r.in.Interface(), named)
	if in, ok := r.in.Interface().(CreateConnectionIn); ok {
		all = append(all, in.Body.faults()...)
	}
	return flagged(r.cmd, tocsin.Together(all...))
}

// flagged puts the names of flags into a problem's words, in place of the names of members that are no plain words.
func flagged(cmd *cobra.Command, err error) error {
	p, ok := errors.AsType[*tocsin.Problem](err)
	if !ok {
		return err
	}
	said := *p
	put := func(word string) string {
		if name := flagName(word); name != word && cmd.Flags().Lookup(name) != nil {
			return "--" + name
		}
		return word
	}
	said.What, said.Do = memberName.ReplaceAllStringFunc(p.What, put), memberName.ReplaceAllStringFunc(p.Do, put)
	return &said
}

var memberName = regexp.MustCompile(`\b[a-z]+(_[a-z]+)+\b`)

// more says that a list goes on.
func (r *run) more(next string) {
	if next != "" {
		fmt.Fprintf(r.cmd.ErrOrStderr(), "There is more: --after %s, or --all-pages.\n", next)
	}
}

func isPage(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && strings.HasPrefix(t.Name(), "Page[")
}
