package web

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"tocsin.dev/api"
	"tocsin.dev/connect"
)

// breach are the three parts of a breach, with the stages of the detections that belong to each.
var breach = []struct {
	Name, Says string
	Stages     []string
}{
	{"Intent exposed", "Somebody got in, settles, and hides it", []string{"access", "persistence", "hiding"}},
	{"Scope and lateral movement", "From this account to others, and what it gathers", []string{"lateral_movement", "collection"}},
	{"Exfiltration", "What leaves", []string{"exfiltration"}},
}

// coverSources are what detections judge, each with the capabilities any of which brings it in; none: it is always there.
var coverSources = []struct {
	Source, Name string
	By           []string
}{
	{"sign_in", "Sign-ins", []string{"sign-ins"}},
	{"audit_log", "Audit log", []string{"mailbox-forwarding", "audit-search", "directory-audits"}},
	{"mailbox_rule", "Mailbox rules", []string{"mailbox-rules"}},
	{"mailbox_settings", "Forwarding and rights", []string{"mailbox-settings", "mailbox-rights", "folder-permissions", "mailbox-forwarding"}},
	{"mail", "Behaviour in mail", []string{"mail-activity"}},
	{"connection", "Tocsin itself", nil},
	{"export", "Imported logs", nil},
}

// coverView is what of a breach is looked for.
type coverView struct {
	Rows  []coverRow
	Parts []coverPart
	All   int // detections with a stage
	On    int // of these
}

// coverRow is a source with its detections, stage by stage.
type coverRow struct {
	Name          string
	State         string // on, degraded, off, asked
	Because, Mend string
	Count         map[string]int // by stage
	All           int
}

func (r coverRow) on() bool {
	return r.State == string(connect.Works) || r.State == string(connect.Degraded)
}

// coverPart is a part of a breach with its stages.
type coverPart struct {
	Name, Says string
	Stages     []coverStage
	On, All    int
}

type coverStage struct {
	Name, Word string
	On, All    int
	List       []coverDetection
}

type coverDetection struct {
	api.Detection
	From  string // the source's name
	IsOn  bool
	State string
}

func (w *web) breachCoverage(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	in := api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}}
	all, err := w.catalogue(r, p.Tenant.ID)
	if err != nil {
		return nil, err
	}
	capabilities, err := w.svc.ListCapabilities(r.Context(), in)
	if err != nil {
		return nil, err
	}
	settings, err := w.svc.GetPersonaSettings(r.Context(), in.In)
	if err != nil {
		return nil, err
	}
	return coveragePage(p, coverOf(all, capabilities.Items, settings)), nil
}

// coverOf says which detections stand for which stage, and which of them have something to judge.
func coverOf(all []api.Detection, capabilities []api.Capability, settings api.PersonaSettings) coverView {
	var v coverView
	rows := map[string]*coverRow{}
	for _, s := range coverSources {
		row := coverRow{Name: s.Name, Count: map[string]int{}}
		row.State, row.Because, row.Mend = sourceState(s.By, capabilities)
		switch {
		case s.Source == "mail" && settings.Off:
			row.State, row.Because, row.Mend = string(connect.Off), "Learning was turned off"+by(settings.ChangedBy)+".", "Turn it on in the settings of behaviour."
		case s.Source == "mail" && row.on() && settings.People == 0:
			row.State, row.Because = "waiting", "Nobody's behaviour is known yet: a day is learned when it is over."
		case s.Source == "export":
			row.State, row.Because, row.Mend = "asked", "Judged when somebody imports the logs of AD FS or of a domain controller.", "Import them on the audit log's page."
		}
		v.Rows = append(v.Rows, row)
	}
	for i, s := range coverSources {
		rows[s.Source] = &v.Rows[i]
	}
	for _, b := range breach {
		part := coverPart{Name: b.Name, Says: b.Says}
		for _, stage := range b.Stages {
			st := coverStage{Name: stage, Word: stageWord(stage)}
			for _, d := range all {
				if d.Stage != stage || d.Kind == "posture" {
					continue
				}
				x := coverDetection{Detection: d, From: sentence(d.Source), State: "unknown"}
				source := d.Source
				if d.Family == "connections" {
					source = "connection" // what is sent on is Tocsin's own as well
				}
				if row := rows[source]; row != nil {
					row.Count[stage]++
					row.All++
					x.From, x.IsOn, x.State = row.Name, row.on(), row.State
				}
				st.All++
				if x.IsOn {
					st.On++
				}
				st.List = append(st.List, x)
			}
			slices.SortStableFunc(st.List, func(a, b coverDetection) int {
				if a.IsOn != b.IsOn {
					if a.IsOn {
						return -1
					}
					return 1
				}
				return b.Severity.Rank() - a.Severity.Rank()
			})
			part.On, part.All = part.On+st.On, part.All+st.All
			part.Stages = append(part.Stages, st)
		}
		v.On, v.All = v.On+part.On, v.All+part.All
		v.Parts = append(v.Parts, part)
	}
	v.Rows = slices.DeleteFunc(v.Rows, func(r coverRow) bool { return r.All == 0 })
	return v
}

func by(who string) string {
	if who == "" {
		return ""
	}
	return " by " + who
}

// sourceState is the best state of any of the capabilities, over all connections; with the reason where it is off or degraded.
func sourceState(any []string, all []api.Capability) (state, because, mend string) {
	if len(any) == 0 {
		return string(connect.Works), "", ""
	}
	rank := map[string]int{string(connect.Off): 1, "unknown": 2, string(connect.Degraded): 3, string(connect.Works): 4}
	best := 0
	for _, name := range any { // the first of them is the one to ask for
		for _, k := range all {
			if k.Name == name && rank[k.State] > best {
				best, state, because, mend = rank[k.State], k.State, k.Because, k.Mend
			}
		}
	}
	switch {
	case best == 0:
		return string(connect.Off), "No connection is there to read it by.", "Connect the tenant."
	case state == string(connect.Works):
		return state, "", ""
	}
	return state, because, mend
}

// says is what of a breach would be seen, in a sentence.
func (v coverView) says() string {
	var blind []string
	for _, part := range v.Parts {
		for _, st := range part.Stages {
			if st.On == 0 {
				blind = append(blind, strings.ToLower(st.Word))
			}
		}
	}
	s := fmt.Sprintf("%d of %s have something to judge.", v.On, plural(v.All, "detection", "detections"))
	switch {
	case len(blind) == 0:
		s += " No stage of a breach is without any."
	case len(blind) == 6:
		s += " No stage of a breach would be seen."
	default:
		s += " A breach would not be seen in " + andWords(blind) + "."
	}
	return s
}

// coverFill is the colour of how much of a stage is looked for.
func coverFill(st coverStage) string {
	if 2*st.On >= st.All {
		return "f-ok"
	}
	return "f-medium"
}
