package web

import "tocsin.dev/api"

// keys are the shortcuts of every page, as the help window lists them; static/keys.js answers them.
var keys = []struct {
	What string
	Keys []string
}{
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
	{"Go to rules", []string{"g", "r"}},
	{"Go to mailboxes", []string{"g", "m"}},
	{"Go to identities", []string{"g", "i"}},
	{"Go to detections", []string{"g", "d"}},
	{"Go to connections", []string{"g", "c"}},
	{"Go to settings", []string{"g", "s"}},
	{"This help", []string{"?"}},
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
