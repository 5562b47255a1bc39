package connect

import (
	"tocsin.dev"
	"tocsin.dev/secret/reseal"
)

// Sealed is where credentials lie, for a key that is replaced.
func Sealed() []reseal.Place {
	return []reseal.Place{
		{What: "credentials of connections", Table: "connection", Key: "id", Column: "sealed", Tenant: true, About: about},
		{What: "credentials of app registrations", Table: "registration", Key: "tier", Column: "sealed", About: func(_ tocsin.TenantID, tier string) string { return aboutRegistration(Tier(tier)) }},
		{What: "credentials and sign-ins of e-mail connections", Table: "email_connection", Key: "id", Column: "sealed", Tenant: true, About: aboutEmail},
		{What: "consents under way", Table: "consent", Key: "hash", Column: "sealed", About: func(_ tocsin.TenantID, hash string) string { return aboutConsent(hash) }},
	}
}
