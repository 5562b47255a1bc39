package api

import (
	"context"
	"errors"
	"time"

	"tocsin.dev"
	"tocsin.dev/remediate"
	"tocsin.dev/store"
)

// OwnPlaybook is a playbook that the customer wrote.
type OwnPlaybook struct {
	remediate.Playbook
	Deleted  bool                 `json:"deleted"` // no longer offered; its versions stay, since runs name them
	Lacks    []StepLack           `json:"lacks"`   // steps that cannot be done now
	Versions []OwnPlaybookVersion `json:"versions"`
}

// StepLack is a step that cannot be done now.
type StepLack struct {
	Step    remediate.Kind `json:"step"`
	Because string         `json:"because"`
	Mend    string         `json:"mend"`
}

// OwnPlaybookVersion is a version of a playbook.
type OwnPlaybookVersion struct {
	remediate.PlaybookVersion
	At time.Time `json:"at"`
}

// OwnPlaybookNew is a playbook that somebody writes.
type OwnPlaybookNew struct {
	Name string                 `json:"name" minLength:"2" maxLength:"40" doc:"Small letters, digits and dashes; it stays"`
	Text remediate.PlaybookText `json:"text"`
	Note string                 `json:"note,omitempty" maxLength:"400" doc:"Why; kept with the version"`
}

// OwnPlaybookEdit is another text of a playbook.
type OwnPlaybookEdit struct {
	Text    remediate.PlaybookText `json:"text"`
	Note    string                 `json:"note,omitempty" maxLength:"400" doc:"Why; kept with the version"`
	Version int64                  `json:"version" minimum:"1" doc:"The version you looked at"`
}

// CreateOwnPlaybookIn writes a playbook.
type CreateOwnPlaybookIn struct {
	In
	Key
	Body OwnPlaybookNew
}

// UpdateOwnPlaybookIn gives a playbook another text.
type UpdateOwnPlaybookIn struct {
	ByIDAct
	Body OwnPlaybookEdit
}

// ownPlaybook is a playbook with its versions, and what of it cannot be done now.
func ownPlaybook(ctx context.Context, t *store.Tenant, name string) (OwnPlaybook, error) {
	out := OwnPlaybook{Lacks: []StepLack{}, Versions: []OwnPlaybookVersion{}}
	o, err := remediate.OwnPlaybookNamed(ctx, t, name)
	if err != nil {
		return out, err
	}
	out.Playbook = remediate.Playbook{Name: o.Name, Title: o.Text.Title, Says: o.Text.Says, Steps: o.Text.Steps, Own: true, Version: o.Version, Fits: o.Text.Fits}
	out.Deleted = o.Deleted
	for _, k := range o.Text.Steps {
		because, mend, err := able(ctx, t, k.Needs())
		if err != nil {
			return out, err
		}
		if because != "" {
			out.Lacks = append(out.Lacks, StepLack{k, because, mend})
		}
	}
	versions, err := remediate.PlaybookVersions(ctx, t, name)
	for _, v := range versions {
		out.Versions = append(out.Versions, OwnPlaybookVersion{v, tocsin.FromMillis(v.At)})
	}
	return out, err
}

// GetOwnPlaybook is a playbook of one's own with its versions.
func (s *Service) GetOwnPlaybook(ctx context.Context, in ByID) (OwnPlaybook, error) {
	return view(ctx, s, "own-playbooks get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (OwnPlaybook, error) {
		return ownPlaybook(ctx, t, in.ID)
	})
}

// soundPlaybook checks a playbook that somebody wrote.
func soundPlaybook(ctx context.Context, t *store.Tenant, name string, text *remediate.PlaybookText) error {
	var failed error
	err := text.Sound(name, func(rule string) bool {
		if detector(rule) != nil {
			return true
		}
		own, err := ownMeta(ctx, t, rule)
		failed = errors.Join(failed, err)
		return own != nil
	})
	return errors.Join(failed, err)
}

// CreateOwnPlaybook writes a playbook; it is offered at once on the stories that it fits.
func (s *Service) CreateOwnPlaybook(ctx context.Context, in CreateOwnPlaybookIn) (OwnPlaybook, error) {
	return act(ctx, s, "own-playbooks create", in, func(ctx context.Context, t *store.Tenant, c Caller) (OwnPlaybook, error) {
		return keepPlaybook(ctx, t, c, in.Body.Name, 0, in.Body.Text, in.Body.Note, "created")
	})
}

// UpdateOwnPlaybook gives a playbook another text. What runs already goes on as it was asked for.
func (s *Service) UpdateOwnPlaybook(ctx context.Context, in UpdateOwnPlaybookIn) (OwnPlaybook, error) {
	return act(ctx, s, "own-playbooks update", in, func(ctx context.Context, t *store.Tenant, c Caller) (OwnPlaybook, error) {
		if _, err := remediate.OwnPlaybookNamed(ctx, t, in.ID); err != nil {
			return OwnPlaybook{}, err
		}
		return keepPlaybook(ctx, t, c, in.ID, in.Body.Version, in.Body.Text, in.Body.Note, "updated")
	})
}

func keepPlaybook(ctx context.Context, t *store.Tenant, c Caller, name string, version int64, text remediate.PlaybookText, note, what string) (OwnPlaybook, error) {
	if err := soundPlaybook(ctx, t, name, &text); err != nil {
		return OwnPlaybook{}, err
	}
	err := remediate.KeepPlaybook(ctx, t, asWho(c, t.ID()), name, version, text, note)
	if errors.Is(err, remediate.ErrPlaybookStale) {
		return OwnPlaybook{}, errStale
	}
	if err != nil {
		return OwnPlaybook{}, err
	}
	if err := settingsFact(ctx, t, "playbook.changed", name, c.Email, what); err != nil {
		return OwnPlaybook{}, err
	}
	return ownPlaybook(ctx, t, name)
}

// DeleteOwnPlaybook has a playbook no longer offered. What runs goes on, and its versions stay.
func (s *Service) DeleteOwnPlaybook(ctx context.Context, in ByIDAct) (None, error) {
	return act(ctx, s, "own-playbooks delete", in, func(ctx context.Context, t *store.Tenant, c Caller) (None, error) {
		if err := remediate.DropPlaybook(ctx, t, asWho(c, t.ID()), in.ID); err != nil {
			return None{}, err
		}
		return None{}, settingsFact(ctx, t, "playbook.changed", in.ID, c.Email, "deleted")
	})
}
