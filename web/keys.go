package web

import "tocsin.dev/api"

// keyHelp is a shortcut as the help window lists it.
type keyHelp struct {
	What string
	Keys []string
}

// keys are the shortcuts of every page; static/keys.js answers them.
var keys = []keyHelp{
	{"Next, previous row", []string{"j", "k"}},
	{"Open the row", []string{"Enter"}},
	{"Choose the row", []string{"x"}},
	{"Choose none, close", []string{"Esc"}},
	{"Search", []string{"/"}},
	{"Pause or go on live", []string{"p"}},
	{"Go to overview", []string{"g", "o"}},
	{"Go to findings", []string{"g", "f"}},
	{"Go to actions", []string{"g", "a"}},
	{"Go to investigations", []string{"g", "v"}},
	{"Go to the inbox", []string{"g", "t"}},
	{"Go to rules", []string{"g", "r"}},
	{"Go to mailboxes", []string{"g", "m"}},
	{"Go to identities", []string{"g", "i"}},
	{"Go to detections", []string{"g", "d"}},
	{"Go to connections", []string{"g", "c"}},
	{"Go to settings", []string{"g", "s"}},
	{"This help", []string{"?"}},
}

// inboxKeys are those of the inbox; static/inbox.js answers them.
var inboxKeys = []keyHelp{
	{"Open the thread", []string{"Enter"}},
	{"Back to the list", []string{"Esc"}},
	{"Reply, reply to all, forward", []string{"r", "R", "f"}},
	{"New mail", []string{"c"}},
	{"Take back what goes", []string{"U"}},
	{"Write a note", []string{"n"}},
	{"Send, keep", []string{"Ctrl", "Enter"}},
	{"Resolve, open again", []string{"e"}},
	{"Take it", []string{"a"}},
	{"Assign it", []string{"i"}},
	{"Snooze", []string{"z"}},
	{"New to me again", []string{"u"}},
	{"More: tags, priority, spam", []string{"m"}},
	{"All commands", []string{"Ctrl", "K"}},
	{"Mine, unassigned, mentions, all", []string{"g", "1 … 4"}},
}

func accountName(me *api.Me) string {
	if me == nil {
		return ""
	}
	if me.Account.Name != "" {
		return me.Account.Name
	}
	return me.Account.Email
}

// roleWord says what the viewer is here.
func roleWord(p *page) string {
	role := p.Me.Installation
	if p.Tenant != nil && p.Tenant.Role != "" {
		role = p.Tenant.Role
	}
	if role == "" {
		return "No role yet"
	}
	return sentence(string(role))
}
