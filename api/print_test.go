package api

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestOutsideWords: who was not asked is told from who need not be, and from who has nobody outside.
func TestOutsideWords(t *testing.T) {
	for _, c := range []struct {
		g    Group
		want string
	}{
		{Group{Kind: "unified"}, "not needed: no rule leads there"},
		{Group{Kind: "unified", LedTo: true}, "not asked yet"},
		{Group{Kind: "unified", LedTo: true, Outside: []string{}}, "none"},
		{Group{Kind: "unified", Outside: []string{"a@x.example", "b@x.example"}}, "a@x.example, b@x.example"},
		{Group{Kind: "contact"}, ""},
	} {
		if got := outsideWords(c.g); got != c.want {
			t.Errorf("%+v: %q, want %q", c.g, got, c.want)
		}
	}
}

// TestColumns: every list shows something of its items on the command line, and nothing that they do not have.
func TestColumns(t *testing.T) {
	made := map[string]bool{"Group outside_members": true, "MailRule name": true, "MailRule person": true}
	for _, o := range Ops(nil) {
		if !o.command || !isPage(o.out) {
			continue
		}
		items, _ := o.out.FieldByName("Items")
		item := items.Type.Elem()
		has := map[string]bool{}
		members(reflect.New(item).Elem(), func(name string, _ reflect.Value) { has[name] = true })
		if len(columns[item.Name()]) == 0 {
			t.Errorf("tocsin %s shows nothing: %s has no columns", o.Name, item.Name())
		}
		for _, name := range slices.Concat(columns[item.Name()], notes[item.Name()]) {
			if !has[name] && !made[item.Name()+" "+name] {
				t.Errorf("tocsin %s: %s has no %s", o.Name, item.Name(), name)
			}
		}
	}
}

// TestFiles: an answer that is a file is printed as the file.
func TestFiles(t *testing.T) {
	for want, v := range map[string]any{"<p>": Report{HTML: "<p>"}, "a,b\n": MatchFile{Name: "x.csv", CSV: "a,b\n"}, "Subject: x\r\n": EvidenceFile{EML: []byte("Subject: x\r\n")}} {
		var b strings.Builder
		r := run{cmd: &cobra.Command{}, o: Op{out: reflect.TypeOf(v)}}
		r.cmd.SetOut(&b)
		if err := r.print(reflect.ValueOf(v)); err != nil || b.String() != want {
			t.Errorf("%T is printed as %q, %v", v, b.String(), err)
		}
	}
}

// TestTable: columns are as wide as their widest cell, and what stands below a row moves none.
func TestTable(t *testing.T) {
	var b strings.Builder
	if err := printTable(&b, [][]string{{"NAME", "STATE"}, {"Inês", "off"}, {"B", ""}}, [][]string{nil, {"It is not granted.", "Grant it."}, nil}); err != nil {
		t.Fatal(err)
	}
	if want := "NAME  STATE\nInês  off\n    It is not granted. Grant it.\nB\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}
