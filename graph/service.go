package graph

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"tocsin.dev/graph/permission"
)

// Service is one of Microsoft's beside Graph that the same app registration may call: another address, another token,
// other permissions. The empty one is Graph.
type Service string

// The services.
const (
	ActivityFeed  Service = "activity" // Office 365 Management APIs: https://learn.microsoft.com/office/office-365-management-api/
	ExchangeAdmin Service = "exchange" // Exchange Online's administration: https://learn.microsoft.com/exchange/reference/admin-api-overview
)

// Resource is what Entra knows a service as.
type Resource struct {
	Name  string // as the portal lists it under API permissions
	AppID string
}

// Resources are the services by which Tocsin reads besides Graph.
var Resources = map[Service]Resource{
	ActivityFeed:  {Name: "Office 365 Management APIs", AppID: permission.Management},
	ExchangeAdmin: {Name: "Office 365 Exchange Online", AppID: permission.Exchange},
}

// place is a service's address and whom its tokens are for.
func (c Cloud) place(s Service) (address, audience string) {
	switch s {
	case ActivityFeed:
		return c.Activity, or(c.ActivityAudience, c.Activity)
	case ExchangeAdmin:
		return c.Exchange, or(c.ExchangeAudience, c.Exchange)
	}
	return c.Graph, c.Graph
}

// Own is a cloud of one's own in which every service stands at the same address, as the simulator's do. Tokens are told
// apart by the services' application ids.
func Own(authority, address string) Cloud {
	return Cloud{Authority: authority, Graph: address, Activity: address, Exchange: address,
		ActivityAudience: Resources[ActivityFeed].AppID, ExchangeAudience: Resources[ExchangeAdmin].AppID}
}

// Offers says whether the cloud has the service.
func (c Cloud) Offers(s Service) bool {
	address, _ := c.place(s)
	return address != ""
}

// Offers says whether the client's cloud has the service.
func (c *Client) Offers(s Service) bool { return c.cfg.Cloud.Offers(s) }

// reach is where one service is: its address, and the tokens for it.
type reach struct {
	base   *url.URL
	root   string // base as text
	tokens *tokens
}

// at is where the call goes.
func (c *Client) at(call Call) (*reach, error) {
	r := c.reach[call.Service]
	if r == nil {
		return nil, fmt.Errorf("%s: this cloud has no %s", call.Name, Resources[call.Service].Name)
	}
	return r, nil
}

// RolesFor are the application permissions in the app's token for a service; none where the cloud has no such service.
// See [Client.Roles].
func (c *Client) RolesFor(ctx context.Context, s Service) ([]string, error) {
	r := c.reach[s]
	if r == nil {
		return nil, nil
	}
	if c.paused() {
		return nil, ErrPaused
	}
	t, err := r.tokens.get(ctx, "")
	if err != nil {
		return nil, err
	}
	roles, ok := rolesOf(t)
	if !ok {
		return nil, fmt.Errorf("the app's token cannot be read, so its roles are not known")
	}
	return roles, nil
}

// under is what every address of the call's service begins with, behind the host.
func (c *Client) under(call Call, base *url.URL) string {
	if call.Service == "" {
		return base.Path + call.version() + "/"
	}
	root, _, _ := strings.Cut(call.Path, "{tenant}")
	return base.Path + root
}
