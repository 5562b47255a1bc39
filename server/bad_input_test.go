package server

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/graph/sim"
	"tocsin.dev/offline"
	"tocsin.dev/store/storetest"
)

// desk is a server that people give wrong things to, by its API and by the command.
type desk struct {
	*testing.T
	w      *sim.Sim
	http   *httptest.Server
	client *api.Client
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	w := world(t, 20)
	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	c.Owner.Email, c.Owner.Token = "owner@tocsin.example", landlordToken
	s, err := New(t.Context(), c, Options{HTTP: w.Client()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	h := httptest.NewServer(s.Handler())
	t.Cleanup(h.Close)
	return &desk{T: t, w: w, http: h, client: &api.Client{URL: h.URL, Token: landlordToken}}
}

// sentences fails unless the text is what happened and what to do: a sentence or two each, on one line.
func (d *desk) sentences(what, do string) {
	d.Helper()
	for _, s := range []string{what, do} {
		if s == "" || !strings.HasSuffix(s, ".") || strings.Contains(s, "\n") || strings.HasSuffix(s, "..") || len(s) > 300 {
			d.Errorf("%q is not a clear sentence", s)
		}
		for _, noise := range []string{"%!", "goroutine", "0x", "nil pointer", " json: ", "AADSTS: ", "<html"} {
			if strings.Contains(s, noise) {
				d.Errorf("%q holds %q", s, noise)
			}
		}
	}
}

// post sends a connection and gives the problem that comes back.
func (d *desk) post(body any) (status int, code tocsin.Code, what, do string) {
	d.Helper()
	raw, ok := body.(string)
	if !ok {
		text, err := json.Marshal(body)
		if err != nil {
			d.Fatal(err)
		}
		raw = string(text)
	}
	r, err := http.NewRequestWithContext(d.Context(), "POST", d.http.URL+"/api/v1/connections", strings.NewReader(raw))
	if err != nil {
		d.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+landlordToken)
	r.Header.Set("Content-Type", "application/json")
	res, err := d.http.Client().Do(r)
	if err != nil {
		d.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		d.Fatal(err)
	}
	var p struct {
		Code             tocsin.Code
		What, Do, Detail string
		Status           int
	}
	if err := json.Unmarshal(text, &p); err != nil || res.Header.Get("Content-Type") != "application/problem+json" || p.Status != res.StatusCode {
		d.Fatalf("%d %s: %s (%v)", res.StatusCode, res.Header.Get("Content-Type"), text, err)
	}
	if strings.Contains(string(text), d.w.Secret()) {
		d.Errorf("the answer repeats the secret: %s", text)
	}
	return res.StatusCode, p.Code, p.What, p.Do
}

// run runs the command and gives its error as the command prints it.
func (d *desk) run(args ...string) error {
	d.Helper()
	c := &cobra.Command{Use: "tocsin", SilenceErrors: true, SilenceUsage: true}
	c.AddCommand(offline.Command())
	c.AddCommand(api.Commands(func() (*api.Client, error) { return d.client, nil })...)
	c.SetArgs(args)
	c.SetOut(io.Discard)
	c.SetErr(io.Discard)
	c.SetIn(strings.NewReader(""))
	return c.ExecuteContext(d.Context())
}

// refused fails unless the command ends with a problem that says these.
func (d *desk) refused(says, do string, args ...string) {
	d.Helper()
	err := d.run(args...)
	p, ok := errors.AsType[*tocsin.Problem](err)
	if !ok || !strings.Contains(p.What, says) || !strings.Contains(p.Do, do) {
		d.Errorf("tocsin %s: %v; want %q, %q", strings.Join(args, " "), err, says, do)
		return
	}
	d.sentences(p.What, p.Do)
}

// TestBadConnections: each wrong credential, tenant, clock, certificate and cloud gets one clear sentence that says what
// to do, by the API and by the command.
func TestBadConnections(t *testing.T) {
	t.Parallel()
	const stranger = "99999999-2222-4333-8444-555555555555"
	expired, err := sim.NewCertificate("Tocsin", time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		change   func(d *desk, n *api.ConnectionNew)
		code     tocsin.Code
		says, do string
	}{
		{"a wrong secret", func(_ *desk, n *api.ConnectionNew) { n.Secret = "wrong~secret" }, tocsin.Invalid, "The client secret is wrong.", "Enter the secret's value, not its id"},
		{"a secret's id", func(_ *desk, n *api.ConnectionNew) { n.Secret = stranger }, tocsin.Invalid, "That is a secret's id, not its value.", "Copy the column Value"},
		{"an expired secret", func(d *desk, _ *api.ConnectionNew) { d.w.ReplaceSecret(d.w.Secret(), time.Now().Add(-time.Minute)) }, tocsin.Invalid, "The client secret has expired.", "Make a new one"},
		{"a wrong tenant", func(_ *desk, n *api.ConnectionNew) { n.Tenant = stranger }, tocsin.Invalid, "The tenant does not exist.", "Compare the tenant id"},
		{"a tenant's domain", func(_ *desk, n *api.ConnectionNew) { n.Tenant = "contoso.com" }, tocsin.Invalid, `"contoso.com" is not a tenant id.`, "Entra → Overview"},
		{"no tenant", func(_ *desk, n *api.ConnectionNew) { n.Tenant = "" }, tocsin.Invalid, "tenant", "."},
		{"an app of another tenant", func(_ *desk, n *api.ConnectionNew) { n.ClientID = stranger }, tocsin.Invalid, "The app is not in this tenant", "administrator consent"},
		{"a wrong clock", func(d *desk, n *api.ConnectionNew) {
			pair, err := d.w.Certificate()
			if err != nil {
				d.Fatal(err)
			}
			n.Secret, n.Certificate = "", pair
			if err := d.w.Fault(sim.Fault{Kind: sim.Clock, Delay: sim.Duration(-30 * time.Minute)}); err != nil {
				d.Fatal(err)
			}
		}, tocsin.Invalid, "this server's clock is", "Set the clock by NTP."},
		{"an expired certificate", func(_ *desk, n *api.ConnectionNew) { n.Secret, n.Certificate = "", expired }, tocsin.Invalid, "The certificate expired on", "Make a new one, upload it"},
		{"a certificate cut short", func(_ *desk, n *api.ConnectionNew) { n.Secret, n.Certificate = "", expired[:300] }, tocsin.Invalid, "There is no certificate", "PEM"},
		{"an unknown cloud", func(_ *desk, n *api.ConnectionNew) { n.Cloud = "mars" }, tocsin.Invalid, `No cloud is called "mars".`, "Use global, gcc, usgov, dod or china"},
		{"nothing to sign in with", func(_ *desk, n *api.ConnectionNew) { n.Secret = "" }, tocsin.Invalid, "The credential is missing.", "Give client_secret, or certificate"},
		{"Graph that does not answer", func(d *desk, _ *api.ConnectionNew) {
			if err := d.w.Fault(sim.Fault{Kind: sim.Broken}); err != nil {
				d.Fatal(err)
			}
		}, tocsin.Unavailable, "answered 503", "network"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			in := own(d.w)
			n := api.ConnectionNew{Tenant: in.Tenant, ClientID: in.Client, Secret: in.Secret, Graph: in.Own.Graph, Authority: in.Own.Authority}
			c.change(d, &n)
			status, code, what, do := d.post(n)
			if code != c.code || !strings.Contains(what, c.says) || !strings.Contains(do, c.do) || status != map[tocsin.Code]int{tocsin.Invalid: 422, tocsin.Unavailable: 503}[c.code] {
				t.Errorf("%d %s: %q, %q; want %q, %q", status, code, what, do, c.says, c.do)
			}
			d.sentences(what, do)
			args := []string{"connections", "create", "--tenant", n.Tenant, "--client-id", n.ClientID, "--graph", n.Graph, "--authority", n.Authority}
			if n.Cloud != "" {
				args = append(args, "--cloud", n.Cloud)
			}
			if n.Secret != "" {
				args = append(args, "--client-secret", n.Secret)
			}
			if n.Certificate != "" {
				path := filepath.Join(t.TempDir(), "certificate.pem")
				if err := os.WriteFile(path, []byte(n.Certificate), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, "--certificate", "@"+path)
			}
			d.refused(c.says, strings.ReplaceAll(c.do, "client_secret", "--client-secret"), args...)
			var page api.Page[api.Tenant]
			if err := d.client.Do(t.Context(), "tenants list", api.TenantsIn{}, &page); err != nil || len(page.Items) != 0 {
				t.Errorf("something was kept: %+v (%v)", page.Items, err)
			}
		})
	}
}

// TestBadBodies: what is no such object is refused with what it should be.
func TestBadBodies(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for name, body := range map[string]string{"cut short": `{"tenant":"x`, "no JSON": "hello", "empty": "", "an unknown member": `{"tenant":"x","client_id":"y","sekret":"z"}`, "a list": `[]`, "a number for a text": `{"tenant":7}`} {
		t.Run(name, func(t *testing.T) {
			status, code, what, do := d.post(body)
			if code != tocsin.Invalid || status < 400 || status >= 500 {
				t.Errorf("%d %s: %q, %q", status, code, what, do)
			}
			(&desk{T: t}).sentences(what, do)
		})
	}
}

// TestBadFiles: a file that is cut short, is another, or is not there gets a sentence.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	write := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	line, err := json.Marshal(d.w.Access())
	if err != nil {
		t.Fatal(err)
	}
	d.refused("is not the JSON line that tocsin sim prints", "tocsin sim", "connections", "create", "--from", write("sim.json", string(line[:len(line)/2])))
	d.refused("can be read", "tocsin sim", "connections", "create", "--from", filepath.Join(t.TempDir(), "none.json"))
	record := `{"Id":"1","CreationTime":"2026-03-15T09:15:02","Operation":"New-InboxRule","RecordType":1,"Workload":"Exchange","UserId":"amy@x.example","Parameters":[{"Name":"Name","Value":"."}]}`
	for name, text := range map[string]string{"cut.json": "[" + record + "," + record[:60], "other.txt": "Dear all,\nplease find attached.\n", "empty.json": ""} {
		if err := d.run("analyze", write(name, text)); err == nil {
			t.Errorf("%s is taken for whole", name)
		} else if p, ok := errors.AsType[*tocsin.Problem](err); !ok {
			t.Errorf("%s: %v is no problem with what to do", name, err)
		} else {
			d.sentences(p.What, p.Do)
		}
	}
	if err := d.run("analyze", filepath.Join(t.TempDir(), "none.json")); err == nil {
		t.Error("a file that is not there was analyzed")
	}
}

