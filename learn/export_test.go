package learn

// Restless is the model without what takes out the things that a tenant has in common on a day.
func Restless(o Options) *Model {
	m := New(o)
	m.restless = true
	return m
}
