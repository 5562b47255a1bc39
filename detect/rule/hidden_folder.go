package rule

import (
	"fmt"

	"tocsin.dev"
	"tocsin.dev/detect"
)

var hiddenFolder = detect.Meta{
	Name: "hidden-folder", Title: "A rule moves mail to a folder nobody opens", Family: "hiding",
	Severity: tocsin.High, Attack: []string{"T1564.008", "T1137.005"}, Stage: "hiding",
	Says: "An inbox rule moves mail to RSS Feeds, Conversation History, Sync Issues, the calendar or the like (by its well-known name, in any language), to a folder " +
		"whose own name hides it, or everything to Archive or Junk.",
	FalsePositives: "A person who reads feeds in Outlook, or who clears the inbox by a rule.",
	Fix:            "Look into that folder: what lies there unread is what somebody wanted unseen. Ask the owner; if the rule is not theirs, revoke the sessions.",
	Actions:        ruleActions, Source: "mailbox_rule",
}

func judgeHiddenFolder(o *detect.Org, m *detect.Mailbox, r *detect.Rule) *tocsin.Finding {
	remote, folder := detect.FolderRemote(r.MoveTo)
	breadth := detect.RuleBreadth(&r.MailRule)
	var terms detect.Terms
	switch {
	case remote == detect.Far:
		terms.Add(65, "mail is moved to "+folder+", which nobody opens")
		if breadth == detect.Every {
			terms.Add(15, "every mail")
		}
	case remote == detect.Near && breadth == detect.Every && !removes(&r.MailRule) && len(r.Targets()) == 0:
		terms.Add(nearPoints(detect.FolderKind(r.MoveTo)), "every mail is moved to "+folder)
	default:
		return nil
	}
	if breadth == detect.ByAuthor {
		terms.Add(-15, "only what certain senders wrote")
	}
	if r.MarkRead {
		terms.Add(5, "marks the mail as read")
	}
	if found := append(wordsIn(&r.MailRule, detect.Money), wordsIn(&r.MailRule, detect.Notices)...); len(found) > 0 {
		terms.Add(10, "takes mail about "+words(found))
	}
	nameTerm(&r.MailRule, &terms)
	stateTerms(&r.MailRule, &terms)
	why := fmt.Sprintf("%s %s.%s", label(&r.MailRule), does(m.Address, &r.MailRule), state(&r.MailRule))
	f := about(o, &hiddenFolder, m, r)
	f.Evidence = append(f.Evidence, tocsin.Evidence{ID: r.MoveTo.ID, Source: "mail_folder", What: folder, Raw: r.MoveTo.Name})
	return scored(f, terms, why)
}

// nearPoints is what moving everything to a folder counts that people file in themselves.
func nearPoints(kind string) int {
	switch kind {
	case "archive":
		return 30
	case "junkemail":
		return 55
	}
	return 50
}
