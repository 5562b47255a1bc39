package notify

import "tocsin.dev/secret/reseal"

// Sealed is where channels' addresses and signing secrets lie, for a key that is replaced.
func Sealed() []reseal.Place {
	return []reseal.Place{{What: "addresses and secrets of channels", Table: "channel", Key: "id", Column: "sealed", Tenant: true, About: about}}
}
