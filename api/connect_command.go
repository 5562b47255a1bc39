package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"time"

	"golang.org/x/term"

	"tocsin.dev"
)

// printed is the JSON line of `tocsin sim`.
type printed struct {
	Cloud        string `json:"cloud"`
	Graph        string `json:"graph"`
	Authority    string `json:"authority"`
	CA           string `json:"ca"`
	Tenant       string `json:"tenant"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	Certificate  string `json:"certificate"`
}

// read fills a new connection from what `tocsin sim` printed; flags that were given stay.
func (r *run) read() error {
	text, err := r.file()
	if err != nil {
		return tocsin.Problemf(tocsin.Invalid, "Give the file that the output of tocsin sim went to.", "There is no file %s that can be read.", r.from)
	}
	var p printed
	line, _, _ := bytes.Cut(bytes.TrimSpace(text), []byte("\n"))
	if err := json.Unmarshal(line, &p); err != nil {
		if err := json.Unmarshal(text, &p); err != nil {
			return tocsin.Problemf(tocsin.Invalid, "Give the file that the output of tocsin sim went to.", "%s is not the JSON line that tocsin sim prints.", r.from)
		}
	}
	b := r.in.Addr().Interface().(*CreateConnectionIn)
	fill := func(into *string, v string) {
		if *into == "" {
			*into = v
		}
	}
	n := &b.Body
	fill(&n.Tenant, p.Tenant)
	fill(&n.ClientID, p.ClientID)
	fill(&n.Cloud, p.Cloud)
	fill(&n.Graph, p.Graph)
	fill(&n.Authority, p.Authority)
	fill(&n.CA, p.CA)
	if n.Graph != "" {
		fill(&n.Cloud, "own")
	}
	if n.Certificate == "" {
		fill(&n.Secret, p.ClientSecret)
	}
	if n.Secret == "" {
		fill(&n.Certificate, p.Certificate)
	}
	return nil
}

func (r *run) file() ([]byte, error) {
	if r.from == "-" {
		return io.ReadAll(io.LimitReader(r.cmd.InOrStdin(), 1<<20))
	}
	return os.ReadFile(r.from)
}

// whichTenant takes the only tenant there is where none was given.
func (r *run) whichTenant(ctx context.Context) error {
	f := r.in.FieldByName("Tenant")
	if !f.IsValid() || f.String() != "" || r.o.Name == "connections create" {
		return nil
	}
	var p Page[Tenant]
	if err := r.client.Do(ctx, "tenants list", TenantsIn{Paging: Paging{Limit: 2}}, &p); err != nil {
		return err
	}
	switch len(p.Items) {
	case 0:
		return tocsin.Problemf(tocsin.NotFound, "Connect one with tocsin connections create.", "There is no tenant.")
	case 1:
		f.Set(reflect.ValueOf(p.Items[0].ID))
		return nil
	}
	return invalid("Name one with --tenant; tocsin tenants list shows them.", "There are several tenants.")
}

// first is what must have been read for a first sync to have ended.
var firstSync = []string{"users", "rules", "settings"}

// waitFor ends when the sources of a new connection were each read once, or with the reason why one cannot be. A terminal
// sees how far each is; a file gets a line for each that is waited for.
func (r *run) waitFor(ctx context.Context, c *Connection) error {
	w := r.cmd.ErrOrStderr()
	f, ok := w.(*os.File)
	drawn, said := ok && term.IsTerminal(int(f.Fd())), ""
	err := r.client.waitFirst(ctx, c.Tenant, func(s Source) {
		switch {
		case drawn:
			said = s.Name
			fmt.Fprintf(w, "\r%-12s %7d of %7d  ", s.Name, s.Done, s.Total)
		case s.Name != said:
			said = s.Name
			fmt.Fprintf(w, "Reading %s.\n", s.Name)
		}
	})
	if drawn && said != "" {
		fmt.Fprintln(w)
	}
	return err
}

func (c *Client) waitFirst(ctx context.Context, tenant tocsin.TenantID, tell func(Source)) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		var p Page[Source]
		if err := c.Do(ctx, "sources list", ListIn{In: In{Tenant: tenant}, Paging: Paging{Limit: 200}}, &p); err != nil {
			return err
		}
		waiting, failed := firstWait(p.Items)
		if waiting == nil && failed == nil {
			return nil
		}
		if failed != nil && waiting == nil {
			return tocsin.Problemf(tocsin.Unavailable, failed.Mend, "The first sync could not read %s: %s", failed.Name, failed.Because)
		}
		tell(*waiting)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// firstWait is a source that was not read once yet, and one that could not be and waits for somebody.
func firstWait(all []Source) (waiting, failed *Source) {
	for _, name := range firstSync {
		found := false
		for i := range all {
			s := &all[i]
			if s.Name != name {
				continue
			}
			found = true
			switch {
			case !s.Succeeded.IsZero():
			case s.State == "failed":
				failed = s
			default:
				waiting = s
			}
		}
		if !found {
			waiting = &Source{Name: name}
		}
	}
	return waiting, failed
}
