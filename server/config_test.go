package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	t.Parallel()
	path := write(t, "listen: 127.0.0.1:1\nevery:\n  rules: 7m\nlimits:\n  mailboxconcurrent: 2\n")
	c, err := Load(path, []string{"TOCSIN_LISTEN=127.0.0.1:2", "TOCSIN_KEY_VALUE=k", "TOCSIN_TOKEN=t", "HOME=/x"}, map[string]string{"batches": "3"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:2" || c.Every.Rules != 7*time.Minute || c.Limits.MailboxConcurrent != 2 || c.Batches != 3 || c.Every.Domains != time.Hour {
		t.Errorf("settings: %+v", c)
	}
	if c.Limits.graph().MailboxConcurrent != 2 {
		t.Error("a limit does not reach the client")
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, file string
		env        []string
		flags      map[string]string
		says       []string
	}{
		{"an unknown setting", "lisen: x\n", nil, nil, []string{"lisen", "Perhaps listen was meant"}},
		{"an unknown setting below", "every:\n  rule: 5m\n", nil, nil, []string{"every.rule", "Perhaps every.rules was meant"}},
		{"an unknown environment", "", []string{"TOCSIN_LISTN=x"}, nil, []string{"TOCSIN_LISTN", "TOCSIN_LISTEN"}},
		{"an unknown flag", "", nil, map[string]string{"dta": "x"}, []string{"dta", "Perhaps data was meant"}},
		{"no duration", "every:\n  rules: soon\n", nil, nil, []string{`every.rules is "soon"`, "5m"}},
		{"a negative interval", "every:\n  rules: -5s\n", nil, nil, []string{"every.rules is shorter than a second"}},
		{"a negative limit", "limits:\n  requests: -1\n", nil, nil, []string{"limits.requests is less than nothing"}},
		{"no address to listen at", "listen: nonsense\n", nil, nil, []string{"nonsense", "127.0.0.1:8420"}},
		{"no YAML", "listen: [\n", nil, nil, []string{"cannot be read", "YAML"}},
		{"half of TLS", "tls:\n  key: k.pem\n", nil, nil, []string{"TLS needs"}},
		{"a cluster without PostgreSQL", "journal:\n  url: nats://x\n", nil, nil, []string{"PostgreSQL"}},
		{"a level of its own", "log:\n  level: loud\n", nil, nil, []string{"loud"}},
		{"an address with a path", "url: https://tocsin.example/x\n", nil, nil, []string{"no path"}},
		{"a network that is none", "proxies: 10.0.0.1\n", nil, nil, []string{"10.0.0.0/8"}},
		{"an address that is none", "url: tocsin.example\n", nil, nil, []string{"https://"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := ""
			if c.file != "" {
				path = write(t, c.file)
			}
			_, err := Load(path, c.env, c.flags)
			if err == nil {
				t.Fatal("it is taken")
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml"), nil, nil); err == nil || !strings.Contains(err.Error(), "There is no file") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// TestSheet: what --check prints holds no secret.
func TestSheet(t *testing.T) {
	t.Parallel()
	c, err := Load("", []string{"TOCSIN_DATABASE=postgres://u:hunter2@db/x?password=hunter2", "TOCSIN_JOURNAL_URL=nats://hunter2@n1,nats://a:hunter2@n2", "TOCSIN_SERVICE_HOST=10.0.0.1", "TOCSIN_PORT=tcp://10.0.0.1:80", "TOCSIN_URL=https://tocsin.example/", "TOCSIN_KEY_VALUE=hunter2", "TOCSIN_OWNER_EMAIL=a@b.example", "TOCSIN_OWNER_TOKEN=hunter2hunter2hunter2"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	sheet := c.Sheet()
	if strings.Contains(sheet, "hunter2") {
		t.Errorf("a secret shows:\n%s", sheet)
	}
	for _, want := range []string{"every.rules: 5m0s", "postgres://db/x", "limits.mailboxrequests: 10000"} {
		if !strings.Contains(sheet, want) {
			t.Errorf("%q is not in\n%s", want, sheet)
		}
	}
}
