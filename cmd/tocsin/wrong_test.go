package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWrong: what is wrong about a command line is told in a sentence that says what, and one that says what to do.
func TestWrong(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"findngs list", `tocsin has no command "findngs". Perhaps tocsin findings was meant; see tocsin --help.`},
		{"findngs list --json", `tocsin has no command "findngs". Perhaps tocsin findings was meant; see tocsin --help.`},
		{"findings lst", `tocsin findings has no command "lst". Perhaps tocsin findings list was meant; see tocsin findings --help.`},
		{"help findings lst", `tocsin findings has no command "lst". Perhaps tocsin findings list was meant; see tocsin findings --help.`},
		{"findings list extra", `tocsin findings list takes no arguments, but was given "extra". Leave it away; see tocsin findings list --help.`},
		{"rules get x", `ID is missing. Give it as: tocsin rules get PERSON ID; see tocsin rules get --help.`},
		{"rules get", `PERSON and ID are missing. Give it as: tocsin rules get PERSON ID; see tocsin rules get --help.`},
		{"rules get x y z", `tocsin rules get takes only PERSON and ID, but was given "z" besides. Leave it away; see tocsin rules get --help.`},
		{"analyze", `FILE… is missing. Give it as: tocsin analyze FILE…; see tocsin analyze --help.`},
		{"demo extra", `tocsin demo takes no arguments, but was given "extra". Leave it away; see tocsin demo --help.`},
		{"serve extra", `tocsin serve takes no arguments, but was given "extra". Leave it away; see tocsin serve --help.`},
		{"completion bash extra", `tocsin completion bash takes no arguments, but was given "extra". Leave it away; see tocsin completion bash --help.`},
		{"demo --users -5", `A tenant has at least one person: --users cannot be -5. Give --users 200, or leave it away.`},
		{"sim --users -5", `A tenant has at least one person: --users cannot be -5. Give --users 200, or leave it away.`},
		{"sim --listen banana", `The simulator cannot listen: address banana: missing port in address. Give --listen and --control addresses that are free, such as 127.0.0.1:0.`},
		{"demo --users many", `--users cannot be "many". Give a whole number; see tocsin demo --help.`},
		{"demo --over soon", `--over cannot be "soon". Give a duration such as 90s or 5m; see tocsin demo --help.`},
		{"findings list --sevrity x", `tocsin findings list has no flag --sevrity. Perhaps --severity was meant; see tocsin findings list --help.`},
		{"findings list -x", `tocsin findings list has no flag -x. See tocsin findings list --help.`},
		{"findings list --limit", `--limit has no value. Give it as --limit=…; see tocsin findings list --help.`},
		{"findings list --limit x", `--limit cannot be "x". Give a whole number; see tocsin findings list --help.`},
		{"rules list --deleted=maybe", `--deleted cannot be "maybe". Give true or false; see tocsin rules list --help.`},
		{"exceptions create --expires soon", `--expires cannot be "soon". Give a time such as 2026-12-31, 2026-12-31T12:00:00Z or 90d; see tocsin exceptions create --help.`},
		{"connections create --certificate @none.pem", `--certificate cannot be read: there is no file none.pem that can be opened. Name a file that is there, or leave the @ away.`},
	} {
		c1 := root()
		c1.SetArgs(strings.Fields(c.line))
		c1.SetOut(io.Discard)
		c1.SetErr(io.Discard)
		if err := c1.ExecuteContext(t.Context()); err == nil || sentence(err) != c.want {
			t.Errorf("tocsin %s:\n%v\nwant\n%s", c.line, err, c.want)
		}
	}
}

// TestRight: what is not wrong is not refused: a noun alone shows its help, and flags stand before and after arguments.
func TestRight(t *testing.T) {
	for _, line := range []string{"", "findings", "help", "help findings list", "findings list --help", "completion bash", "serve --check --data " + t.TempDir(),
		"analyze --json " + filepath.Join("..", "..", "offline", "testdata", "unified.json") + " --domain contoso.com"} {
		c := root()
		c.SetArgs(strings.Fields(line))
		c.SetOut(io.Discard)
		c.SetErr(io.Discard)
		if err := c.ExecuteContext(t.Context()); err != nil {
			t.Errorf("tocsin %s: %v", line, err)
		}
	}
}

// TestServerAddress: what is no address is not called.
func TestServerAddress(t *testing.T) {
	t.Setenv("TOCSIN_TOKEN", "tcs_x")
	for _, address := range []string{"banana", "127.0.0.1:8470", "localhost:8470", "ftp://x", "https://", "/tmp"} {
		t.Setenv("TOCSIN_SERVER", address)
		if _, err := client(); err == nil || !strings.Contains(err.Error(), "is not the address of a server. Give TOCSIN_SERVER as in https://") {
			t.Errorf("%s: %v", address, err)
		}
	}
	os.Unsetenv("TOCSIN_SERVER")
	if _, err := client(); err != nil {
		t.Error(err)
	}
}
