package offline

import (
	"fmt"
	"io"

	"tocsin.dev"
	"tocsin.dev/detect/sigma"
)

// readRules reads rules of one's own. What is wrong with one is told on notes, with file and line; it stops no other.
func readRules(path string, notes io.Writer) (*sigma.Set, error) {
	files, err := sigma.ReadFiles(path)
	if err != nil {
		return nil, tocsin.Problemf(tocsin.Invalid, "Name a folder of .yml files, or one such file.", "The rules cannot be read: %v.", err)
	}
	var list []sigma.Named
	bad := 0
	for _, f := range files {
		if f.Err != nil {
			bad++
			fmt.Fprintf(notes, "%s: %s\n", f.Path, clean(f.Err.Error()))
			continue
		}
		list = append(list, sigma.Named{Name: sigma.NameOf(f.Head().Title, func(n string) bool { return taken(list, n) }), Bundle: f.Bundle})
	}
	if len(list) == 0 {
		return nil, tocsin.Problemf(tocsin.Invalid, "See docs/rules.md for a rule to begin with.", "There is no rule in %s that can be read.", path)
	}
	fmt.Fprintf(notes, "Rules      %s of your own", number(len(list), "rule"))
	if bad > 0 {
		fmt.Fprintf(notes, ", %d that cannot be read", bad)
	}
	fmt.Fprintln(notes)
	return sigma.NewSet(list), nil
}

func taken(list []sigma.Named, name string) bool {
	for i := range list {
		if list[i].Name == name {
			return true
		}
	}
	return false
}
