package store_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tocsin.dev/store/storetest"
)

// TestStatements: every statement that stands whole in the code is one that PostgreSQL understands, whether or not a test
// comes by it. SQLite takes words for names that PostgreSQL keeps to itself.
func TestStatements(t *testing.T) {
	conn, err := pgx.Connect(t.Context(), storetest.PostgresAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	n := 0
	for where, text := range statements(t) {
		n++
		_, err := conn.Prepare(t.Context(), "", strings.ReplaceAll(text, "?", "null"))
		var said *pgconn.PgError
		if errors.As(err, &said) && !strings.HasSuffix(said.Message, "end of input") && ( // that is a beginning
		said.Code == "42601" || said.Code == "42P01" || said.Code == "42703" || said.Code == "42883") {
			t.Errorf("%s: %s\n%s", where, said.Message, text)
		}
	}
	if n < 300 {
		t.Errorf("%d statements were found", n)
	}
}

// statements are those that the product's code holds in one literal each, by where they stand; not those put together from several.
func statements(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "sim" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != ".."):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.BinaryExpr:
				return false // a part of one
			case *ast.BasicLit:
				text, err := strconv.Unquote(node.Value)
				verb, _, _ := strings.Cut(strings.TrimSpace(text), " ")
				if err == nil && node.Kind == token.STRING && strings.Contains(" select insert update delete with ", " "+verb+" ") && strings.Contains(text, "$1") && !strings.Contains(text, "%") {
					out[files.Position(node.Pos()).String()] = text
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
