package rule

import (
	"fmt"
	"math"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

var mailSilent = detect.Meta{
	Name: "mail-silent", Title: "Mail that should come does not", Family: "connections",
	Severity: tocsin.Medium, Attack: []string{"T1562.008"}, Stage: "hiding",
	Says:           "Nothing comes to a mailbox, or to the whole tenant, though much is usual at this hour of the week. Microsoft was asked: there is nothing that Tocsin was not told of.",
	FalsePositives: "Somebody who is away, and whose correspondents know; a mailing list that ended. It ends by itself when mail comes, or after two weeks.",
	Fix:            "See in Exchange whether mail is delivered (message trace): an MX record, a transport rule, a forwarding or a full mailbox may keep it away.",
	Actions:        []string{}, Source: "connection",
}

// silentShown is how many silences a finding names as evidence.
const silentShown = 20

func judgeMailSilent(now time.Time, c *detect.Connection) []tocsin.Finding {
	if len(c.Silences) == 0 {
		return nil
	}
	first := c.Silences[0]
	f := mailSilent.Finding("", c.Name, c.ID, first.Began)
	f.Cause = "silent"
	for _, s := range c.Silences[:min(len(c.Silences), silentShown)] {
		f.Evidence = append(f.Evidence, tocsin.Evidence{ID: c.ID, Source: "connection", What: "nothing came to " + silentWho(s) + " since " + s.Began.UTC().Format("2006-01-02 15:04") + " UTC", Raw: fmt.Sprintf("%.0f messages are usual", s.Expected)})
	}
	terms := detect.Terms{{Points: 35, Why: "much is usual at this hour of the week"}}
	if first.Who == "" {
		terms.Add(30, "it is the whole tenant")
	} else if len(c.Silences) > 1 {
		terms.Add(min(20, 2*len(c.Silences)), fmt.Sprintf("%d mailboxes are silent", len(c.Silences)))
	}
	why := fmt.Sprintf("Nothing came to %s since %s UTC, though %.0f messages are usual in that time: by chance that happens once in %s times.", silentWho(first), first.Began.UTC().Format("2 January 15:04"), first.Expected, odds(first.Expected))
	if n := len(c.Silences) - 1; n == 1 {
		why += " Another mailbox is silent too."
	} else if n > 1 {
		why += fmt.Sprintf(" %d others are silent too.", n)
	}
	return []tocsin.Finding{*scored(&f, terms, why)}
}

func silentWho(s detect.Silence) string {
	if s.Who == "" {
		return "the whole tenant"
	}
	return s.Who
}

// odds says in how many times nothing comes by chance, where so many messages are usual: the Poisson probability of none.
func odds(expected float64) string {
	digits := int(expected / math.Ln10)
	switch {
	case digits < 6:
		return fmt.Sprintf("%.0f", math.Exp(expected))
	case digits < 9:
		return fmt.Sprintf("%.0f million", math.Exp(expected)/1e6)
	case digits < 12:
		return fmt.Sprintf("%.0f billion", math.Exp(expected)/1e9)
	}
	return fmt.Sprintf("10 to the power of %d", digits)
}

var mailUntold = detect.Meta{
	Name: "mail-untold", Title: "Mail comes and Tocsin is not told of it", Family: "connections",
	Severity: tocsin.Medium, Attack: []string{"T1562.008"}, Stage: "hiding",
	Says:           "The canary, which follows a message from its mailbox into the tables, did not hear of it in time. Until it does, mail activity is late or lacking.",
	FalsePositives: "A short outage of Microsoft's or of this server's; it ends by itself with the next canary that is heard.",
	Fix:            "See on Mail activity whether subscriptions are made, gaps are open and messages wait; and whether Microsoft Graph reaches the address of hooks.url.",
	Actions:        []string{}, Source: "connection",
}

func judgeMailUntold(_ time.Time, c *detect.Connection) []tocsin.Finding {
	if c.Canary.Because == "" {
		return nil
	}
	f := mailUntold.Finding("", c.Name, c.ID, c.Canary.At)
	f.Cause = "untold"
	f.Evidence = []tocsin.Evidence{{ID: c.Canary.ID, Source: "connection", What: "the canary was not heard", Raw: c.Canary.At.UTC().Format(time.RFC3339)}}
	return []tocsin.Finding{*scored(&f, detect.Terms{{Points: 50, Why: "what happens in mailboxes is not told of in time"}}, c.Canary.Because)}
}
