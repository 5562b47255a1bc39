package collect

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"tocsin.dev"
	"tocsin.dev/graph"
)

// mailRule is Graph's rule in our words; folder resolves a folder's id.
func mailRule(r *graph.MessageRule, folder func(id string) *tocsin.Folder) tocsin.MailRule {
	a := &r.Actions
	return tocsin.MailRule{
		ID: r.ID, Name: r.DisplayName, Sequence: r.Sequence, Enabled: r.IsEnabled, ReadOnly: r.IsReadOnly, HasError: r.HasError,
		Conditions: terms(r.Conditions), Exceptions: terms(r.Exceptions),
		Forward: addresses(a.ForwardTo), Redirect: addresses(a.RedirectTo), Attach: addresses(a.ForwardAsAttachmentTo),
		MoveTo: folder(a.MoveToFolder), CopyTo: folder(a.CopyToFolder),
		Delete: a.Delete, Purge: a.PermanentDelete, MarkRead: a.MarkAsRead, Stop: a.StopProcessingRules,
		Importance: a.MarkImportance, Categories: a.AssignCategories, Unknown: r.Unknown,
	}
}

func terms(list []graph.Predicate) []tocsin.Term {
	var out []tocsin.Term
	for _, p := range list {
		out = append(out, tocsin.Term{Name: snake(p.Name), Values: p.Values})
	}
	return out
}

// snake is Microsoft's name of a predicate in our form: subjectContains, subject_contains.
func snake(s string) string {
	var b strings.Builder
	for i, r := range s {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func addresses(list []graph.Recipient) []tocsin.Address {
	var out []tocsin.Address
	for _, r := range list {
		out = append(out, tocsin.Address{Name: r.EmailAddress.Name, Address: r.EmailAddress.Address})
	}
	return out
}

// settings is Graph's mailbox settings in our words. Of an automatic reply only the links and addresses are kept.
func settings(s *graph.MailboxSettings) settingsSeen {
	out := settingsSeen{Purpose: s.UserPurpose, TimeZone: s.TimeZone, Language: s.Language.Locale}
	if out.Purpose == "" {
		out.Purpose = "user"
	}
	if r := s.AutomaticReplies; r != nil && r.Status != "" {
		reply := &tocsin.AutoReply{Status: snake(r.Status), Audience: snake(r.ExternalAudience)}
		if r.Status != "disabled" {
			reply.Links = links(r.InternalReplyMessage + "\n" + r.ExternalReplyMessage)
			reply.Start, _ = r.ScheduledStartDateTime.At()
			reply.End, _ = r.ScheduledEndDateTime.At()
		}
		out.AutoReply = reply
	}
	return out
}

var (
	addressForm = regexp.MustCompile(`[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+`)
	linkForm    = regexp.MustCompile(`(?i)\b(?:https?://|www\.)[^\s"'<>()\[\]]+`)
	tagForm     = regexp.MustCompile(`<[^>]*>`)
	hrefForm    = regexp.MustCompile(`(?i)href\s*=\s*["']?(?:mailto:)?([^"'\s>]+)`)
)

// links are the addresses and URLs in a reply's HTML, each once, sorted; at most 50.
func links(text string) []string {
	const most = 64 << 10
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	var found []string
	for _, m := range hrefForm.FindAllStringSubmatch(text, -1) {
		found = append(found, html.UnescapeString(m[1]))
	}
	plain := html.UnescapeString(tagForm.ReplaceAllString(text, " "))
	found = append(found, addressForm.FindAllString(plain, -1)...)
	found = append(found, linkForm.FindAllString(plain, -1)...)
	for i := range found {
		found[i] = strings.TrimRight(found[i], ".,;:!?")
	}
	slices.Sort(found)
	found = slices.Compact(found)
	return found[:min(len(found), 50)]
}
