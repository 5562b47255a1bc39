package graph

import (
	"strings"
	"time"
)

// level says who shares a limit.
type level uint8

// The levels.
const (
	ofPair   level = iota // the app in the tenant
	ofApp                 // the app over all its tenants
	ofTenant              // all apps in the tenant
)

func (l level) String() string { return [...]string{"app and tenant", "app", "tenant"}[l] }

// budget is a limit that is not a mailbox's.
type budget uint8

// The budgets.
const (
	all budget = iota
	directory
	directoryApp
	directoryWrites
	directoryAppWrites
	directoryTenantWrites
	reports
	protection
	intune
	intuneTenant
	intuneWrites
	intuneTenantWrites
	subscriptions
	subscriptionsTenant
	trace
	activity
	administration
	number
)

// row is budgets by their number; nil for those of another level.
type row [number]*scope

// budgets are the limits that Microsoft publishes, besides a mailbox's.
// https://learn.microsoft.com/graph/throttling-limits and, for activity, https://learn.microsoft.com/office/office-365-management-api/troubleshooting-the-office-365-management-activity-api
var budgets = [number]struct {
	name   string
	kind   Kind // whose calls count in it
	level  level
	writes bool // only those that change something
	units  bool // by resource units
	of     func(l *Limits) (int, time.Duration)
}{
	all: {"all", Other, ofApp, false, false, func(l *Limits) (int, time.Duration) { return l.Requests, l.Window }},

	directory:             {"directory", Directory, ofPair, false, true, func(l *Limits) (int, time.Duration) { return l.forUsers(0), l.DirectoryWindow }},
	directoryApp:          {"directory-app", Directory, ofApp, false, true, func(l *Limits) (int, time.Duration) { return l.DirectoryAppUnits, l.DirectoryAppWindow }},
	directoryWrites:       {"directory-writes", Directory, ofPair, true, false, func(l *Limits) (int, time.Duration) { return l.DirectoryWrites, l.DirectoryWritesWindow }},
	directoryAppWrites:    {"directory-app-writes", Directory, ofApp, true, false, func(l *Limits) (int, time.Duration) { return l.DirectoryAppWrites, l.DirectoryAppWritesWindow }},
	directoryTenantWrites: {"directory-tenant-writes", Directory, ofTenant, true, false, func(l *Limits) (int, time.Duration) { return l.DirectoryTenantWrites, l.DirectoryTenantWritesWindow }},

	reports:    {"reports", Report, ofPair, false, false, func(l *Limits) (int, time.Duration) { return l.Reports, l.ReportsWindow }},
	protection: {"protection", Protection, ofTenant, false, false, func(l *Limits) (int, time.Duration) { return l.Protection, l.ProtectionWindow }},

	intune:             {"intune", Intune, ofPair, false, false, func(l *Limits) (int, time.Duration) { return l.Intune, l.IntuneWindow }},
	intuneTenant:       {"intune-tenant", Intune, ofTenant, false, false, func(l *Limits) (int, time.Duration) { return l.IntuneTenant, l.IntuneWindow }},
	intuneWrites:       {"intune-writes", Intune, ofPair, true, false, func(l *Limits) (int, time.Duration) { return l.IntuneWrites, l.IntuneWindow }},
	intuneTenantWrites: {"intune-tenant-writes", Intune, ofTenant, true, false, func(l *Limits) (int, time.Duration) { return l.IntuneTenantWrites, l.IntuneWindow }},

	subscriptions:       {"subscriptions", Subscriptions, ofPair, false, false, func(l *Limits) (int, time.Duration) { return l.Subscriptions, l.SubscriptionsWindow }},
	subscriptionsTenant: {"subscriptions-tenant", Subscriptions, ofTenant, false, false, func(l *Limits) (int, time.Duration) { return l.SubscriptionsTenant, l.SubscriptionsWindow }},

	trace:    {"trace", Trace, ofTenant, false, false, func(l *Limits) (int, time.Duration) { return l.Traces, l.TracesWindow }},
	activity: {"activity", Activity, ofTenant, false, false, func(l *Limits) (int, time.Duration) { return l.Activity, l.ActivityWindow }},

	administration: {"exchange-administration", Administration, ofTenant, false, false, func(l *Limits) (int, time.Duration) { return l.Administration, l.AdministrationWindow }},
}

// newRow makes the budgets of a level.
func newRow(l Limits, at level) *row {
	r := &row{}
	for b, k := range budgets {
		if k.level == at {
			n, span := k.of(&l)
			r[b] = newScope(k.name, n, span)
		}
	}
	return r
}

// counts are the budgets in which a call of a kind counts, those of one that only reads and those of one that changes something.
var counts = func() (out [kinds][2][]budget) {
	for kind := range out {
		for write := range 2 {
			list := []budget{}
			for b, k := range budgets {
				if budget(b) == all && (Kind(kind) == Activity || Kind(kind) == Administration) {
					continue // another service, which is not Graph
				}
				if (budget(b) == all || k.kind == Kind(kind) && k.kind != Other) && (!k.writes || write == 1) {
					list = append(list, budget(b))
				}
			}
			out[kind][write] = list
		}
	}
	return out
}()

func counted(k Kind, write bool) []budget {
	if write {
		return counts[k][1]
	}
	return counts[k][0]
}

// Refusal is a 429 that Graph gave.
type Refusal struct {
	At    time.Time
	Call  string        // its name in Calls
	After time.Duration // that Graph asked to wait, or that we guessed
	Code  string        // of the answer's body
	Why   string        // x-ms-throttle-information, where the answer had it
	scope throttleScope
}

// throttleScope is the head of x-ms-throttle-scope: Tenant_Application/ReadWrite/<app>/<tenant>.
type throttleScope struct {
	named bool
	level level
	write bool
}

func scopeOf(header string) (s throttleScope) {
	who, rest, _ := strings.Cut(header, "/")
	what, _, _ := strings.Cut(rest, "/")
	s.write = strings.EqualFold(what, "Write")
	switch strings.ToLower(who) {
	case "tenant_application":
		return throttleScope{true, ofPair, s.write}
	case "tenant":
		return throttleScope{true, ofTenant, s.write}
	case "application":
		return throttleScope{true, ofApp, s.write}
	}
	return throttleScope{}
}

// budget is the one that a 429 of a call tells of: that of the level and kind it names, or else the kind's own. ok is false
// where there is none.
func (s throttleScope) budget(k Kind, write bool) (found budget, ok bool) {
	for _, b := range counted(k, write) {
		if b == all {
			continue
		}
		if s.named && budgets[b].level == s.level && budgets[b].writes == s.write {
			return b, true
		}
		if !ok {
			found, ok = b, true
		}
	}
	if s.named && s.level == ofApp {
		return all, true
	}
	return found, ok
}
