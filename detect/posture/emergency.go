package posture

// Emergency are the ids, in lower case, of the accounts that every enforced policy for all leaves out by name: those kept for
// the day on which conditional access locks everybody out. There are none where it is not known.
func (s *State) Emergency() []string { return s.emergency() }
