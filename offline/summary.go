package offline

import (
	"slices"
	"time"

	"tocsin.dev"
)

// maxBroken is how many broken pieces the summary holds; all are counted.
const maxBroken = 1000

// Summary says what was read and what came of it.
type Summary struct {
	Files      int
	Bytes      int64    // read from the files, as they lie on the disk
	Records    int      // that were understood, with the repeated ones
	Judged     int      // that a rule looked at, once each
	Repeated   int      // that had been there before
	Shared     int      // judged though their id had been there before, of another record
	SharedIDs  []string // some of these ids
	Silent     int      // of operations that no rule looks at
	Strange    int      // JSON or rows that are no record we know
	Untimed    int      // judged without the time of the event
	Unjudged   []string // files in which no record was understood
	Broken     int      // pieces that could not be read
	First      []Broken
	Shapes     map[string]int // records by the form they came in
	Operations map[string]int // of the silent records; bounded
	From, To   time.Time      // of the judged records
	Domains    []string       // accepted domains by which was judged
	Inferred   bool           // the domains were found in the records; nobody told them
	Findings   map[tocsin.Severity]int
	Stories    []Told // what joins of each person's findings
	Runs       int    // sorted runs that were written to a temporary file; zero where memory was enough
}

// maxOperations bounds the names of silent operations that are counted apart.
const maxOperations = 5000

func (s *Summary) broke(b Broken) {
	s.Broken++
	if len(s.First) < maxBroken {
		s.First = append(s.First, b)
	}
}

// shared counts a record whose id another has as well.
func (s *Summary) shared(id string) {
	s.Shared++
	if len(s.SharedIDs) < 3 && !slices.Contains(s.SharedIDs, id) {
		s.SharedIDs = append(s.SharedIDs, id)
	}
}

func (s *Summary) silent(operation string) {
	s.Silent++
	if _, ok := s.Operations[operation]; ok || len(s.Operations) < maxOperations {
		s.Operations[operation]++
	}
}

func (s *Summary) span(t time.Time) {
	switch {
	case t.IsZero():
		s.Untimed++
	case s.From.IsZero():
		s.From, s.To = t, t
	case t.After(s.To):
		s.To = t
	}
}
