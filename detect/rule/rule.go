// Package rule is the detections, by family. These lists are all of them: Checks judge the state of one mailbox, Sweeps
// what shows only across mailboxes, Events the records of the audit log; RightsChecks and OrganisationChecks judge what such
// records and other sources leave behind, under the same names; Connections judge our own ways to a
// tenant; [Join] makes stories of what was found about one person. A rule is a Meta and a pure function; its test
// is a story in testdata that must make it speak and one that must not.
package rule

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// Checks are the rules that judge one mailbox's state.
var Checks = []detect.Check{
	{Meta: forwardEverything, Judge: perRule(judgeForwardEverything)},
	{Meta: forwardOutside, Judge: perRule(judgeForwardOutside)},
	{Meta: forwardThrough, Judge: perRule(judgeForwardThrough)},
	{Meta: turnedOutward, Judge: perRule(judgeTurnedOutward)},
	{Meta: hiddenFolder, Judge: perRule(judgeHiddenFolder)},
	{Meta: hidesNotices, Judge: perRule(judgeHidesNotices)},
	{Meta: hidesMoney, Judge: perRule(judgeHidesMoney)},
	{Meta: deletesAll, Judge: perRule(judgeDeletesAll)},
	{Meta: obfuscatedName, Judge: perRule(judgeObfuscatedName)},
	{Meta: evasionTricks, Judge: perRule(judgeEvasionTricks)},
	{Meta: opaqueRule, Judge: perRule(judgeOpaqueRule)},
	{Meta: shortLived, Judge: judgeShortLived},
	{Meta: autoReply, Judge: judgeAutoReply},
	{Meta: sharedSignIn, Judge: judgeSharedSignIn},
}

// Sweeps are the rules that judge across mailboxes.
var Sweeps = []detect.Sweep{
	{Meta: sharedDestination, Judge: judgeSharedDestination},
	{Meta: forwardChain, Judge: judgeForwardChain},
}

// Mailbox judges the state of one mailbox by every check; what is excepted is left out, and what another check has counted.
func Mailbox(o *detect.Org, m *detect.Mailbox) []tocsin.Finding {
	var out []tocsin.Finding
	for i := range Checks {
		c := &Checks[i]
		out = append(out, o.Unexcused(&c.Meta, c.Judge(o.For(&c.Meta), m))...)
	}
	if len(m.Settings)+len(m.Grants) > 0 {
		for i := range RightsChecks {
			c := &RightsChecks[i]
			out = append(out, o.Unexcused(&c.Meta, c.Judge(o.For(&c.Meta), m))...)
		}
	}
	return withoutNamesCounted(out)
}

// Identity is what, with its rule and its cause, tells a finding from others: whom and what it is about. A chain is the same
// whichever of a mailbox's rules feeds it.
func Identity(f *tocsin.Finding) string {
	if f.Rule == forwardChain.Name {
		return string(f.Person)
	}
	return string(f.Person) + "\n" + f.Subject
}

// Across judges mailboxes together by every sweep. Only mailboxes that send mail on, by a rule or by themselves, matter to it.
func Across(o *detect.Org, ms []*detect.Mailbox) []tocsin.Finding {
	ms = withForwarding(ms)
	var out []tocsin.Finding
	for i := range Sweeps {
		s := &Sweeps[i]
		out = append(out, o.Unexcused(&s.Meta, s.Judge(o.For(&s.Meta), ms))...)
	}
	return out
}

// Record judges one audit record by every event rule. Records come in the order of time, and mem is the same for all.
func Record(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	var out []tocsin.Finding
	for i := range Events {
		e := &Events[i]
		out = append(out, o.Unexcused(&e.Meta, e.Judge(o.For(&e.Meta), mem, r))...)
	}
	howOften(mem, r, out)
	return out
}

const (
	noteBegan = "records" // once a day, that there were any
	noteActs  = "found"   // actor and operation → what was found on
)

// howOften tells, where the sentence of a finding has no number, how often who did it has done the like before, and in how many days.
func howOften(mem *detect.Memory, r *detect.Record, found []tocsin.Finding) {
	if r.Time.IsZero() {
		return
	}
	daily(mem, r, noteBegan, "", "")
	if len(found) == 0 {
		return
	}
	month := r.Time.Add(-30 * 24 * time.Hour)
	key := strings.ToLower(r.Actor) + "\x00" + r.Operation
	before := 0
	for _, n := range mem.Since(noteActs, key, month) {
		if r.Time.Sub(n.At) > time.Second { // else it is told by two logs
			before++
		}
	}
	mem.Add(noteActs, key, detect.Note{At: r.Time, ID: r.ID})
	who := r.Actor
	if who == "" {
		who = "nobody known"
	}
	days := auditPlural(len(mem.Since(noteBegan, "", month)), "day") + " with records"
	for i := range found {
		f := &found[i]
		said := f.Why
		for _, name := range []string{r.IP, r.Actor, r.Target, r.Object, f.Who} {
			if name != "" {
				said = strings.ReplaceAll(said, name, "")
			}
		}
		if strings.ContainsAny(said, "0123456789") {
			continue
		}
		if before == 0 {
			f.Why += detect.Shown(fmt.Sprintf(" It is the first of its kind by %s in %s.", who, days))
		} else {
			f.Why += detect.Shown(fmt.Sprintf(" %s has done the like %s before in %s.", who, auditPlural(before, "time"), days))
		}
	}
}

// All is the catalogue: what every rule says of itself, in the order of the lists.
func All() []detect.Meta {
	out := make([]detect.Meta, 0, len(Checks)+len(Sweeps)+len(Events)+len(Connections)+len(Exports)+len(Stories)+len(Personas))
	for i := range Checks {
		out = append(out, Checks[i].Meta)
	}
	for i := range Sweeps {
		out = append(out, Sweeps[i].Meta)
	}
	for i := range Events {
		out = append(out, Events[i].Meta)
	}
	for i := range OrganisationChecks { // the others are of Events as well
		if m := OrganisationChecks[i].Meta; !slices.ContainsFunc(out, func(had detect.Meta) bool { return had.Name == m.Name }) {
			out = append(out, m)
		}
	}
	for i := range Connections {
		out = append(out, Connections[i].Meta)
	}
	for i := range Exports {
		out = append(out, Exports[i].Meta)
	}
	return append(append(out, Stories...), Personas...)
}

// perRule judges each rule of a mailbox that exists.
func perRule(judge func(*detect.Org, *detect.Mailbox, *detect.Rule) *tocsin.Finding) func(*detect.Org, *detect.Mailbox) []tocsin.Finding {
	return func(o *detect.Org, m *detect.Mailbox) []tocsin.Finding {
		var out []tocsin.Finding
		for i := range m.Rules {
			if r := &m.Rules[i]; !r.Deleted() {
				if f := judge(o, m, r); f != nil {
					out = append(out, *f)
				}
			}
		}
		return out
	}
}
