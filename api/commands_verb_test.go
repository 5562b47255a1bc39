package api

import (
	"io"
	"strings"
	"testing"
)

// TestUnknownVerb: a mistyped verb is an error that names the one that was meant.
func TestUnknownVerb(t *testing.T) {
	for _, c := range Commands(nil) {
		if c.Name() != "findings" {
			continue
		}
		c.SilenceErrors, c.SilenceUsage = true, true
		c.SetOut(io.Discard)
		c.SetArgs([]string{"lst"})
		if err := c.Execute(); err == nil || !strings.Contains(err.Error(), `has no "lst"`) {
			t.Errorf("%v", err)
		}
		c.SetArgs([]string{})
		if err := c.Execute(); err != nil {
			t.Errorf("without a verb: %v", err)
		}
		return
	}
	t.Error("there is no command findings")
}
