// Package store holds the tables of record, in SQLite or PostgreSQL: it opens and migrates them, hands out transactions
// per tenant, numbers the facts, and leases work.
//
// Every table stands in schema.sql, on one page. A stage keeps its own SQL and runs it here:
//
//	st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
//		_, err := t.Exec(ctx, `update finding set status = $3 where tenant = $1 and id = $2`, id, tocsin.Fixed)
//		if err != nil {
//			return err
//		}
//		return t.Append(ctx, store.Fact{Kind: "finding.fixed", Subject: id})
//	})
//
// One SQL text serves both engines; what differs is in dialect.go. What to keep in mind when writing it:
//
//   - Placeholders are $1, $2 …; for a Tenant $1 is the tenant, put in by the Tenant itself.
//   - Strings are cleaned of what PostgreSQL cannot hold (NUL, bytes that are no UTF-8), a time.Time becomes Unix
//     milliseconds and a json.RawMessage text, on both engines alike.
//   - "like" tells upper from lower case on both; compare lower(x).
//   - The order of text is the engine's: bytes in SQLite, the database's collation in PostgreSQL.
//   - A statement that fails has failed the transaction, on both engines, even if the error is not passed on.
//   - An update on PostgreSQL may be run again after a conflict: effects outside the transaction do not belong in it.
package store
