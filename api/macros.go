package api

import (
	"context"
	"encoding/json"
	"strings"

	"tocsin.dev/inbox/work"
	"tocsin.dev/store"
)

// Macro is a canned reply, with what is done to the thread besides.
type Macro struct {
	ID       string       `json:"id"`
	Inbox    string       `json:"inbox,omitempty"` // of all inboxes where it is absent
	Name     string       `json:"name"`
	Shortcut string       `json:"shortcut,omitempty"` // typed behind a slash
	Text     string       `json:"text"`               // safe HTML, with {{names}} to fill in
	Change   ThreadChange `json:"change"`
	Used     int64        `json:"used"`
	Version  int64        `json:"version"`
}

// MacroNew is a macro to be made, or changed.
type MacroNew struct {
	Inbox    string       `json:"inbox,omitempty" maxLength:"100" doc:"Only for this inbox"`
	Name     string       `json:"name" minLength:"1" maxLength:"100" doc:"What it is called"`
	Shortcut string       `json:"shortcut,omitempty" maxLength:"40" doc:"Typed behind a slash"`
	Text     string       `json:"text,omitempty" trail:"-" maxLength:"50000" doc:"HTML; {{name}}, {{first_name}}, {{address}}, {{subject}}, {{number}}, {{agent}} and {{inbox}} are filled in"`
	Change   ThreadChange `json:"change,omitzero" doc:"What is done to the thread"`
	Version  int64        `json:"version,omitempty" doc:"The version that is changed"`
}

// MacrosIn asks for macros.
type MacrosIn struct {
	In
	Paging
	Inbox string `query:"inbox" maxLength:"100" doc:"Only those that can be used in this inbox"`
}

// CreateMacroIn makes a macro.
type CreateMacroIn struct {
	In
	Key
	Body MacroNew
}

// EditMacroIn changes a macro.
type EditMacroIn struct {
	ByIDAct
	Body MacroNew
}

// RunMacroIn uses a macro on a thread.
type RunMacroIn struct {
	ByIDAct
	Body MacroRun
}

// MacroRun says which.
type MacroRun struct {
	Macro string `json:"macro" minLength:"1" maxLength:"100" doc:"The macro's id"`
}

// MacroRan is a macro that was used: its text is to be sent or edited, what it does to the thread is done.
type MacroRan struct {
	Text   string       `json:"text"` // safe HTML, filled in
	Thread ThreadDetail `json:"thread"`
}

func macroView(m work.Macro) (Macro, error) {
	out := Macro{ID: m.ID, Inbox: m.Inbox, Name: m.Name, Shortcut: m.Shortcut, Text: m.Text, Used: m.Used, Version: m.Version}
	return out, json.Unmarshal(m.Change, &out.Change)
}

// ListMacros are the macros of the inboxes that one works in.
func (s *Service) ListMacros(ctx context.Context, in MacrosIn) (Page[Macro], error) {
	return inboxView(ctx, s, "macros list", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (Page[Macro], error) {
		list, err := work.Macros(ctx, t, in.Inbox, "")
		out := []Macro{}
		for _, m := range list {
			if m.Inbox != "" && !r.In(m.Inbox) && !r.Role(r.tenant).Includes(Admin) {
				continue
			}
			o, err := macroView(m)
			if err != nil {
				return Page[Macro]{}, err
			}
			out = append(out, o)
		}
		if err != nil {
			return Page[Macro]{}, err
		}
		return piece(in.Paging, "macros", out, func(m Macro) string { return m.ID })
	})
}

// saveMacro keeps one: of an inbox by its team, of all by an administrator or who works in one.
func saveMacro(ctx context.Context, t *store.Tenant, r *inboxReader, id string, n MacroNew) (Macro, error) {
	if err := valid(n.Change); err != nil {
		return Macro{}, err
	}
	if n.Inbox != "" && !r.In(n.Inbox) && !r.Role(r.tenant).Includes(Admin) {
		return Macro{}, notFound("inbox")
	}
	if id != "" {
		had, err := work.MacroOf(ctx, t, id)
		if err != nil {
			return Macro{}, err
		}
		if had.Inbox != "" && !r.In(had.Inbox) && !r.Role(r.tenant).Includes(Admin) {
			return Macro{}, notFound("macro")
		}
	}
	n.Change.Version = 0
	change, err := json.Marshal(n.Change)
	if err != nil {
		return Macro{}, err
	}
	m, err := work.SaveMacro(ctx, t, work.Macro{ID: id, Inbox: n.Inbox, Name: strings.TrimSpace(n.Name), Shortcut: strings.TrimPrefix(strings.TrimSpace(n.Shortcut), "/"), Text: n.Text, Change: change, Version: n.Version})
	if err != nil {
		return Macro{}, err
	}
	return macroView(m)
}

// CreateMacro makes a macro.
func (s *Service) CreateMacro(ctx context.Context, in CreateMacroIn) (Macro, error) {
	return inboxAct(ctx, s, "macros create", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (Macro, error) {
		return saveMacro(ctx, t, r, "", in.Body)
	})
}

// EditMacro changes a macro.
func (s *Service) EditMacro(ctx context.Context, in EditMacroIn) (Macro, error) {
	return inboxAct(ctx, s, "macros edit", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (Macro, error) {
		return saveMacro(ctx, t, r, in.ID, in.Body)
	})
}

// DeleteMacro forgets a macro.
func (s *Service) DeleteMacro(ctx context.Context, in ByIDAct) (None, error) {
	return inboxAct(ctx, s, "macros delete", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (None, error) {
		m, err := work.MacroOf(ctx, t, in.ID)
		if err != nil {
			return None{}, err
		}
		if m.Inbox != "" && !r.In(m.Inbox) && !r.Role(r.tenant).Includes(Admin) {
			return None{}, notFound("macro")
		}
		return None{}, work.DeleteMacro(ctx, t, in.ID)
	})
}

// RunMacro does to a thread what a macro does, and gives its text, filled in.
func (s *Service) RunMacro(ctx context.Context, in RunMacroIn) (MacroRan, error) {
	return inboxAct(ctx, s, "threads macro", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (out MacroRan, err error) {
		v, err := r.works(ctx, t, in.ID)
		if err != nil {
			return out, err
		}
		m, err := work.MacroOf(ctx, t, in.Body.Macro)
		if err != nil {
			return out, err
		}
		if m.Inbox != "" && m.Inbox != v.Inbox {
			return out, notFound("macro")
		}
		o, err := macroView(m)
		if err != nil {
			return out, err
		}
		box, err := oneInbox(ctx, t, r, v.Inbox)
		if err != nil {
			return out, err
		}
		c := o.Change.change(r.Caller.Account)
		c.Because = "macro “" + m.Name + "”"
		if v, err = work.Apply(ctx, t, r.Reach, r.Caller.Account, in.ID, c); err != nil {
			return out, err
		}
		if err := work.UsedMacro(ctx, t, m.ID); err != nil {
			return out, err
		}
		out.Text = m.Fill(v, firstOf(r.Name, r.Email), box.Name)
		out.Thread, err = threadDetail(ctx, t, r, v)
		return out, err
	})
}
