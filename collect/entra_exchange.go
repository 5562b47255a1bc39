package collect

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"tocsin.dev/detect/posture"
	"tocsin.dev/graph"
)

// askMailSettings reads what Exchange is set to by its cmdlets that read. They are kept as Graph's objects are, under the cmdlet that
// tells them; one that the application's role does not include is noted, and holds up no other.
func (c *Collector) askMailSettings(ctx context.Context) error {
	var refused []error
	for _, path := range posture.ExchangePaths {
		k := keeping{path: path}
		err := c.cmdlet(ctx, "exchange.command", cmdletOf(path), "", func(m map[string]any) {
			if path == posture.ExchangeBypass && m["AuditBypassEnabled"] != true {
				return // nearly everybody: those of whom nothing is hidden are not kept
			}
			for name := range m { // what is different each time, and tells of the answer alone
				if strings.HasPrefix(name, "@") || strings.HasPrefix(name, "When") || name == "RunspaceId" {
					delete(m, name)
				}
			}
			k.objects = append(k.objects, exchangeObject(m, path))
		})
		reason, why := whyRefused(err)
		if e, ok := errors.AsType[*graph.Failed](err); ok && reason == "" && e.Status < 500 { // as it is where it is no cmdlet at all
			reason, why = posture.Permission, "Exchange does not run "+cmdletOf(path)+" here: the application's role there, or the tenant's licences, do not include it."
		}
		switch {
		case err == nil:
			if err := c.keepPath(ctx, k); err != nil {
				return err
			}
		case reason == "":
			return err
		default:
			refused = append(refused, err)
			if err := c.notePath(ctx, path, reason, why); err != nil {
				return err
			}
		}
	}
	if len(refused) == len(posture.ExchangePaths) {
		return errors.Join(refused[0])
	}
	if len(refused) > 0 {
		return &partly{refused}
	}
	return nil
}

// exchangeObject is an object of Exchange as it is kept: with an id and a name where Graph has them.
func exchangeObject(m map[string]any, path string) stateObject {
	for _, name := range []string{"ExternalDirectoryObjectId", "Guid", "Identity", "Name"} {
		if s, ok := m[name].(string); ok && m["id"] == nil && s != "" {
			m["id"] = s
		}
	}
	for _, name := range []string{"DisplayName", "Name", "Identity"} {
		if s := textIn(m, name); s != "" && m["displayName"] == nil {
			m["displayName"] = s
		}
	}
	raw, err := json.Marshal(m)
	if err != nil {
		raw = []byte("{}") // it was JSON
	}
	return objectOf(raw, path)
}

// ofMailbox are the members of Get-Mailbox that are kept of a mailbox.
var ofMailbox = []string{"ExternalDirectoryObjectId", "UserPrincipalName", "PrimarySmtpAddress", "DisplayName", "RecipientTypeDetails", "AuditEnabled", "AuditLogAgeLimit", "DefaultAuditSet", "AuditAdmin", "AuditDelegate", "AuditOwner"}

// boxesSeen are the mailboxes that checks look at, of a round through all of them: the shared ones, and those that record less than they
// should or do not say. It counts only where the round began at the first mailbox.
type boxesSeen struct {
	whole bool
	kept  keeping
}

func (s *boxesSeen) look(m map[string]any) {
	if why, told := posture.WrongAudit(m); told && why == "" && !strings.EqualFold(textIn(m, "RecipientTypeDetails"), "SharedMailbox") {
		return
	}
	kept := map[string]any{}
	for _, name := range ofMailbox {
		if v, ok := m[name]; ok {
			kept[name] = v
		}
	}
	s.kept.objects = append(s.kept.objects, exchangeObject(kept, posture.ExchangeMailboxes))
}

// cmdletOf is the cmdlet that tells what is kept under a path.
func cmdletOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// mailSettingsNeed is what any of them needs.
var mailSettingsNeed = graph.Find("exchange.command").Permissions
