package collect

import (
	"context"
	"encoding/json"

	"tocsin.dev"
	"tocsin.dev/store"
)

// box is what the tables hold of a mailbox before an item is folded.
type box struct {
	exists                  bool
	rulesHash, settingsHash string
	rulesSeen               int64
	folders                 string
}

func boxes[T any](ctx context.Context, t *store.Tenant, batch []pending[T]) (map[tocsin.PersonID]box, error) {
	q, err := t.Query(ctx, `select person, rules_hash, settings_hash, rules_seen, folders from mailbox
		where tenant = $1 and person in (`+store.In(len(batch), 2)+`)`, ids(batch)...)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	had := map[tocsin.PersonID]box{}
	for q.Next() {
		var id tocsin.PersonID
		b := box{exists: true}
		if err := q.Scan(&id, &b.rulesHash, &b.settingsHash, &b.rulesSeen, &b.folders); err != nil {
			return nil, err
		}
		had[id] = b
	}
	return had, q.Err()
}

// absence notes of a mailbox that it could not be read at a time, and why; or, as read and without a time, that it could.
type absence struct {
	person         tocsin.PersonID
	state, because string
	at             int64
}

// note writes person.mailbox for those of whom it is not what is held.
func (r *run) note(ctx context.Context, list []absence) error {
	by := map[absence][]tocsin.PersonID{}
	for _, a := range list {
		key := absence{state: a.state, because: a.because, at: a.at}
		by[key] = append(by[key], a.person)
	}
	for key, people := range by {
		in := anys(people)
		var other []tocsin.PersonID
		err := each(ctx, r.t, func(scan func(...any) error) error {
			var person tocsin.PersonID
			err := scan(&person)
			other = append(other, person)
			return err
		}, `update person set mailbox = $2, mailbox_because = $3
			where tenant = $1 and person in (`+store.In(len(people), 4)+`) and (mailbox <> $2 or mailbox_because <> $3) returning person`,
			append([]any{key.state, key.because}, in...)...)
		if err == nil {
			err = watchDue(ctx, r.t, other)
		}
		if err == nil && key.at > 0 {
			_, err = r.t.Exec(ctx, `update person set mailbox_asked = $2 where tenant = $1 and person in (`+store.In(len(people), 3)+`)`, append([]any{key.at}, in...)...)
		}
		if err != nil {
			return err
		}
		if len(other) > 0 {
			r.touched["mailbox.changed"] += len(other)
		}
	}
	return nil
}

// foldSettings keeps the mailboxes' settings and judges those whose settings differ from what is held.
func (r *run) foldSettings(ctx context.Context, batch []pending[settingsSeen]) error {
	had, err := boxes(ctx, r.t, batch)
	if err != nil {
		return err
	}
	columns := []string{"person", "purpose", "timezone", "language", "auto_reply", "settings_hash", "settings_seen"}
	var list [][]any
	var states []absence
	same := map[int64][]tocsin.PersonID{} // by when they were asked
	var gone, judge []tocsin.PersonID
	for _, p := range batch {
		if p.body.State != "" {
			states = append(states, absence{p.person, p.body.State, p.body.Absent, p.at})
			if p.body.State == "none" && had[p.person].read() {
				gone = append(gone, p.person)
			}
			continue
		}
		states = append(states, absence{p.person, "read", "", 0})
		hash, err := fingerprint(p.body)
		if err != nil {
			return err
		}
		if b := had[p.person]; b.settingsHash == hash {
			same[p.at] = append(same[p.at], p.person)
			continue
		}
		reply := ""
		if p.body.AutoReply != nil {
			raw, err := encode(p.body.AutoReply)
			if err != nil {
				return err
			}
			reply = string(raw)
		}
		list = append(list, []any{string(p.person), p.body.Purpose, p.body.TimeZone, p.body.Language, reply, hash, p.at})
		r.touched["mailbox.changed"]++
		// A mailbox without rules, replies or a special purpose has nothing to be judged by.
		if had[p.person].settingsHash != "" || p.body.Purpose != "user" || p.body.AutoReply != nil && p.body.AutoReply.Status != "disabled" {
			judge = append(judge, p.person)
		}
	}
	if err := r.t.Insert(ctx, store.Into{Table: "mailbox", Columns: columns, Key: columns[:1]}, list); err != nil {
		return err
	}
	for at, people := range same {
		if _, err := r.t.Exec(ctx, `update mailbox set settings_seen = $2 where tenant = $1 and person in (`+store.In(len(people), 3)+`)`, append([]any{at}, anys(people)...)...); err != nil {
			return err
		}
	}
	if err := r.note(ctx, states); err != nil {
		return err
	}
	return r.noMore(ctx, gone, judge, batch[0].at)
}

