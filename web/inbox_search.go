package web

import (
	"context"
	"io"
	"net/http"
	"strings"
	"unicode"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/inbox/work"
)

// foundThread is a thread that was found by its words: its newest mail that has them, and how many more have.
type foundThread struct {
	api.ThreadHit
	More int
}

// inboxFind looks for the words, with the filter of the list. What cannot be looked for is said where the list stands.
func (w *web) inboxFind(r *http.Request, v *inboxView) error {
	hits, err := w.svc.SearchThreads(r.Context(), api.SearchThreadsIn{In: v.In.In, Paging: v.In.Paging, Q: v.Q, ThreadFilter: v.In.ThreadFilter})
	if err != nil {
		if problem := tocsin.AsProblem(err); problem.Code == tocsin.Invalid || problem.Code == tocsin.Unavailable {
			v.Refused = problem
			return nil
		}
		return err
	}
	v.List.Next = hits.Next
	v.Found = grouped(hits.Items)
	return nil
}

// grouped has each thread once, where its newest mail stands.
func grouped(hits []api.ThreadHit) (out []foundThread) {
	at := map[string]int{}
	for _, h := range hits {
		if i, ok := at[h.Thread]; ok {
			out[i].More++
			continue
		}
		at[h.Thread] = len(out)
		out = append(out, foundThread{ThreadHit: h})
	}
	return out
}

// soughtWord is a word that is looked for, or the beginning of one.
type soughtWord struct {
	Word   string
	Prefix bool
}

// soughtWords are those that must be there, of a field or of any.
func soughtWords(q, field string) (out []soughtWord) {
	ask, err := work.ParseSearch(q)
	if err != nil {
		return nil
	}
	for _, t := range ask.Terms {
		if t.Not || t.Field != "" && t.Field != field {
			continue
		}
		for i, word := range t.Words {
			out = append(out, soughtWord{word, t.Prefix && i == len(t.Words)-1})
		}
	}
	return out
}

// foundIn shows a text with the words in it that were looked for marked.
func foundIn(text string, words []soughtWord) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, out io.Writer) error {
		for len(text) > 0 {
			word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
			n := strings.IndexFunc(text, word)
			is := n == 0
			if is {
				n = strings.IndexFunc(text, func(r rune) bool { return !word(r) })
			}
			if n < 0 {
				n = len(text)
			}
			if err := foundPiece(text[:n], is && sought(text[:n], words)).Render(ctx, out); err != nil {
				return err
			}
			text = text[n:]
		}
		return nil
	})
}

func sought(s string, words []soughtWord) bool {
	s = work.Plain(s)
	for _, w := range words {
		if s == w.Word || w.Prefix && strings.HasPrefix(s, w.Word) {
			return true
		}
	}
	return false
}

// foundPiece is a part of a text, as it was said; the blanks about it are of the text and no marks.
func foundPiece(s string, marked bool) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, out io.Writer) error {
		middle := strings.Trim(s, " ")
		before := len(s) - len(strings.TrimLeft(s, " "))
		about := [2]string{s[:before], s[before+len(middle):]}
		if marked {
			about[0], about[1] = about[0]+"<mark>", "</mark>"+about[1]
		}
		if _, err := io.WriteString(out, about[0]); err != nil {
			return err
		}
		if middle != "" {
			if err := said(middle).Render(ctx, out); err != nil {
				return err
			}
		}
		_, err := io.WriteString(out, about[1])
		return err
	})
}
