package server

import (
	"net/url"
	"os"
	"strings"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/dial"
)

// checkOIDC says what cannot be right about the identity provider's settings.
func (c *Config) checkOIDC() error {
	o := c.OIDC
	if o.Issuer == "" {
		if o.Client != "" || o.SecretFile != "" {
			return tocsin.Problemf(tocsin.Invalid, "Set oidc.issuer too, or leave all of oidc away.", "The identity provider has no address.")
		}
		return nil
	}
	u, err := url.Parse(o.Issuer)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" {
		return tocsin.Problemf(tocsin.Invalid, "Write it as https://login.microsoftonline.com/<tenant id>/v2.0, as the provider's own configuration says it.", "The setting oidc.issuer is %q, which is no https address.", o.Issuer)
	}
	if strings.Contains(u.Path, "/common") || strings.Contains(u.Path, "/organizations") {
		return tocsin.Problemf(tocsin.Invalid, "Name your own tenant in its place.", "The setting oidc.issuer lets every organisation's people in.")
	}
	if o.Client == "" || o.SecretFile == "" {
		return tocsin.Problemf(tocsin.Invalid, "Set oidc.client and oidc.secretfile.", "The identity provider wants to know who asks.")
	}
	if c.URL == "" {
		return tocsin.Problemf(tocsin.Invalid, "Set url to where browsers reach Tocsin.", "The identity provider has to know where to send people back to.")
	}
	return nil
}

// oidc is the identity provider; nil where there is none.
func (c *Config) oidc() (*api.OIDC, error) {
	if c.OIDC.Issuer == "" {
		return nil, nil
	}
	secret, err := os.ReadFile(c.OIDC.SecretFile)
	if err != nil {
		return nil, tocsin.Problemf(tocsin.Invalid, "Name a file that this user may read.", "The file in oidc.secretfile cannot be read.")
	}
	name := c.OIDC.Name
	if name == "" {
		if u, err := url.Parse(c.OIDC.Issuer); err == nil {
			name = u.Hostname()
		}
	}
	return &api.OIDC{Issuer: c.OIDC.Issuer, Client: c.OIDC.Client, Secret: strings.TrimRight(string(secret), "\r\n"), Name: name,
		Redirect: strings.TrimRight(c.URL, "/") + "/sign-in/oidc", TrustAddress: c.OIDC.TrustAddress,
		Guard: &dial.Guard{Allow: c.ownNetworks()}}, nil
}