// foldRules compares each mailbox's list of rules with the one held. Most are the same: only the time is noted then. What was asked
// before the list held was is left out: a poll may wait for a throttled mailbox while another, looked at after an act of ours, is told.
func (r *run) foldRules(ctx context.Context, batch []pending[rulesSeen]) error {
	had, err := boxes(ctx, r.t, batch)
	if err != nil {
		return err
	}
	now := tocsin.Millis(r.t.Tx().Clock().Now())
	columns := []string{"person", "folders", "rules_hash", "rules_seen", "rules_count"}
	var list [][]any
	var states []absence
	var gone []tocsin.PersonID
	same := map[int64][]tocsin.PersonID{} // by when they were asked
	var differ []looked
	for _, p := range batch {
		if seen := had[p.person].rulesSeen; p.at < seen && seen <= now { // one that is ahead is of a clock that was
			continue
		}
		if p.body.State != "" {
			states = append(states, absence{p.person, p.body.State, p.body.Absent, p.at})
			if p.body.State == "none" && had[p.person].read() {
				gone = append(gone, p.person)
			}
			continue
		}
		b := had[p.person]
		states = append(states, absence{p.person, "read", "", 0})
		hash, err := fingerprint(p.body.Rules)
		if err != nil {
			return err
		}
		if b.rulesHash == hash && len(p.body.Folders) == 0 {
			same[p.at] = append(same[p.at], p.person)
			continue
		}
		folders, err := merged(b.folders, p.body.Folders)
		if err != nil {
			return err
		}
		list = append(list, []any{string(p.person), folders, hash, p.at, len(p.body.Rules)})
		if b.rulesSeen == 0 && len(p.body.Rules) == 0 {
			r.touched["mailbox.changed"]++
			continue
		}
		differ = append(differ, looked{pending: p, first: b.rulesSeen == 0})
	}
	if err := r.t.Insert(ctx, store.Into{Table: "mailbox", Columns: columns, Key: columns[:1]}, list); err != nil {
		return err
	}
	for at, people := range same {
		if _, err := r.t.Exec(ctx, `update mailbox set rules_seen = $2 where tenant = $1 and person in (`+store.In(len(people), 3)+`)`, append([]any{at}, anys(people)...)...); err != nil {
			return err
		}
	}
	if err := r.note(ctx, states); err != nil {
		return err
	}
	if err := r.diff(ctx, differ); err != nil {
		return err
	}
	people := make([]tocsin.PersonID, len(differ))
	for i := range differ {
		people[i] = differ[i].person
	}
	return r.noMore(ctx, gone, people, batch[0].at)
}

// read says whether the mailbox was read since it is there.
func (b box) read() bool { return b.rulesSeen > 0 || b.settingsHash != "" }

// noMore notes that mailboxes that were read are gone, though their people are not, and judges them with the others: what
// was found in them is so no more. One that held nothing to be judged by is left as it was.
func (r *run) noMore(ctx context.Context, gone, others []tocsin.PersonID, at int64) error {
	if len(gone) == 0 {
		return r.judge(ctx, others)
	}
	var emptied []tocsin.PersonID
	err := each(ctx, r.t, func(scan func(...any) error) error {
		var id tocsin.PersonID
		err := scan(&id)
		emptied = append(emptied, id)
		return err
	}, `select person from mailbox m where tenant = $1 and person in (`+store.In(len(gone), 2)+`)
		and (rules_count > 0 or auto_reply <> '' or purpose not in ('', 'user')
			or exists (select 1 from finding f where f.tenant = m.tenant and f.person = m.person and f.status in ('open', 'in_work')))
		order by person`, anys(gone)...)
	if err != nil {
		return err
	}
	for _, id := range emptied {
		if err := r.tellMoved(ctx, "person.changed", string(id), string(id), nil); err != nil {
			return err
		}
	}
	if err := r.boxesGone(ctx, emptied, at); err != nil {
		return err
	}
	return r.judge(ctx, append(others, emptied...))
}

// merged is the folders held, with what was newly resolved.
func merged(had string, more map[string]tocsin.Folder) (string, error) {
	if had == "" {
		had = "{}"
	}
	if len(more) == 0 {
		return had, nil
	}
	all := map[string]tocsin.Folder{}
	if err := json.Unmarshal([]byte(had), &all); err != nil {
		return "", err
	}
	for id, f := range more {
		all[id] = f
	}
	raw, err := encode(all)
	return string(raw), err
}

func (r *run) foldJudge(ctx context.Context, batch []pending[struct{}]) error {
	people := make([]tocsin.PersonID, len(batch))
	for i := range batch {
		people[i] = batch[i].person
	}
	return r.judge(ctx, people)
}
