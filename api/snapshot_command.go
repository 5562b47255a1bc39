package api

import (
	"bufio"
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"

	"tocsin.dev"
)

// Snapshot is `tocsin snapshot CONNECTION`: how the connection's tenant is set, as one JSON file that `tocsin posture` reads. A
// connection is named by its id, its name, or its tenant.
func Snapshot(connect func() (*Client, error)) *cobra.Command {
	return &cobra.Command{
		Use: "snapshot CONNECTION", Short: "How a tenant is set, as one JSON file that tocsin posture reads", Args: cobra.ExactArgs(1), SilenceUsage: true,
		Example: "  tocsin snapshot \"Fabrikam Freight\" > fabrikam.json\n  tocsin posture fabrikam.json",
		RunE: func(c *cobra.Command, args []string) error {
			client, err := connect()
			if err != nil {
				return err
			}
			tenant, err := client.tenantOf(c, args[0])
			if err != nil {
				return err
			}
			var out json.RawMessage
			if err := client.Do(c.Context(), "snapshots get", In{Tenant: tenant}, &out); err != nil {
				return err
			}
			w := bufio.NewWriter(c.OutOrStdout())
			if _, err := w.Write(append(out, '\n')); err != nil {
				return err
			}
			return w.Flush()
		},
	}
}

// tenantOf is the tenant of the connection of that id, name or tenant.
func (c *Client) tenantOf(cmd *cobra.Command, name string) (tocsin.TenantID, error) {
	var tenants Page[Tenant]
	if err := c.Do(cmd.Context(), "tenants list", TenantsIn{}, &tenants); err != nil {
		return "", err
	}
	var found []tocsin.TenantID
	for _, t := range tenants.Items {
		if strings.EqualFold(string(t.ID), name) || strings.EqualFold(t.Name, name) {
			found = append(found, t.ID)
			continue
		}
		var list Page[Connection]
		if err := c.Do(cmd.Context(), "connections list", ListIn{In: In{Tenant: t.ID}}, &list); err != nil {
			return "", err
		}
		for _, k := range list.Items {
			if strings.EqualFold(k.ID, name) || strings.EqualFold(k.Name, name) {
				found = append(found, t.ID)
				break
			}
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", tocsin.Problemf(tocsin.NotFound, "tocsin connections list shows them.", "There is no connection %q.", name)
	}
	return "", tocsin.Problemf(tocsin.Invalid, "Name it by its id.", "More than one connection is called %q.", name)
}
