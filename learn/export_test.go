package learn

// Restless is the model without what takes out the things that a tenant has in common on a day.
func Restless(o Options) *Model {
	m := New(o)
	m.restless = true
	return m
}

// Forget makes the model remember no more recipients than most, and gives how many it does, and whether a is among them.
func (m *Model) Forget(most int, a *Address) (int, bool) {
	m.least(m.sent, most, m.at)
	_, ok := m.sent[a.ID]
	return len(m.sent), ok
}
