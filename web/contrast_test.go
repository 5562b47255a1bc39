package web

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// colours are the stylesheet's variables, in light and in dark.
func colours(t *testing.T) map[string][2][3]float64 {
	t.Helper()
	css, err := static.ReadFile("static/app.css")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][2][3]float64{}
	for _, m := range regexp.MustCompile(`--([a-z0-9-]+):\s*light-dark\(#([0-9a-f]{6}), #([0-9a-f]{6})\);`).FindAllStringSubmatch(string(css), -1) {
		out[m[1]] = [2][3]float64{rgb(t, m[2]), rgb(t, m[3])}
	}
	return out
}

func rgb(t *testing.T, hex string) (c [3]float64) {
	t.Helper()
	for i := range c {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c[i] = float64(n) / 255
	}
	return c
}

// ratio is the contrast of two colours (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio).
func ratio(a, b [3]float64) float64 {
	l := func(c [3]float64) float64 {
		for i, v := range c {
			if v <= .04045 {
				c[i] = v / 12.92
			} else {
				c[i] = math.Pow((v+.055)/1.055, 2.4)
			}
		}
		return .2126*c[0] + .7152*c[1] + .0722*c[2]
	}
	x, y := l(a), l(b)
	return (max(x, y) + .05) / (min(x, y) + .05)
}

// TestContrast holds text to 4.5 and shapes, controls and focus to 3, in both themes, on whatever they stand on.
func TestContrast(t *testing.T) {
	c := colours(t)
	check := func(least float64, fore string, grounds ...string) {
		for _, g := range grounds {
			for i, theme := range []string{"light", "dark"} {
				f, ok := c[fore]
				b, ok2 := c[g]
				if !ok || !ok2 {
					t.Fatalf("no colour %s or %s", fore, g)
				}
				if r := ratio(f[i], b[i]); r < least {
					t.Errorf("%s: %s on %s has %.2f, needs %.1f", theme, fore, g, r, least)
				}
			}
		}
	}
	grounds := []string{"bg", "surface", "sunk", "raised", "hover", "accent-tint"}
	for _, text := range []string{"text", "text-2", "text-3"} {
		check(4.5, text, grounds...)
	}
	for _, text := range []string{"text", "text-2", "link", "accent"} {
		check(4.5, text, "note")
	}
	check(4.5, "link", "surface", "hover", "raised", "bg")
	check(4.5, "accent", "surface", "accent-tint")
	check(4.5, "accent-on", "accent-fill")
	check(3, "focus", grounds...)
	check(4.5, "pin-on", "critical-fill")
	for i, steps := 0, []string{"sunk", "heat-1", "heat-2", "heat-3", "heat-4", "heat-5"}; i < len(steps)-1; i++ {
		check(1.13, steps[i+1], steps[i]) // the heat's steps are told from each other
	}
	check(3, "control", "surface", "bg")
	for _, s := range []string{"critical", "high", "medium", "low", "info", "ok"} {
		check(4.5, s, "surface", "hover", "bg", "accent-tint", s+"-tint")
		check(3, s+"-fill", "surface", "hover")
		check(4.5, "text-2", s+"-tint")
	}
}

// TestStylesheetIsTheOnlyStyle looks for what the policy would refuse: inline styles in any template.
func TestStylesheetIsTheOnlyStyle(t *testing.T) {
	css, err := static.ReadFile("static/app.css")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"@import", "http://", "https://", "url("} {
		if i := strings.Index(string(css), bad); i >= 0 {
			t.Errorf("app.css fetches from elsewhere: %s", fmt.Sprintf("%.60s", css[i:]))
		}
	}
}
