package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/posture"
	"tocsin.dev/graph"
	"tocsin.dev/journal"
	"tocsin.dev/store"
)

// Where rights are told by.
const (
	byCommand  = "invoke_command"
	byAdminAPI = "admin_api"
)

// boxAsked is a mailbox whose rights are asked for.
type boxAsked struct {
	person  tocsin.PersonID
	address string
}

// askExchange reads the state of forwarding, Full Access and Send As of every mailbox and of the transport rules by the interface
// that Exchange's own PowerShell module uses. A round that was cut short goes on behind the mailbox where it stood.
func (c *Collector) askExchange(ctx context.Context) error {
	if err := c.transportRules(ctx); err != nil {
		return err
	}
	row, err := c.row(ctx, "exchange")
	if err != nil {
		return err
	}
	seen := boxesSeen{whole: row.Token == "", kept: keeping{path: posture.ExchangeMailboxes}}
	err = c.eachBox(ctx, "exchange", func(b boxAsked) (*rightsSeen, error) {
		s := &rightsSeen{Source: byCommand, Mailbox: b.address, At: tocsin.Millis(c.Store.Clock().Now()), Whole: []string{detect.RightForwarding, detect.RightFullAccess, detect.RightSendAs}}
		err := c.cmdlet(ctx, "exchange.command", "Get-Mailbox", b.address, func(m map[string]any) {
			deliver, _ := m["DeliverToMailboxAndForward"].(bool)
			s.Settings = detect.Forwards(textIn(m, "ForwardingSmtpAddress"), textIn(m, "ForwardingAddress"), deliver)
			seen.look(m)
		})
		if err != nil {
			return nil, err
		}
		err = c.cmdlet(ctx, "exchange.command", "Get-MailboxPermission", b.address, func(m map[string]any) {
			s.Rights = append(s.Rights, granted(m, "User", detect.RightFullAccess, "FullAccess")...)
		})
		if err != nil {
			return nil, err
		}
		err = c.cmdlet(ctx, "exchange.command", "Get-RecipientPermission", b.address, func(m map[string]any) {
			s.Rights = append(s.Rights, granted(m, "Trustee", detect.RightSendAs, "SendAs")...)
		})
		return s, err
	})
	if err != nil || !seen.whole {
		return err
	}
	return c.keepPath(ctx, seen.kept)
}

// askFolderRights reads who may send on behalf of whom, and to whom inboxes are open, by the Exchange Admin API.
// https://learn.microsoft.com/exchange/reference/admin-api-overview
func (c *Collector) askFolderRights(ctx context.Context) error {
	return c.eachBox(ctx, "folder_rights", func(b boxAsked) (*rightsSeen, error) {
		s := &rightsSeen{Source: byAdminAPI, Mailbox: b.address, At: tocsin.Millis(c.Store.Clock().Now()), Whole: []string{detect.RightSendOnBehalf, detect.RightFolder + ":Inbox"}}
		err := c.cmdlet(ctx, "exchange.mailboxes", "Get-Mailbox", b.address, func(m map[string]any) {
			for _, who := range textsIn(m, "GrantSendOnBehalfTo") {
				s.Rights = append(s.Rights, detect.RightSeen{Trustee: who, Kind: detect.RightSendOnBehalf})
			}
		})
		if err != nil {
			return nil, err
		}
		err = c.cmdlet(ctx, "exchange.folderPermissions", "Get-MailboxFolderPermission", b.address+`:\Inbox`, func(m map[string]any) {
			levels := textsIn(m, "AccessRights")
			if who := textIn(m, "User"); who != "" && len(levels) > 0 && !(len(levels) == 1 && strings.EqualFold(levels[0], "None")) {
				s.Rights = append(s.Rights, detect.RightSeen{Trustee: who, Kind: detect.RightFolder, Folder: "Inbox", Levels: levels})
			}
		})
		return s, err
	})
}

// granted are the rights in an object of Get-MailboxPermission or Get-RecipientPermission; a mailbox's own over itself is none.
func granted(m map[string]any, who, kind, right string) []detect.RightSeen {
	trustee := textIn(m, who)
	has := false
	for _, r := range textsIn(m, "AccessRights") {
		has = has || strings.EqualFold(r, right)
	}
	if trustee == "" || !has || strings.EqualFold(trustee, `NT AUTHORITY\SELF`) {
		return nil
	}
	inherited, _ := m["IsInherited"].(bool)
	deny, _ := m["Deny"].(bool)
	return []detect.RightSeen{{Trustee: trustee, Kind: kind, Inherited: inherited, Deny: deny || strings.EqualFold(textIn(m, "AccessControlType"), "Deny")}}
}

