package graph

import (
	"context"
	"encoding/json"
	"hash/maphash"
	"iter"
	"maps"
	"strings"
)

// systemMailbox is where Exchange is asked for what is of no one mailbox: one that every organisation has.
const systemMailbox = "UPN:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@"

// Cmdlet is a command of Exchange's administration. Only those that read are ever run: their names begin with Get-.
type Cmdlet struct {
	Name       string
	Parameters map[string]any
	Near       string // the mailbox it is about, if any: it is answered from there
}

// Run gives what a cmdlet answers, object by object and page by page as they are taken. call is exchange.mailboxes,
// exchange.folderPermissions or exchange.command. An error is the last thing it gives.
func (c *Client) Run(ctx context.Context, call string, cmd Cmdlet) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		r, err := c.command(call, cmd)
		seen := map[uint64]bool{}
		for err == nil {
			seen[maphash.String(seed, r.url)] = true
			var pg page
			if pg, err = c.page(ctx, r); err != nil {
				break
			}
			for _, raw := range *pg.Value {
				if !isNull(raw) && !yield(raw, nil) {
					return
				}
			}
			if pg.Next == "" {
				return
			}
			if err = c.unseen(r.call, pg.Next, seen); err == nil {
				r.url = pg.Next // the same body goes there again
			}
		}
		yield(nil, err)
	}
}

func (c *Client) command(call string, cmd Cmdlet) (request, error) {
	if !strings.HasPrefix(cmd.Name, "Get-") {
		return request{}, &Failed{Where: Where{Call: call}, Code: "NotReading", Message: "only cmdlets that read are run, and " + cmd.Name + " is none"}
	}
	r, err := c.request(call, nil)
	if err != nil {
		return r, err
	}
	parameters := map[string]any{}
	maps.Copy(parameters, cmd.Parameters)
	r.body, err = json.Marshal(map[string]any{"CmdletInput": map[string]any{"CmdletName": cmd.Name, "Parameters": parameters}})
	if cmd.Near != "" {
		r.near = "UPN:" + cmd.Near
	}
	return r, err
}
