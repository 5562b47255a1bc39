package detect

import (
	"strings"

	"tocsin.dev"
)

// Destination is where a rule sends mail in the end.
type Destination struct {
	Address string // canonical
	Verb    string // forward, redirect, attach
	Place   Place  // Outside or Unknown: others are not given
	Via     string // what inside it passes through, as `the group "Finance" (finance@…)`; empty where it goes there at once
	Kind    Kind   // of what it passes through
}

// Destinations gives the addresses that a rule of owner's mailbox sends mail to and that are outside, or of which nobody
// can tell: its own targets, the outside members of groups and the targets of contacts and guests among them. Each
// address is given once.
func (o *Org) Destinations(owner string, r *tocsin.MailRule) []Destination {
	if len(r.Forward)+len(r.Redirect)+len(r.Attach) == 0 {
		return nil
	}
	var out []Destination
	seen := map[string]bool(nil)
	add := func(d Destination) {
		if !seen[d.Address] {
			if seen == nil {
				seen = map[string]bool{}
			}
			seen[d.Address] = true
			out = append(out, d)
		}
	}
	for _, side := range []struct {
		verb string
		to   []tocsin.Address
	}{{"forward", r.Forward}, {"redirect", r.Redirect}, {"attach", r.Attach}} {
		for _, a := range side.to {
			o.follow(owner, a, side.verb, add)
		}
	}
	return out
}

func (o *Org) follow(owner string, a tocsin.Address, verb string, add func(Destination)) {
	place := o.Where(owner, a)
	if place == Outside || place == Unknown && a.Domain() != "" {
		add(Destination{Address: a.Canonical(), Verb: verb, Place: place})
		return
	}
	if place == Partner {
		return
	}
	k := o.Find(a.Address)
	if k.Kind == Unlisted || k.Kind == Person {
		return
	}
	for _, m := range k.Outside {
		m := tocsin.Address{Address: m}
		if p := o.Where(owner, m); p == Outside || p == Unknown {
			add(Destination{Address: m.Canonical(), Verb: verb, Place: p, Via: via(k, a), Kind: k.Kind})
		}
	}
}

func via(k Known, a tocsin.Address) string {
	name := k.Name
	if name == "" {
		name = a.Name
	}
	if name == "" || strings.EqualFold(name, a.Canonical()) {
		return "the " + string(k.Kind) + " " + a.Canonical()
	}
	return "the " + string(k.Kind) + " " + Quote(name) + " (" + a.Canonical() + ")"
}

// Where is Place with what else is known: where the accepted domains are not known, the owner's own domain and the
// people of the directory are inside all the same.
func (o *Org) Where(owner string, a tocsin.Address) Place {
	p := o.Place(a)
	if p != Unknown || len(o.Domains) > 0 || a.Domain() == "" {
		return p
	}
	if d := (tocsin.Address{Address: owner}).Domain(); d != "" && d == a.Domain() {
		return Inside
	}
	if o.Find(a.Address).Kind == Person {
		return Inside
	}
	return Unknown
}

// PlaceOfHost is Place for the host of a link: a host under an accepted or trusted domain is that domain's.
func (o *Org) PlaceOfHost(owner, host string) Place {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for h := host; h != ""; {
		if p := o.Where(owner, tocsin.Address{Address: "x@" + h}); p == Inside || p == Partner {
			return p
		}
		_, rest, more := strings.Cut(h, ".")
		if !more {
			break
		}
		h = rest
	}
	if len(o.Domains) == 0 {
		return Unknown
	}
	return Outside
}
