package graph

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// P gives a call's placeholders by name ("user"), and the query options it allows by theirs ("$filter").
type P map[string]string

// request is a call with its placeholders filled.
type request struct {
	call Call
	url  string // absolute
	box  boxKey // the mailbox whose limits count
	body []byte
	near string // whose mailbox Exchange should answer from; a hint
}

var placeholder = regexp.MustCompile(`\{(\w+)\}`)

// request fills a call's placeholders and sets its query.
func (c *Client) request(name string, p P) (request, error) {
	call, ok := byName[name]
	if !ok {
		return request{}, fmt.Errorf("no call is named %q", name)
	}
	if call.Content && c.cfg.MetadataOnly != nil && c.cfg.MetadataOnly() {
		return request{}, &ContentRefused{Call: name}
	}
	at, err := c.at(call)
	if err != nil {
		return request{}, err
	}
	rel, err := call.url(c.ours(call, p))
	if err != nil {
		return request{}, fmt.Errorf("%s: %w", name, err)
	}
	return request{call: call, url: at.base.String() + call.version() + rel, box: mailboxKey(call, p)}, nil
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

// url is the call's address after the version.
func (c Call) url(p P) (string, error) {
	used := 0
	var wrong error
	path := placeholder.ReplaceAllStringFunc(c.Path, func(m string) string {
		name := m[1 : len(m)-1]
		v, ok := p[name]
		if !ok || v == "" || v == "." || v == ".." {
			wrong = fmt.Errorf("the path needs %s, got %q", m, v)
			return m
		}
		used++
		if strings.Contains(c.Path, "'"+m+"'") {
			v = strings.ReplaceAll(v, "'", "''") // OData's escape in a quoted key
		}
		return url.PathEscape(v)
	})
	if wrong != nil {
		return "", wrong
	}
	q, err := c.query(p)
	if err != nil {
		return "", err
	}
	if used+q.own != len(p) {
		return "", fmt.Errorf("it takes %s, and not all of %s", c.takes(), keys(p))
	}
	if len(q.list) == 0 {
		return path, nil
	}
	return path + "?" + strings.Join(q.list, "&"), nil
}

type query struct {
	list []string
	own  int // how many the caller set
}

// query is the call's options, with those that the caller sets and may set.
func (c Call) query(p P) (query, error) {
	var q query
	set := func(k, v string) {
		// Spaces as %20: a plus is not a space everywhere. Commas as they are, for readers of logs.
		v = strings.NewReplacer("+", "%20", "%2C", ",").Replace(url.QueryEscape(v))
		q.list = append(q.list, k+"="+v)
	}
	if len(c.Select) > 0 {
		set("$select", strings.Join(c.Select, ","))
	}
	if c.Expand != "" {
		set("$expand", c.Expand)
	}
	if _, own := p["$top"]; c.Top > 0 && !own {
		set("$top", fmt.Sprint(c.Top))
	}
	for _, k := range keys(p) {
		if strings.Contains(c.Path, "{"+k+"}") {
			continue
		}
		if !slices.Contains(c.Options, k) {
			return q, fmt.Errorf("it does not take %s", k)
		}
		set(k, p[k])
		q.own++
	}
	return q, nil
}

func (c Call) takes() string {
	return strings.Join(append(placeholder.FindAllString(c.Path, -1), c.Options...), " ")
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
