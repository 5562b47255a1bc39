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
			for name := range m { // what is different each time, and tells of the answer alone
				if strings.HasPrefix(name, "@") || strings.HasPrefix(name, "When") || name == "RunspaceId" {
					delete(m, name)
				}
			}
			for _, name := range []string{"Guid", "Identity", "Name"} {
				if s, ok := m[name].(string); ok && m["id"] == nil && s != "" {
					m["id"] = s
				}
			}
			if m["displayName"] = textIn(m, "Name"); m["displayName"] == "" {
				m["displayName"] = textIn(m, "Identity")
			}
			if path == posture.ExchangeBypass && m["AuditBypassEnabled"] != true {
				return // nearly everybody: those of whom nothing is hidden are not kept
			}
			raw, err := json.Marshal(m)
			if err == nil { // it was JSON
				k.objects = append(k.objects, objectOf(raw, path))
			}
		})
		reason, why := whyRefused(err)
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

// cmdletOf is the cmdlet that tells what is kept under a path.
func cmdletOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// mailSettingsNeed is what any of them needs.
var mailSettingsNeed = graph.Find("exchange.command").Permissions
