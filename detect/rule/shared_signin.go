package rule

import (
	"fmt"

	"tocsin.dev"
	"tocsin.dev/detect"
)

var sharedSignIn = detect.Meta{
	Name: "shared-mailbox-sign-in", Title: "A shared mailbox can sign in", Family: "accounts",
	Severity: tocsin.Medium, Attack: []string{"T1078.004"}, Stage: "access",
	Says:           "The account of a shared mailbox is enabled. People reach a shared mailbox through their own accounts; its own has a password nobody guards, and seldom a second factor.",
	FalsePositives: "An application that signs in as the mailbox: give it a registration of its own.",
	Fix:            "Block sign-in for the account; those who have been given access keep it.",
	Actions:        []string{"suspend"}, Source: "mailbox_settings",
}

func judgeSharedSignIn(o *detect.Org, m *detect.Mailbox) []tocsin.Finding {
	if m.Purpose != "shared" || m.SignIn == nil || !*m.SignIn {
		return nil
	}
	f := sharedSignIn.Finding(m.Person, m.Address, string(m.Person), o.Now)
	f.Evidence = []tocsin.Evidence{
		{ID: string(m.Person), Source: "mailbox_settings", What: "the mailbox's purpose", Raw: m.Purpose},
		{ID: string(m.Person), Source: "directory", What: "accountEnabled", Raw: "true"},
	}
	terms := detect.Terms{{Points: 45, Why: "a shared mailbox's account can sign in"}}
	return []tocsin.Finding{*scored(&f, terms, fmt.Sprintf("%s is a shared mailbox, and its account can sign in itself.", m.Address))}
}
