package sim

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMicrosoftsOwnClients: MSAL for Node and the Graph client for JavaScript work against the simulator.
func TestMicrosoftsOwnClients(t *testing.T) {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is not installed, and CI must run Microsoft's own clients", tool)
			}
			t.Skipf("%s is not installed: Microsoft's own clients were not run against the simulator", tool)
		}
	}
	const users = 130
	s, err := New(Config{Users: users, Seed: 11, Roles: everyRole})
	if err != nil {
		t.Fatal(err)
	}
	run, err := s.Serve(t.Context(), "127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	line, err := json.Marshal(run)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/js")); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, []byte(run.CA), 0o600); err != nil {
		t.Fatal(err)
	}
	for try := 1; ; try++ { // from a registry, which a network stands before
		install := exec.CommandContext(t.Context(), "npm", "ci", "--prefer-offline", "--fetch-retries=5", "--no-audit", "--no-fund", "--loglevel=error")
		install.Dir = dir
		out, err := install.CombinedOutput()
		if err == nil {
			break
		}
		if try == 3 {
			t.Fatalf("npm ci: %v\n%s", err, out)
		}
	}
	node := exec.CommandContext(t.Context(), "node", "clients.mjs")
	node.Dir = dir
	node.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+ca, "SIM="+string(line), "USERS=130")
	out, err := node.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, proof := range []string{"token by secret", "token by certificate", "code with PKCE", "page iterator", "batch", "delta", "message rules"} {
		if !strings.Contains(string(out), "ok "+proof+"\n") {
			t.Errorf("%s was not proved:\n%s", proof, out)
		}
	}
	if v := s.Violations(); len(v) > 0 {
		t.Error(v)
	}
}
