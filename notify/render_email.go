package notify

import (
	"bytes"
	"fmt"
	"html/template"
	"strings"

	"tocsin.dev"
)

// emailText is the message as plain text.
func (m *Message) emailText() string {
	var b strings.Builder
	if m.Test {
		fmt.Fprintf(&b, "%s\n\n", testText)
	}
	if m.digest() {
		fmt.Fprintf(&b, "%s.\n\n", m.Headline())
	}
	for i := range m.Findings {
		f := &m.Findings[i]
		fmt.Fprintf(&b, "%s  %s\n", strings.ToUpper(string(f.Severity)), clean(f.Title, 200))
		for _, line := range f.lines() {
			fmt.Fprintf(&b, "  %s: %s\n", line.name, line.text)
		}
		if f.URL != "" {
			fmt.Fprintf(&b, "  %s\n", f.URL)
		}
		b.WriteByte('\n')
	}
	if more := m.Total - len(m.Findings); more > 0 {
		fmt.Fprintf(&b, "And %s more.\n", plural(more, "finding", "findings"))
	}
	if m.More != "" {
		fmt.Fprintf(&b, "All findings: %s\n", m.More)
	}
	b.WriteString("\n-- \nSent by Tocsin. Whom it tells is set under Settings, Alerts.\n")
	return b.String()
}

// line is something said of a finding.
type line struct{ name, text string }

// lines are what a message says of a finding besides its title and severity, cleaned.
func (f *Finding) lines() []line {
	var out []line
	add := func(name, text string) {
		if text != "" {
			out = append(out, line{name, text})
		}
	}
	if f.Change != Opened {
		add("What", changeWord(f.Change))
	}
	add("Who", clean(f.Who, 200))
	add("Why", clean(f.Why, 800))
	add("Tenant", clean(f.TenantName, 100))
	add("Risk", fmt.Sprintf("%d of 100", f.Risk))
	add("ATT&CK", clean(strings.Join(f.Attack, ", "), 100))
	add("Last seen", f.LastSeen.UTC().Format("2 January 2006 15:04 UTC"))
	return out
}

// Name and Text are for the template.
func (l line) Name() string { return l.name }
func (l line) Text() string { return l.text }

// hue is the severity's colour in e-mails, where style sheets do not reach.
func hue(s tocsin.Severity) template.CSS {
	return map[tocsin.Severity]template.CSS{tocsin.Critical: "#9f1239", tocsin.High: "#b45309", tocsin.Medium: "#854d0e", tocsin.Low: "#1d4ed8"}[s]
}

var emailPage = template.Must(template.New("email").Funcs(template.FuncMap{
	"hue": hue, "upper": func(s tocsin.Severity) string { return strings.ToUpper(string(s)) }, "title": func(f Finding) string { return clean(f.Title, 200) },
	"lines": func(f Finding) []line { return f.lines() },
}).Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Headline}}</title></head>
<body style="margin:0;padding:24px;background:#f4f5f7;font:15px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif;color:#1c2430">
<div style="max-width:640px;margin:0 auto">
{{- if .Test}}<p style="background:#fff;border:1px solid #d8dde5;border-radius:8px;padding:16px;margin:0 0 16px">{{.TestText}}</p>{{end}}
{{- if .Digest}}<h1 style="font-size:18px;margin:0 0 16px">{{.Headline}}</h1>{{end}}
{{- range .Findings}}
<div style="background:#fff;border:1px solid #d8dde5;border-left:4px solid {{hue .Severity}};border-radius:8px;padding:16px;margin:0 0 16px">
<p style="margin:0 0 4px;font-size:12px;font-weight:700;letter-spacing:.04em;color:{{hue .Severity}}">{{upper .Severity}}</p>
<p style="margin:0 0 8px;font-size:16px;font-weight:600"><bdi>{{title .}}</bdi></p>
<table role="presentation" style="border-collapse:collapse;font-size:14px">
{{- range lines .}}
<tr><td style="padding:2px 12px 2px 0;color:#5b6675;vertical-align:top;white-space:nowrap">{{.Name}}</td><td style="padding:2px 0;overflow-wrap:anywhere"><bdi>{{.Text}}</bdi></td></tr>
{{- end}}
</table>
{{- if .URL}}<p style="margin:12px 0 0"><a href="{{.URL}}" style="color:#7c4a12">Open the finding</a></p>{{end}}
</div>
{{- end}}
{{- if .Rest}}<p style="margin:0 0 16px">And {{.Rest}} more.</p>{{end}}
{{- if .More}}<p style="margin:0 0 16px"><a href="{{.More}}" style="color:#7c4a12">All findings</a></p>{{end}}
<p style="font-size:12px;color:#5b6675;margin:0">Sent by Tocsin. Whom it tells is set under Settings, Alerts.</p>
</div></body></html>
`))

// emailHTML is the message as a page for mail clients: no script, nothing fetched.
func (m *Message) emailHTML() (string, error) {
	var b bytes.Buffer
	err := emailPage.Execute(&b, map[string]any{"Headline": m.Headline(), "Test": m.Test, "TestText": testText, "Digest": m.digest(),
		"Findings": m.Findings, "Rest": max(0, m.Total-len(m.Findings)), "More": m.More})
	return b.String(), err
}