// transportRules reads the rules of the organisation's mail flow.
func (c *Collector) transportRules(ctx context.Context) error {
	s := &rightsSeen{Source: byCommand, Org: true, At: tocsin.Millis(c.Store.Clock().Now()), Whole: []string{detect.RightTransport}}
	err := c.cmdlet(ctx, "exchange.command", "Get-TransportRule", "", func(m map[string]any) {
		rule := detect.MailFlowSeen{Kind: detect.RightTransport, Name: textIn(m, "Name"), Made: true, Params: map[string]string{}}
		for k, v := range m {
			if text := strings.Join(texts(v), ";"); text != "" && k != "Name" && k != "Identity" && k != "State" {
				rule.Params[strings.ToLower(k)] = text
			}
		}
		rule.Params["enabled"] = fmt.Sprint(!strings.EqualFold(textIn(m, "State"), "Disabled"))
		s.MailFlow = append(s.MailFlow, rule)
	})
	if err != nil {
		return err
	}
	it, err := c.item(kindRights, "", s)
	if err != nil {
		return err
	}
	return c.append(ctx, []journal.Item{it})
}

// cmdlet runs one that reads, about a mailbox where one is named, and gives each object to take.
func (c *Collector) cmdlet(ctx context.Context, call, name, identity string, take func(map[string]any)) error {
	cmd := graph.Cmdlet{Name: name, Parameters: map[string]any{}}
	if identity != "" {
		cmd.Parameters["Identity"] = identity
		cmd.Near, _, _ = strings.Cut(identity, ":")
	}
	for raw, err := range c.Graph.Run(ctx, call, cmd) {
		if err != nil {
			return err
		}
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			return &graph.Unavailable{Where: graph.Where{Call: call}, What: "an object does not read as expected"}
		}
		take(m)
	}
	return nil
}

// eachBox asks for every mailbox, in the order of people's ids, and notes how far it has come.
func (c *Collector) eachBox(ctx context.Context, name string, ask func(boxAsked) (*rightsSeen, error)) error {
	for { // a round of those that are known by now would count for a whole day
		whole, err := c.peopleKnown(ctx)
		if err != nil {
			return err
		}
		if whole {
			break
		}
		if err := c.Store.Clock().Sleep(ctx, time.Second); err != nil {
			return err
		}
	}
	row, err := c.row(ctx, name)
	if err != nil {
		return err
	}
	at, done := row.Token, 0
	for {
		var list []boxAsked
		err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
			list = nil
			return each(ctx, t, func(scan func(...any) error) error {
				var b boxAsked
				err := scan(&b.person, &b.address)
				list = append(list, b)
				return err
			}, `select person, case when mail <> '' then mail else upn end from person where tenant = $1 and person > $2 and deleted = 0 and mailbox not in ('none')
				and kind <> 'guest' order by person limit 50`, at)
		})
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return c.keep(ctx, name, at, "")
		}
		var items []journal.Item
		for _, b := range list {
			seen, err := ask(b)
			if _, none := errors.AsType[*graph.NotFound](err); none {
				continue // no mailbox in Exchange
			}
			if err != nil {
				return err
			}
			it, err := c.item(kindRights, b.person, seen)
			if err != nil {
				return err
			}
			items = append(items, it)
		}
		if err := c.append(ctx, items); err != nil {
			return err
		}
		next := string(list[len(list)-1].person)
		if err := c.keep(ctx, name, at, next); err != nil {
			return err
		}
		at, done = next, done+len(list)
		if err := c.progress(ctx, name, done, 0); err != nil {
			return err
		}
	}
}

func textIn(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return strings.TrimSpace(s)
}

func textsIn(m map[string]any, name string) []string { return texts(m[name]) }

// texts are a value's texts: of a list, or of one that PowerShell wrote as a text with commas.
func texts(v any) (out []string) {
	switch x := v.(type) {
	case string:
		if x != "" {
			out = append(out, x)
		}
	case bool:
		out = append(out, fmt.Sprint(x))
	case []any:
		for _, e := range x {
			if s, ok := e.(string); ok && s != "" {
				out = append(out, s)
			}
		}
	}
	return out
}
