// Package connect keeps the ways to tenants: consent, credentials, what is granted, what is missing and what that costs.
//
// A connection is a tenant, an app registration and its credential, sealed. It is made only when it has proven itself:
// a token was given, and the organisation that token reads is the tenant that was named. What it allows is a list of
// capabilities (see [Capabilities]), each with its state, why, and how to mend it.
//
//	connection (tenant, id) → name, cloud, client id, method, sealed credential, state, settings as JSON
//	capability (tenant, connection, name) → state (works, degraded, off), because, mend
package connect
