package posture

import (
	"fmt"
	"slices"
	"strings"
)

// What Exchange is set to is in no Graph: it is kept under the cmdlet that tells it, with the names that this has.
// https://learn.microsoft.com/powershell/module/exchangepowershell
const (
	pathMailOrg        = "/exchange/Get-OrganizationConfig"
	pathMailTransport  = "/exchange/Get-TransportConfig"
	pathMailRules      = "/exchange/Get-TransportRule"
	pathMailTag        = "/exchange/Get-ExternalInOutlook"
	pathMailWeb        = "/exchange/Get-OwaMailboxPolicy"
	pathMailRoles      = "/exchange/Get-RoleAssignmentPolicy"
	pathMailConnection = "/exchange/Get-HostedConnectionFilterPolicy"
	pathMailInbound    = "/exchange/Get-HostedContentFilterPolicy"
	pathMailOutbound   = "/exchange/Get-HostedOutboundSpamFilterPolicy"
	pathMailSigning    = "/exchange/Get-DkimSigningConfig"
	pathMailCalendar   = "/exchange/Get-SharingPolicy"
	pathMailRemote     = "/exchange/Get-RemoteDomain"
	pathMailBypass     = "/exchange/Get-MailboxAuditBypassAssociation"
)

// ExchangePaths are the paths of Exchange's settings: each ends in the cmdlet that tells them.
var ExchangePaths = []string{pathMailOrg, pathMailTransport, pathMailRules, pathMailTag, pathMailWeb, pathMailRoles, pathMailConnection, pathMailInbound, pathMailOutbound, pathMailSigning, pathMailCalendar,
	pathMailRemote, pathMailBypass, pathMailPhish, pathMailPhishRules, pathMailOutboundRules, pathMailMalware, pathMailMalwareRules, pathMailAttached, pathMailAttachedRules, pathMailLinks, pathMailLinksRules,
	pathMailOffice, pathMailPriority, pathMailPreset, pathMailPresetOffice, pathMailTeams, pathMailReports, pathMailLog}

// ExchangeMailboxes is of the mailboxes that checks look at: the shared ones, and those that record less than they should. They are told
// by the round that goes through all mailboxes.
const ExchangeMailboxes = pathMailBoxes

// ExchangeBypass is of accounts whose access to mailboxes is not recorded.
const ExchangeBypass = pathMailBypass

// exchange is an object of Exchange.
type exchange map[string]any

// is says whether a switch is on; known is false where it is not told.
func (o exchange) is(name string) (on, known bool) {
	for k, v := range o {
		if strings.EqualFold(k, name) {
			if b, ok := v.(bool); ok {
				return b, true
			}
		}
	}
	return false, false
}

// list is a list of texts.
func (o exchange) list(name string) (out []string) {
	for k, v := range o {
		if !strings.EqualFold(k, name) {
			continue
		}
		switch x := v.(type) {
		case string:
			if x != "" {
				out = append(out, x)
			}
		case []any:
			for _, e := range x {
				switch e := e.(type) {
				case string:
					out = append(out, e)
				case map[string]any: // a sender's domain stands in an object
					if d, ok := e["Domain"].(string); ok {
						out = append(out, d)
					}
				}
			}
		}
	}
	return out
}

func (o exchange) text(name string) string { return strings.Join(o.list(name), ", ") }

func (o exchange) name() string {
	return or(o.text("Name"), o.text("DisplayName"), o.text("Identity"), "Exchange")
}

// untold is what a judge of an object says where that does not tell.
const untold = "?"

// mail judges each object of a path by what is wrong with it: "" for nothing. what is what they are, none what it means that there is none.
func mail(path, what string, none Status, wrong func(exchange) string) func(*State) Verdict {
	return func(s *State) Verdict {
		list := all[exchange](s, path)
		if len(list) == 0 {
			if none == Pass {
				return pass("There is no %s.", what)
			}
			return undecided("No %s was told of.", what)
		}
		var found []Object
		silent := 0
		for _, o := range list {
			switch why := wrong(o); why {
			case "":
			case untold:
				silent++
			default:
				found = append(found, Object{ID: or(o.text("Guid"), o.text("Identity"), o.name()), Name: o.name(), Path: path, Why: why})
			}
		}
		switch {
		case len(found) > 0:
			v := fail("%d of %s is not so: %s.", len(found), count(len(list), what), found[0].Why)
			v.Found = found
			return v
		case silent > 0:
			return undecided("What was read of the %s does not tell.", what)
		}
		return pass("It is so for %s.", count(len(list), what))
	}
}

// mailOn wants a switch to be on, mailOff one to be off.
func mailOn(name, otherwise string) func(exchange) string  { return switched(name, true, otherwise) }
func mailOff(name, otherwise string) func(exchange) string { return switched(name, false, otherwise) }

func switched(name string, want bool, otherwise string) func(exchange) string {
	return func(o exchange) string {
		is, known := o.is(name)
		switch {
		case !known:
			return untold
		case is != want:
			return otherwise
		}
		return ""
	}
}

// empty wants a list to have nothing in it.
func empty(name, otherwise string) func(exchange) string {
	return func(o exchange) string {
		if l := o.list(name); len(l) > 0 {
			return fmt.Sprintf(otherwise, strings.Join(l, ", "))
		}
		return ""
	}
}

func wrongTips(o exchange) string {
	for _, name := range []string{"MailTipsAllTipsEnabled", "MailTipsExternalRecipientsTipsEnabled", "MailTipsGroupMetricsEnabled"} {
		if is, known := o.is(name); !known {
			return untold
		} else if !is {
			return name + " is off"
		}
	}
	if n, ok := o["MailTipsLargeAudienceThreshold"].(float64); ok && n > 25 {
		return fmt.Sprintf("a message counts as one to many from %.0f recipients on only", n)
	}
	return ""
}

func wrongAccounts(o exchange) string {
	if is, known := o.is("IsDefault"); known && !is {
		return ""
	}
	for _, name := range []string{"PersonalAccountsEnabled", "PersonalAccountCalendarsEnabled"} {
		if is, known := o.is(name); known && is {
			return name + " is on"
		}
	}
	if _, known := o.is("PersonalAccountsEnabled"); !known {
		return untold
	}
	return ""
}

func wrongAddIns(o exchange) string {
	for _, role := range o.list("AssignedRoles") {
		if slices.Contains([]string{"My Custom Apps", "My Marketplace Apps", "My ReadWriteMailbox Apps"}, role) {
			return "people may install add-ins: " + role
		}
	}
	return ""
}

func wrongTrusted(o exchange) string {
	domains := o.list("SenderDomainIs")
	level := fmt.Sprint(o["SetSCL"])
	if strings.EqualFold(o.text("State"), "Disabled") || len(domains) == 0 || level != "-1" {
		return ""
	}
	return "mail from " + strings.Join(domains, ", ") + " passes the filter"
}

func wrongRedirect(o exchange) string {
	if strings.EqualFold(o.text("State"), "Disabled") {
		return ""
	}
	return empty("RedirectMessageTo", "it redirects mail to %s")(o)
}

func wrongForwarding(o exchange) string {
	switch mode := o.text("AutoForwardingMode"); {
	case mode == "":
		return untold
	case !strings.EqualFold(mode, "Off"):
		return "mailboxes may forward outside by themselves: " + mode
	}
	return ""
}
