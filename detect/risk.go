package detect

import "tocsin.dev"

// Grade is the severity that goes with a risk of 0 to 100.
func Grade(risk int) tocsin.Severity {
	switch {
	case risk >= 85:
		return tocsin.Critical
	case risk >= 65:
		return tocsin.High
	case risk >= 40:
		return tocsin.Medium
	case risk >= 15:
		return tocsin.Low
	}
	return tocsin.Info
}

// Terms adds up to a risk.
type Terms []tocsin.RiskTerm

// Add adds points, which may be negative, because of why.
func (t *Terms) Add(points int, why string) {
	*t = append(*t, tocsin.RiskTerm{Points: points, Why: why})
}

// Score sets the terms of f, its risk (their sum, held to 0..100) and, unless the rule has fixed it, the severity
// that goes with it.
func Score(f *tocsin.Finding, terms Terms) {
	f.Terms = terms
	f.Score()
	if f.Severity == "" {
		f.Severity = Grade(f.Risk)
	}
}
