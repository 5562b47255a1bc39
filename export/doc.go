// Package export sends every event on: to webhooks, syslog, files, NATS and Kafka, natively or as OCSF.
//
// What a transaction brings of events, findings and actions gets places in a row of its tenant (store.Run), given out at its
// end, so that no reader passes a late commit. An export is a cursor over the places. [Exports.Serve] reads behind the cursor,
// sends, and moves the cursor when the receiver has taken what was sent: at least once, in the order of the places, so that a
// person's events come in order. event_id is the same at every try, for the receiver to tell repeats by. Each export is served
// by itself: a slow or dead receiver holds up no other. Nothing is passed over until the retention of events deletes it, and
// then the export says how many, and from when to when.
//
//	export       settings, cursor, what was sent, refused, lost
//	sender       one of five: webhook, syslog, file, nats, kafka
//	parcel       an event in the form it goes out in
package export
