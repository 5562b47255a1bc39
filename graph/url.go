package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// P gives a call's placeholders by name ("user"), and the query options it allows by theirs ("$filter").
type P map[string]string

// request is a call with its placeholders filled.
type request struct {
	call Call
	url  string // absolute
	rel  string // the same as $batch wants it, without host and version; empty of a link
	box  boxKey // the mailbox whose limits count
	body []byte
	near string // whose mailbox Exchange should answer from; a hint
}

// request fills a call's placeholders and sets its query.
func (c *Client) request(name string, p P) (request, error) {
	t, ok := byName[name]
	if !ok {
		return request{}, fmt.Errorf("no call is named %q", name)
	}
	if t.call.Content && c.cfg.MetadataOnly != nil && c.cfg.MetadataOnly() {
		return request{}, &ContentRefused{Call: name}
	}
	if c.cfg.Delegated != nil && len(t.call.Scopes) == 0 && name != "batch" {
		return request{}, fmt.Errorf("%s: it is not one that is made in the name of an account", name)
	}
	at, err := c.at(t.call)
	if err != nil {
		return request{}, err
	}
	rel, err := t.url(c.ours(t.call, p))
	if err != nil {
		return request{}, fmt.Errorf("%s: %w", name, err)
	}
	return request{call: t.call, url: at.root + t.call.version() + rel, rel: rel, box: mailboxKey(t.call, p)}, nil
}

// ours is p with the tenant, where the call's path names it.
func (c *Client) ours(call Call, p P) P {
	if !strings.Contains(call.Path, "{tenant}") {
		return p
	}
	all := P{"tenant": c.cfg.Tenant}
	for k, v := range p {
		all[k] = v
	}
	return all
}

func (c Call) version() string {
	if c.Service != "" {
		return ""
	}
	if c.Beta {
		return "/beta"
	}
	return "/v1.0"
}

// template is a call made ready for its address: most are made for every message.
type template struct {
	call  Call
	holes []hole
	rest  string // of the path, after the last placeholder
	fixed string // the options that are always the same …
	top   string // … and the one that a caller may set instead
	low   string // its headers as JSON, …
	high  string // … where a person waits
}

func (t *template) heads(high bool) string {
	if high {
		return t.high
	}
	return t.low
}

// hole is a placeholder and what stands before it.
type hole struct {
	before, name string
	quoted       bool // a key in OData's quotes
}

func newTemplate(call Call) *template {
	t := &template{call: call, rest: call.Path}
	for {
		before, from, ok := strings.Cut(t.rest, "{")
		name, rest, closed := strings.Cut(from, "}")
		if !ok || !closed {
			break
		}
		t.holes = append(t.holes, hole{before, name, strings.HasSuffix(before, "'") && strings.HasPrefix(rest, "'")})
		t.rest = rest
	}
	if len(call.Select) > 0 {
		t.fixed += option("$select", strings.Join(call.Select, ","))
	}
	if call.Expand != "" {
		t.fixed += option("$expand", call.Expand)
	}
	if call.Top > 0 {
		t.top = option("$top", strconv.Itoa(call.Top))
	}
	low, err1 := json.Marshal(call.headers(false))
	high, err2 := json.Marshal(call.headers(true))
	if err := errors.Join(err1, err2); err != nil {
		panic("graph: texts by names are JSON: " + err.Error())
	}
	t.low, t.high = string(low), string(high)
	return t
}

// url is the call's address after the version.
func (t *template) url(p P) (string, error) {
	var b strings.Builder
	b.Grow(512)
	for _, at := range t.holes {
		v := p[at.name]
		if v == "" || v == "." || v == ".." {
			return "", fmt.Errorf("the path needs {%s}, got %q", at.name, v)
		}
		if at.quoted {
			v = strings.ReplaceAll(v, "'", "''") // OData's escape in a quoted key
		}
		b.WriteString(at.before)
		b.WriteString(url.PathEscape(v))
	}
	b.WriteString(t.rest)
	own, err := t.options(p)
	if err != nil {
		return "", err
	}
	if query := t.fixed + own; query != "" {
		b.WriteByte('?')
		b.WriteString(query[1:])
	}
	return b.String(), nil
}

// options are those that the caller sets and may set, and the length of a page.
func (t *template) options(p P) (string, error) {
	if len(p) == len(t.holes) {
		return t.top, nil // all of it stands in the path
	}
	out := t.top
	if _, own := p["$top"]; own {
		out = ""
	}
	for _, k := range keys(p) {
		switch {
		case slices.ContainsFunc(t.holes, func(at hole) bool { return at.name == k }):
		case !slices.Contains(t.call.Options, k):
			return "", fmt.Errorf("it does not take %s", k)
		default:
			out += option(k, p[k])
		}
	}
	return out, nil
}

var legible = strings.NewReplacer("+", "%20", "%2C", ",")

// option is a query option, with the mark before it. Spaces are %20: a plus is not a space everywhere. Commas stay as they
// are, for readers of logs.
func option(k, v string) string {
	return "&" + k + "=" + legible.Replace(url.QueryEscape(v))
}

func keys(p P) []string {
	out := make([]string, 0, len(p))
	for k := range p {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// mailboxKey stands for a mailbox in the limits.
func mailboxKey(call Call, p P) boxKey {
	if call.Kind != Mailbox {
		return boxKey{}
	}
	return keyOfMailbox(strings.ToLower(p["user"]))
}

// link is a nextLink, deltaLink or contentUri of the call, checked: it must lead back to the service we asked, or the token would leak.
func (c *Client) link(call Call, link string) (*url.URL, error) {
	u, err := url.Parse(link)
	if err != nil {
		return nil, &ForeignLink{Call: call.Name, Host: "an address that does not parse"}
	}
	at, err := c.at(call)
	if err != nil {
		return nil, err
	}
	if base := at.base; u.Scheme != base.Scheme || !strings.EqualFold(u.Host, base.Host) || u.User != nil || u.Opaque != "" || !strings.HasPrefix(u.Path, c.under(call, base)) {
		return nil, &ForeignLink{Call: call.Name, Host: u.Scheme + "://" + u.Host}
	}
	return u, nil
}

// relative is a checked link as $batch wants it: without host and version.
func (c *Client) relative(call Call, link string) (string, error) {
	if _, err := c.link(call, link); err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(link, "://")
	_, rest, _ = strings.Cut(rest, "/")
	return strings.TrimPrefix("/"+rest, c.base.EscapedPath()+call.version()), nil
}

// mayRedirect lets the HTTP client follow only to where the request already went.
func (c *Client) mayRedirect(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	if len(via) > 3 || req.URL.Scheme != first.Scheme || !strings.EqualFold(req.URL.Host, first.Host) {
		return http.ErrUseLastResponse
	}
	return nil
}

type priority struct{}

// Priority says who waits for a call.
type Priority int

// The priorities.
const (
	Low  Priority = iota // the background: keeps off the last slot of a mailbox and the Reserve of each limit, and behind a person
	High                 // a person waits
)

// WithPriority is ctx for calls of that priority; without it they are Low.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, priority{}, p)
}

func isHigh(ctx context.Context) bool {
	p, _ := ctx.Value(priority{}).(Priority)
	return p == High
}
