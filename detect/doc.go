// Package detect is the forms of judgement: what a rule is given (an organisation, a mailbox, an audit record), what it
// gives back (findings whose risk is a sum of terms), and what rules share (where an address leads, which words are
// money, which names hide). It is pure: no clock, no store, no network. The rules themselves are in detect/rule.
package detect
