package graph

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"

	"tocsin.dev/graph/sim"
)

// TestBytesComeAsTheyAre: a mail's MIME and a file's bytes are taken as they are, in no batch, and not at all for a connection of
// metadata; what cuts them off is said.
func TestBytesComeAsTheyAre(t *testing.T) {
	w, err := sim.New(sim.Config{Users: 30, Quiet: true, Content: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	only := false
	c, err := New(Config{Cloud: Cloud{Authority: sim.Address, Graph: sim.Address}, Tenant: w.Tenant(), Client: w.ClientID(), Secret: w.Secret(), HTTP: &http.Client{Transport: w.Client().Transport},
		Tries: 1, MetadataOnly: func() bool { return only }})
	if err != nil {
		t.Fatal(err)
	}
	wave, err := w.Campaign(sim.Campaign{Mails: 8, Fresh: true})
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	for _, m := range wave.Planted {
		at := P{"user": m.Person, "message": m.ID}
		var raw []byte
		if err := c.Get(t.Context(), "messages.mime", at, &raw); err != nil || !bytes.Contains(raw, []byte("Message-ID: "+m.MessageID)) {
			t.Fatalf("%v: %.200s", err, raw)
		}
		for a, err := range Pages[struct{ ID, Name string }](t.Context(), c, "messages.attachments", at) {
			if err != nil {
				t.Fatal(err)
			}
			at["attachment"] = a.ID
			if err := c.Get(t.Context(), "attachments.get", at, &raw); err != nil || a.Name != m.Attachment || len(raw) == 0 {
				t.Errorf("%s: %v, %d bytes", a.Name, err, len(raw))
			}
			files++
		}
	}
	if files == 0 {
		t.Error("no mail had a file")
	}
	at := P{"user": wave.Planted[0].Person, "message": wave.Planted[0].ID}
	if out, err := c.Batch(t.Context(), []Part{{"messages.mime", at}}); err != nil || out[0].Err == nil || !strings.Contains(out[0].Err.Error(), "JSON only") {
		t.Errorf("in a batch: %v %v", out, err)
	}
	if err := w.Fault(sim.Fault{Kind: sim.Cut, Times: 1}); err != nil {
		t.Fatal(err)
	}
	if _, cut := errors.AsType[*Unavailable](c.Get(t.Context(), "messages.mime", at, new([]byte))); !cut {
		t.Error("an answer that broke off was taken")
	}
	only = true
	for _, call := range []string{"messages.mime", "attachments.get", "messages.search", "messages.content", "messages.attachments", "messageTraces.list"} {
		if _, refused := errors.AsType[*ContentRefused](c.Get(t.Context(), call, at, new([]byte))); !refused {
			t.Errorf("%s is made for a connection of metadata", call)
		}
	}
	if err := c.Get(t.Context(), "messages.state", at, new(any)); err != nil {
		t.Error(err)
	}
	if v := w.Violations(); len(v) > 0 {
		t.Error(v)
	}
}
