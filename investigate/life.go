package investigate

import (
	"context"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// Start begins an investigation: a search of every mailbox in its scope, and for one that stands or has a schedule all that follows. One
// that has ended may be started again; it searches anew, and what it found before stays.
func Start(ctx context.Context, t *store.Tenant, who, id string) (*Investigation, error) {
	v, err := Get(ctx, t, id)
	if err != nil {
		return nil, err
	}
	now := t.Tx().Clock().Now()
	switch {
	case v.Status == Running:
		return nil, tocsin.Problemf(tocsin.Conflict, "Stop it first, or wait for its end.", "The investigation is running.")
	case !v.Ends.IsZero() && !v.Ends.After(now):
		return nil, tocsin.Problemf(tocsin.Conflict, "Give it a later expiry first.", "The investigation has expired.")
	}
	if err := v.Sound(now); err != nil { // what was saved may have been saved by a version that took more
		return nil, err
	}
	if _, err := start(ctx, t, v, who, time.Time{}); err != nil {
		return nil, err
	}
	v.Due = v.firstDue(now)
	return v, v.become(ctx, t, Running, "", "", who, "started")
}

// become writes another status.
func (v *Investigation) become(ctx context.Context, t *store.Tenant, status, because, mend, who, what string) error {
	v.Status, v.Because, v.Mend = status, because, mend
	if status != Running {
		v.Due = time.Time{}
	}
	_, err := t.Exec(ctx, `update investigation set status = $3, because = $4, mend = $5, due = $6 where tenant = $1 and id = $2`, v.ID, status, because, mend, v.Due)
	if err != nil {
		return err
	}
	return v.tell(ctx, t, who, what)
}

// Stop ends the work on an investigation for now, at once: what was found stays, and Resume goes on where it stood.
func Stop(ctx context.Context, t *store.Tenant, who, id, note string) (*Investigation, error) {
	v, err := Get(ctx, t, id)
	if err != nil {
		return nil, err
	}
	if v.Status != Running {
		return nil, tocsin.Problemf(tocsin.Conflict, "Look at how it stands.", "The investigation does not run: it is %s.", v.Status)
	}
	because := "It was stopped by " + who + "."
	if note != "" {
		because += " " + note
	}
	if v.Run != "" {
		r, err := GetRun(ctx, t, v.Run)
		if err != nil {
			return nil, err
		}
		if r.State == RunRunning {
			if err := halt(ctx, t, r, because, "Resume it, and it goes on where it stood."); err != nil {
				return nil, err
			}
		}
	}
	return v, v.become(ctx, t, Stopped, because, "Resume it, and it goes on where it stood.", who, "stopped")
}

// Resume goes on with an investigation that was stopped: with the mailboxes that were still waiting.
func Resume(ctx context.Context, t *store.Tenant, who, id string) (*Investigation, error) {
	v, err := Get(ctx, t, id)
	if err != nil {
		return nil, err
	}
	now := t.Tx().Clock().Now()
	if !v.Ends.IsZero() && !v.Ends.After(now) {
		return nil, tocsin.Problemf(tocsin.Conflict, "Give it a later expiry, and start it.", "The investigation has expired.")
	}
	var r *Run
	if v.Run != "" {
		if r, err = GetRun(ctx, t, v.Run); err != nil {
			return nil, err
		}
	}
	halted := r != nil && r.State == RunStopped
	if v.Status != Stopped && !(v.Status == Running && halted) {
		return nil, tocsin.Problemf(tocsin.Conflict, "Start it anew, if it is to search again.", "There is nothing to resume: the investigation is %s.", v.Status)
	}
	if halted {
		_, err := t.Exec(ctx, `update search_run set state = 'running', because = '', mend = '', resumed = $3, ended = 0 where tenant = $1 and id = $2`, r.ID, now)
		if err != nil {
			return nil, err
		}
		// What waited for a time waits no longer: a person wants it now.
		if _, err := t.Exec(ctx, `update search_mailbox set due = 0 where tenant = $1 and run = $2 and state = 'waiting' and due > 0`, r.ID); err != nil {
			return nil, err
		}
	}
	if v.Trigger == Once && !halted {
		return v, v.become(ctx, t, Finished, "", "", who, "finished")
	}
	v.Due = v.firstDue(now)
	return v, v.become(ctx, t, Running, "", "", who, "resumed")
}

// Delete forgets an investigation with all that it found. One with acts stays: they are restored by what it holds.
func Delete(ctx context.Context, t *store.Tenant, who, id string) error {
	v, err := Get(ctx, t, id)
	if err != nil {
		return err
	}
	if v.Status == Running {
		return tocsin.Problemf(tocsin.Conflict, "Stop it first.", "The investigation is running.")
	}
	var acted int64
	if err := t.QueryRow(ctx, `select count(*) from mail_match where tenant = $1 and investigation = $2 and state in ('dealt', 'acted', 'restored')`, id).Scan(&acted); err != nil {
		return err
	}
	if acted > 0 {
		return tocsin.Problemf(tocsin.Conflict, "Keep it: what was done is restored by what it holds.", "Something was done with %d of the messages that it found.", acted)
	}
	if _, err := t.Exec(ctx, `delete from search_mailbox where tenant = $1 and run in (select id from search_run where tenant = $1 and investigation = $2)`, id); err != nil {
		return err
	}
	for _, table := range []string{"search_run", "mail_match", "mail_cluster", "mail_trace", "standing_mail", "investigation_version"} {
		if _, err := t.Exec(ctx, `delete from `+table+` where tenant = $1 and investigation = $2`, id); err != nil {
			return err
		}
	}
	if _, err := t.Exec(ctx, `delete from investigation where tenant = $1 and id = $2`, id); err != nil {
		return err
	}
	return v.tell(ctx, t, who, "deleted")
}
