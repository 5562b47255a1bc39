package collect

import (
	"fmt"
	"time"

	"tocsin.dev"
)

// windowLong is how much of a mailbox's time is looked through in one go for messages that are held and not there any more.
const windowLong = 30 * 24 * time.Hour

// window is a time in which messages were received, Unix milliseconds, to excluded. Past ones are looked through in turn.
type window struct {
	from, to int64
	turns    int           // there are so many
	round    time.Duration // after which the same one comes again
	begins   int64         // the newest of them ends here
}

// windows are those in which it is looked now whether what is held is still there: the last one, and of those before it
// the one whose turn it is, so that all of them are looked through in as many reconciliations.
func (g *mailGap) windows(now time.Time, every time.Duration) []window {
	if g.oldest == 0 {
		return nil
	}
	recent := tocsin.Millis(now.Add(-windowLong))
	out := []window{{from: max(g.oldest, recent), to: tocsin.Millis(now.Add(windowLong))}} // whatever clocks say
	if g.oldest >= recent {
		return out
	}
	long := windowLong.Milliseconds()
	turns := (recent - g.oldest + long - 1) / long
	turn := tocsin.Millis(now) / max(1, every.Milliseconds()) % turns
	to := recent - turn*long
	return append(out, window{from: max(g.oldest, to-long), to: to, turns: int(turns), round: time.Duration(turns) * every, begins: recent})
}

// span is the time in which what is gone of a past window may have ended: since it was last looked through.
func (w window) span(g mailGap, now time.Time) *mailSpan {
	return &mailSpan{Began: max(g.since, tocsin.Millis(now.Add(-w.round-w.round/2))), Ended: tocsin.Millis(now), Because: "A message from long before was gone, and Microsoft Graph had not said so."}
}

// says is what is not known of past windows.
func (w window) says() string {
	days := max(1, int((w.round+24*time.Hour-1)/(24*time.Hour)))
	return fmt.Sprintf("Which messages received before %s were deleted is found out by and by, within %d days.", tocsin.FromMillis(w.begins).UTC().Format("2 January 2006"), days)
}

// filter is the window as Graph is asked for it.
func (w window) filter() string {
	at := func(ms int64) string { return tocsin.FromMillis(ms).UTC().Format(time.RFC3339) }
	return "receivedDateTime ge " + at(w.from-1000) + " and receivedDateTime lt " + at(w.to+1000)
}
