package notify

import (
	"log/slog"
	"strings"
	"sync"

	"tocsin.dev"
	"tocsin.dev/dial"
	"tocsin.dev/secret"
	"tocsin.dev/store"
)

// Alerts tells people of findings.
type Alerts struct {
	Store  *store.Store
	Keeper *secret.Keeper
	Guard  *dial.Guard // before every address that people give
	SMTP   SMTP        // the operator's
	URL    string      // of the pages, for links; none where empty
	Log    *slog.Logger

	mu   sync.Mutex
	busy map[string]bool // channels that are being served, by owner/id
}

func (a *Alerts) log() *slog.Logger {
	if a.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return a.Log
}

// link is the address of a page of a tenant.
func (a *Alerts) link(tenant tocsin.TenantID, path string) string {
	if a.URL == "" {
		return ""
	}
	return strings.TrimRight(a.URL, "/") + "/t/" + string(tenant) + "/" + path
}
