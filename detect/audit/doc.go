// Package audit brings records of Microsoft 365's audit logs into the one form that the rules read ([detect.Record]),
// whatever wrote them: the unified audit log (Management Activity API, Purview, audit search of Graph, Log Analytics),
// Entra's sign-ins and directory audits, risk detections and alerts. Exported files and collected records go through it
// alike, so both are judged the same.
package audit
