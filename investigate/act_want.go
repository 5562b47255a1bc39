package investigate

import (
	"context"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// target is the id of the folder to which the act moves messages; empty where it moves none.
func (s *actStep) target(ctx context.Context) (string, error) {
	if s.Kind == Restore {
		o, err := s.brings(ctx)
		if err != nil || o.Before == nil {
			return "", err
		}
		return o.Before.Folder, nil
	}
	name := s.Kind.folder(s.Options)
	if name == "" {
		return "", nil
	}
	return s.box.folder(ctx, s.gc, name)
}

// folder is where a kind moves messages, by its name.
func (k ActKind) folder(o ActOptions) string {
	switch k {
	case Quarantine:
		return QuarantineFolder
	case Junk:
		return folderJunk
	case SoftDelete:
		if o.DeletedItems {
			return folderDeleted
		}
		return folderRecoverable
	}
	return ""
}

func (s *actStep) toFolder(name, id string) *deed {
	return &deed{what: "move", call: "messages.move", p: s.params(), body: map[string]string{"destinationId": id}, folder: name}
}

func (s *actStep) mark(body map[string]any) *deed {
	return &deed{what: "mark", call: "messages.mark", p: s.params(), body: body}
}

func (s *actStep) params() graph.P {
	id := s.it.Message
	if s.it.MovedTo != "" {
		id = s.it.MovedTo
	}
	return graph.P{"user": s.box.user, "message": id}
}

// lacking is what the message, as it is now, lacks of what is wanted: nil where nothing does. A problem is why it is left alone.
func (s *actStep) lacking(ctx context.Context, is *MailState) (*deed, *tocsin.Problem, error) {
	switch s.Kind {
	case Warn:
		if slices.Contains(is.Categories, WarnCategory) {
			return nil, nil, nil
		}
		if err := s.box.colour(ctx, s.gc); err != nil {
			return nil, nil, err
		}
		return s.mark(map[string]any{"categories": append(slices.Clone(is.Categories), WarnCategory)}), nil, nil
	case Purge:
		if s.it.State == ItemSent && s.it.Before != nil && is.Folder != s.it.Before.Folder { // it lies in Purges, where people cannot reach it
			return nil, nil, nil
		}
		return &deed{what: "purge", call: "messages.purge", p: s.params()}, nil, nil
	case Restore:
		return s.lackingBefore(ctx, is)
	}
	to, err := s.target(ctx)
	if err != nil || is.Folder == to {
		return nil, nil, err
	}
	return s.toFolder(s.Kind.folder(s.Options), to), nil, nil
}

// brings is the item that a restore brings back.
func (s *actStep) brings(ctx context.Context) (*ActItem, error) {
	if s.original != nil {
		return s.original, nil
	}
	err := s.Store.ViewTenant(ctx, s.tenant, func(t *store.Tenant) (err error) {
		s.original, err = GetItem(ctx, t, s.Restores, s.it.Original)
		return err
	})
	return s.original, err
}

// lackingBefore is what a message lacks of how it was before the act. What somebody else changed since stays.
func (s *actStep) lackingBefore(ctx context.Context, is *MailState) (*deed, *tocsin.Problem, error) {
	o, err := s.brings(ctx)
	if err != nil {
		return nil, nil, err
	}
	if o.Before == nil {
		return nil, tocsin.Problemf(tocsin.Conflict, "Look at the message in its mailbox.", "How the message was before is not known."), nil
	}
	want, err := s.wanted(ctx, o, is)
	if err != nil {
		return nil, nil, err
	}
	if is.Folder != want.Folder {
		if o.After != nil && is.Folder != o.After.Folder || o.After == nil && s.it.Before != nil && is.Folder != s.it.Before.Folder {
			return nil, tocsin.Problemf(tocsin.Conflict, "Move it by hand, if it is still meant; or restore the later act first.", "It is left where it is: somebody, or a later act, has moved it since."), nil
		}
		return s.toFolder("", want.Folder), nil, nil
	}
	body := map[string]any{}
	if is.Read != want.Read {
		body["isRead"] = want.Read
	}
	if !same(is.Flag, want.Flag) {
		body["flag"] = want.Flag
	}
	if !slices.Equal(is.Categories, want.Categories) {
		body["categories"] = want.Categories
	}
	if len(body) == 0 {
		return nil, nil, nil
	}
	return s.mark(body), nil, nil
}

// wanted is how a message shall be after a restore: as before the act, but for what others changed between the act and the restore.
func (s *actStep) wanted(ctx context.Context, o *ActItem, is *MailState) (MailState, error) {
	base, left := s.it.Before, o.After // as the restore found it, and as the act left it
	if base == nil {
		base = is
	}
	if left == nil {
		left = o.Before
	}
	want := MailState{Folder: o.Before.Folder, Read: base.Read, Flag: base.Flag, Categories: base.Categories}
	if base.Read == left.Read {
		want.Read = o.Before.Read
	}
	if same(base.Flag, left.Flag) {
		want.Flag = o.Before.Flag
	}
	if slices.Equal(base.Categories, left.Categories) {
		want.Categories = o.Before.Categories
	} else { // ours goes, and what people gave stays
		want.Categories = slices.DeleteFunc(slices.Clone(base.Categories), func(c string) bool { return c == WarnCategory && !slices.Contains(o.Before.Categories, c) })
	}
	if len(want.Flag) == 0 {
		want.Flag = []byte(`{"flagStatus":"notFlagged"}`)
	}
	if is.Folder == want.Folder {
		return want, nil
	}
	_, err := s.box.folder(ctx, s.gc, want.Folder) // by its id
	if noSuchItem(err) {
		want.Folder, err = s.box.folder(ctx, s.gc, folderInbox)
	}
	return want, err
}

// broughtBack says how the message is after a restore, against how it was before the act.
func (s *actStep) broughtBack(is *MailState) string {
	o := s.original
	if is.equal(o.Before) {
		return "It is as it was before: folder, read state, flag and categories read back equal."
	}
	var not []string
	if is.Read != o.Before.Read {
		not = append(not, "its read state")
	}
	if !same(is.Flag, o.Before.Flag) {
		not = append(not, "its flag")
	}
	if !slices.Equal(is.Categories, o.Before.Categories) {
		not = append(not, "its categories")
	}
	said := "It is back in its folder."
	if is.Folder != o.Before.Folder {
		said = "It is in the Inbox: the folder it came from is no longer there."
	}
	if len(not) > 0 {
		said += " Somebody has changed " + strings.Join(not, ", ") + " since, and that stays."
	}
	return said
}

func quoted(s string) string { return strings.ReplaceAll(s, "'", "''") }
