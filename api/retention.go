package api

import (
	"context"
	"time"

	"tocsin.dev/store"
)

// Kept is a kind of data, how long it is kept, and how much of it there is.
type Kept struct {
	Class      string    `json:"class"`
	What       string    `json:"what"` // a phrase
	Days       int       `json:"days"`
	Default    int       `json:"default"`
	Least      int       `json:"least"` // the bounds of days
	Most       int       `json:"most"`
	Held       int       `json:"held"`         // rows
	HeldIsMore bool      `json:"held_is_more"` // counted no further than 10,000
	Oldest     time.Time `json:"oldest,omitzero"`
}

// keptWords say what the classes are.
var keptWords = map[string]string{
	"mail_events":     "Events of mail, each with what is kept of the notification that told of it",
	"other_events":    "Events of rules, folders and rights, and the history of rules",
	"message_states":  "The last state of each message, since it changed last; one that changes later is seen as if for the first time",
	"mail_counts":     "Counts of mail by the hour",
	"gaps":            "Gaps that were closed",
	"given_up":        "Items that were given up",
	"finding_history": "What became of findings, by whom; the findings themselves stay",
	"audit_records":   "Records of Microsoft's audit log, and sign-ins",
	"alerts":          "Alerts that ended, and every try to deliver one",
	"facts":           "What changed, for those who follow it; what somebody has not read yet stays",
	"reported_mails":  "Mails that people reported, with their verdicts and answers",
	"evidence":        "Mails that are kept as evidence, and who looked at them",
	"trail":           "What people did here",
}

// RetentionIn asks for how long everything is kept.
type RetentionIn struct{}

// SetRetentionIn sets how long a kind of data is kept.
type SetRetentionIn struct {
	Class string `path:"class" minLength:"1" maxLength:"50" doc:"The kind of data: mail_events, message_states …"`
	Body  RetentionNew
}

// RetentionNew is how long.
type RetentionNew struct {
	Days int `json:"days" minimum:"1" maximum:"3650" required:"true" doc:"Days, within the class's bounds"`
}

// ListRetention lists every kind of data that is kept for a time, with how much is held.
func (s *Service) ListRetention(ctx context.Context, in RetentionIn) (Page[Kept], error) {
	return install(ctx, s, "retention list", in, s.st.View, func(ctx context.Context, tx *store.Tx, _ Caller) (Page[Kept], error) {
		var p Page[Kept]
		days, err := tx.Retention(ctx)
		if err != nil {
			return p, err
		}
		for _, c := range store.Classes {
			k, err := keptOf(ctx, tx, c, days[c.Name])
			if err != nil {
				return p, err
			}
			p.Items = append(p.Items, k)
		}
		return p, nil
	})
}

func keptOf(ctx context.Context, tx *store.Tx, c store.Class, days int) (Kept, error) {
	k := Kept{Class: c.Name, What: keptWords[c.Name], Days: days, Default: c.Default, Least: c.Least, Most: c.Most}
	var err error
	k.Held, k.Oldest, err = tx.Held(ctx, c, countTo+1)
	k.Held, k.HeldIsMore = min(k.Held, countTo), k.Held > countTo
	return k, err
}

// SetRetention sets how long a kind of data is kept. What is older goes within an hour.
func (s *Service) SetRetention(ctx context.Context, in SetRetentionIn) (Kept, error) {
	var c store.Class
	k, err := install(ctx, s, "retention set", in, s.st.Update, func(ctx context.Context, tx *store.Tx, _ Caller) (Kept, error) {
		var ok bool
		c, ok = store.ClassNamed(in.Class)
		if !ok {
			return Kept{}, notFound("kind of data")
		}
		if in.Body.Days < c.Least || in.Body.Days > c.Most {
			return Kept{}, invalid("Give a number of days within that.", "%s are kept for %d to %d days.", in.Class, c.Least, c.Most)
		}
		return Kept{}, tx.SetRetention(ctx, c.Name, in.Body.Days)
	})
	if err != nil {
		return k, err
	}
	err = s.st.View(ctx, func(tx *store.Tx) (err error) { // counted while others may write
		k, err = keptOf(ctx, tx, c, in.Body.Days)
		return err
	})
	return k, err
}
