package sim

import "strings"

// selectMembers turns members in a $select into members@delta, as which they are told.
func selectMembers(v string) string {
	names := strings.Split(v, ",")
	for i, n := range names {
		if strings.TrimSpace(n) == "members" {
			names[i] = "members@delta"
		}
	}
	return strings.Join(names, ",")
}

// wrongDelta refuses what message delta does not support: any filter but receivedDateTime ge or gt, any order but
// receivedDateTime desc.
func wrongDelta(r *request) string {
	if f := strings.Fields(r.query.get("$filter")); len(f) > 0 {
		if len(f) != 3 || f[0] != "receivedDateTime" || f[1] != "ge" && f[1] != "gt" {
			return "The only filter supported here is receivedDateTime ge or gt."
		}
	}
	if o := strings.Fields(r.query.get("$orderby")); len(o) > 0 {
		if len(o) != 2 || o[0] != "receivedDateTime" || o[1] != "desc" {
			return "The only order supported here is receivedDateTime desc."
		}
	}
	return ""
}
