package sim

import (
	"encoding/base64"
	"encoding/pem"
	"testing"
	"time"
)

// certificateText is a certificate as a subscription bears it.
func certificateText(t testing.TB) string {
	t.Helper()
	text, err := NewCertificate("hooks", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(text))
	return base64.StdEncoding.EncodeToString(block.Bytes)
}
