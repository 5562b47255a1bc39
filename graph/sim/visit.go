package sim

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Visit has an account (a key of [Sim.Accounts]) answer a page of the sign-in at its address, and gives where that leads: a code is chosen by an account, a consent
// is given to all that is asked. A page that leads nowhere is an error with its text.
func (s *Sim) Visit(address, account string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("sim: visit: %w", err)
	}
	a := s.appBy(u.Query().Get("client_id"))
	a.mu.Lock()
	form := url.Values{"account": {account}, "permission": slices.Concat(a.requests, a.asksScopes), "accept": {"yes"}}
	a.mu.Unlock()
	c := s.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := c.PostForm(address, form)
	if err != nil {
		return nil, fmt.Errorf("sim: visit: %w", err)
	}
	defer res.Body.Close()
	to, err := res.Location()
	if err != nil {
		page, _ := io.ReadAll(res.Body) // what could be read of it says enough
		return nil, fmt.Errorf("sim: the page says: %s", strings.Join(strings.Fields(html.UnescapeString(pageTags.ReplaceAllString(string(page), " "))), " "))
	}
	return to, nil
}

var pageTags = regexp.MustCompile(`(?s)<style.*?</style>|<[^>]*>`)
