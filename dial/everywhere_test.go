package dial_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// dials are the names by which a connection is made, or a client that makes some, and where each may stand: what these call, who
// names it and what holds it stands in docs/decisions/0018-who-names-what-the-server-calls.md.
var dials = map[string][]string{
	"http.Client":           {"api/client.go", "connect/connect.go", "dial/dial.go", "graph/graph.go"},
	"http.DefaultClient":    {"api/client.go"},
	"http.DefaultTransport": {"api/client.go", "connect/connect.go", "dial/partner.go", "graph/graph.go"},
	"http.Transport":        {"api/client.go", "connect/connect.go", "dial/dial.go", "dial/partner.go", "graph/graph.go"},
	"http.Get":              nil, "http.Post": nil, "http.PostForm": nil, "http.Head": nil,
	"net.Dial": nil, "net.DialTimeout": nil, "tls.Dial": nil, "tls.DialWithDialer": nil,
	"net.Dialer": {"dial/dial.go"},
	"tls.Dialer": {"notify/syslog.go"},
	"tls.Client": {"export/syslog.go"}, "kgo.NewClient": {"export/kafka.go"}, "nats.Connect": {"export/nats.go", "journal/cluster.go", "journal/embedded.go"},
}

// TestEverywhere: nothing makes connections but what is known to, so that whoever adds a way out thinks of who names its address.
func TestEverywhere(t *testing.T) {
	met := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		rel := filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator)))
		switch {
		case err != nil:
			return err
		case d.IsDir() && (rel == "graph/sim" || rel == "store/storetest" || strings.HasPrefix(d.Name(), ".") && path != ".." || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := s.X.(*ast.Ident)
			if !ok {
				return true
			}
			name := x.Name + "." + s.Sel.Name
			allowed, watched := dials[name]
			if !watched || inType(file, s) {
				return true
			}
			if !slices.Contains(allowed, rel) {
				t.Errorf("%s uses %s: say in docs/decisions/0018 who names the address and what holds it, or use package dial", rel, name)
			}
			met[name+" "+rel] = true
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range dials {
		for _, f := range files {
			if !met[name+" "+f] {
				t.Errorf("%s no longer uses %s: take it off the list", f, name)
			}
		}
	}
}

// inType says whether the selector is only the type of a field, a parameter or a result (*http.Client), which makes nothing.
func inType(file *ast.File, s *ast.SelectorExpr) (is bool) {
	ast.Inspect(file, func(n ast.Node) bool {
		if f, ok := n.(*ast.Field); ok {
			ast.Inspect(f.Type, func(n ast.Node) bool {
				is = is || n == ast.Node(s)
				return true
			})
		}
		return !is
	})
	return is
}
