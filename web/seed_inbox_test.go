package web

import (
	"fmt"
	"time"

	"tocsin.dev"
)

// The ids of what is seeded of the team inbox.
const (
	boxID    = "0190a000-0000-7000-8000-00000000b001"
	closedID = "0190a000-0000-7000-8000-00000000b002"
	threadID = "0190a000-0000-7000-8000-00000000d001"
	ruleID   = "0190a000-0000-7000-8000-00000000e001"
)

// inbox is a shared inbox whose strangers write what harms, and another that nobody here works in.
func (d seeder) inbox() {
	now := d.ago(0)
	for _, b := range [][]string{{boxID, evilBidi, "support@acme.example", "connected", ""}, {closedID, "Board", "board@acme.example", "broken", "The account's password was changed."}} {
		d.add(`insert into inbox (tenant, id, name, address, state, because, sealed, created, changed) values ($1, $2, $3, $4, $5, $6, '', $7, $7)`, b[0], b[1], b[2], b[3], b[4], now)
	}
	d.add(`insert into inbox_member (tenant, inbox, kind, member, added) values ($1, $2, 'everyone', '', 1)`, boxID)
	d.add(`insert into inbox_team (tenant, id, name, created) values ($1, $2, $3, $4)`, tocsin.NewID(), evilScript, now)
	tag := tocsin.NewID()
	d.add(`insert into inbox_tag (tenant, id, name, colour, created) values ($1, $2, $3, 'red', $4)`, tag, evilScript, now)
	d.add(`insert into inbox_macro (tenant, id, inbox, name, shortcut, text, change, created) values ($1, $2, '', $3, 'x', $4, '{}', $5)`, tocsin.NewID(), evilBidi, "<p>Dear {{name}}, "+evilBidi+"</p>", now)
	d.add(`insert into inbox_rule (tenant, id, inbox, name, place, enabled, body, created) values ($1, $2, '', $3, 1, true, $4, $5)`, ruleID, evilBidi, js(map[string]any{"when": []map[string]any{{"field": "subject", "value": []string{evilScript, evilBidi}}}, "then": map[string]any{"priority": 4}}), now)
	d.add(`insert into inbox_view (tenant, id, account, name, filter, created) values ($1, $2, '', $3, '{"section":"all","state":"waiting"}', $4)`, tocsin.NewID(), evilBidi, now)
	for i, st := range []string{"open", "open", "waiting", "resolved"} {
		id := threadID[:len(threadID)-1] + fmt.Sprint(i+1)
		d.add(`insert into inbox_thread (tenant, inbox, id, n, subject, from_address, from_name, preview, state, priority, messages, attachments, first_in, last_in, last, created, changed) values ($1, $2, $3, $4, $5, 'x@evil.example', $6, $7, $8, $9, 2, true, $10, $10, $10, $10, $10)`,
			boxID, id, i+1, []string{evilBidi, evilScript, "", "Plain"}[i], evilBidi, evilScript, st, i+1, d.ago(time.Duration(i+1)*time.Hour))
		d.add(`insert into inbox_thread_tag (tenant, inbox, thread, tag, added) values ($1, $2, $3, $4, 1)`, boxID, id, tag)
		for j, way := range []string{"in", "out"} {
			d.add(`insert into inbox_message (tenant, inbox, id, thread, folder, direction, subject, preview, from_address, from_name, reply_to, to_list, categories, attachments, at, seen) values ($1, $2, $3, $4, 'f', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)`,
				boxID, fmt.Sprintf("AA%d%d=", i, j), id, way, evilBidi, evilScript, []string{"x@evil.example", "support@acme.example"}[j], evilScript, js([]map[string]string{{"address": evilBlank + "@evil.example"}}), js([]map[string]string{{"address": "support@acme.example", "name": evilBidi}}), js([]string{evilScript}),
				js([]map[string]any{{"id": "a", "name": evilBidi, "type": "text/html", "size": 1200}}), d.ago(time.Duration(i+1)*time.Hour-time.Duration(j)*time.Minute))
		}
		d.add(`insert into inbox_entry (tenant, inbox, thread, id, at, kind, who, what) values ($1, $2, $3, $4, $5, 'note', '', $6)`, boxID, id, tocsin.NewID(), d.ago(30*time.Minute), js(map[string]any{"text": evilScript + evilBidi}))
	}
}
