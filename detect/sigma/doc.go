// Package sigma reads the detections that customers write themselves: Sigma rules, the field's standard
// (https://sigmahq.io/sigma-specification, version 2), selections and correlations. A rule's text is compiled once ([Parse]);
// a [Set] of rules is matched against records of the audit logs ([Set.Match], which knows only the record) and judged in the
// order of time ([Set.Judge], which counts and raises findings). Nothing here is slow on purpose of a rule: regular expressions
// are RE2, and size and number of everything are bounded.
//
//	parse.go      the text: documents, log source, tags, level, correlations; what is wrong, with its line
//	condition.go  the condition: and, or, not, 1 of, all of
//	match.go      a field's modifiers and values
//	source.go     which logs a rule reads, and what its fields are called in them
//	event.go      a record as rules read it
//	set.go        many rules at once, by an index over what they cannot do without
//	correlate.go  counting over time
//	example.go    the examples that a rule carries: what must match, and what must not
package sigma