// TestBadStart: what keeps a server from starting is said with what to do: settings, directories, keys, addresses.
func TestBadStart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(strings.Repeat("Dear all, ", 200)), 0o600); err != nil {
		t.Fatal(err)
	}
	taken := settings(t)
	s, err := New(t.Context(), taken, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct {
		name     string
		change   func(*Config)
		says, do string
	}{
		{"a data directory that is a file", func(c *Config) { c.Data = file }, "cannot be made", "setting data"},
		{"a data directory in use", func(c *Config) { c.Data = taken.Data }, "", ""},
		{"a key that is none", func(c *Config) { c.Key.Value = "hello" }, "", ""},
		{"a database that is something else", func(c *Config) { c.Database = "sqlite:" + file }, ") is something else", "Give the path of another file"},
		{"a database of an unknown kind", func(c *Config) { c.Database = "mysql://db/tocsin" }, "", ""},
		{"a database that does not answer", func(c *Config) { c.Database = "postgres://u:hunter2@127.0.0.1:1/x" }, "PostgreSQL at 127.0.0.1:1 does not answer", "correct the address"},
		{"an owner without a token", func(c *Config) { c.Owner.Email = "a@b.example" }, "needs an e-mail address and a token", "Give both"},
		{"an owner with a short token", func(c *Config) { c.Owner.Email, c.Owner.Token = "a@b.example", "short" }, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf := settings(t)
			c.change(&conf)
			s, err := New(t.Context(), conf, Options{})
			if err == nil {
				s.Close()
				t.Fatal("it starts")
			}
			p, ok := errors.AsType[*tocsin.Problem](err)
			if !ok || !strings.Contains(p.What, c.says) || !strings.Contains(p.Do, c.do) || p.Code == tocsin.Internal {
				t.Fatalf("%#v (%v)", p, err)
			}
			(&desk{T: t}).sentences(p.What, p.Do)
			if strings.Contains(p.Error(), "hunter2") {
				t.Errorf("it tells the password: %s", p)
			}
		})
	}
	for _, c := range []struct {
		name, file string
		env        []string
		flags      map[string]string
	}{
		{"an unknown setting in the file", "lisen: x\n", nil, nil},
		{"an unknown setting in the environment", "", []string{"TOCSIN_LISTN=x"}, nil},
		{"an unknown flag", "", nil, map[string]string{"dta": "x"}},
		{"a file cut short", "listen: [\n", nil, nil},
		{"a duration that is none", "every:\n  rules: soon\n", nil, nil},
		{"a number that is none", "batches: many\n", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := ""
			if c.file != "" {
				path = write(t, c.file)
			}
			_, err := Load(path, c.env, c.flags)
			p, ok := errors.AsType[*tocsin.Problem](err)
			if !ok || p.Code != tocsin.Invalid {
				t.Fatalf("%v", err)
			}
			(&desk{T: t}).sentences(p.What, p.Do)
		})
	}
}
