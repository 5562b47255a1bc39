package store

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"
)

// few are the columns that have few values, so that one of them is in a good part of a tenant's rows.
var few = []string{
	"tenant", "inbox", "type", "kind", "what", "state", "status", "path", "connection", "action", "source", "class", "area", "at", "day", "hour", "grain", "lane",
	"severity_rank", "mailbox_because", "operation", "judged", "open", "risk", "rule", "country", "verb", "role", "permission",
	"began", "ended", "due", "retry", "closed", "last_seen", "first_seen", "since", "created", "sent", "score", "rules_seen", "step", "change", "run", "n",
}

// same are the columns that are the same in nearly all rows.
var same = []string{"mailbox", "deleted", "removed", "judge"}

// Coarse says whether a column, or a time, does not tell a tenant's rows apart: whoever looks for another column should not
// find rows by an index of this one.
func Coarse(column string) bool { return slices.Contains(few, column) || slices.Contains(same, column) }

// SQLite takes a row's way by what it believes of each index: how many rows have the same first column, the same first two and
// so on (https://www.sqlite.org/fileformat2.html#the_sqlite_stat1_table). Told nothing, it believes that ten rows are of one tenant,
// and reads all of a tenant's, in order, for those of one person. Measured, it would take other ways on each machine, after each
// start. So it is told what is true of every large tenant: all rows are one tenant's, a few values divide them by fewValues,
// and everything else leaves some.
const (
	believed  = "sqlite_stat1"
	manyRows  = 4_000_000
	rareRows  = 10_000 // of an index of some rows only
	fewValues = 8
	someRows  = 40
)

// tellStatistics tells SQLite what to believe of the indexes, where that is not what it believes.
func (s *Store) tellStatistics(ctx context.Context) error {
	if s.kind != sqlite {
		return nil
	}
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	want, err := indexStatistics(ctx, tx)
	if err != nil {
		return err
	}
	var made int
	if err := tx.QueryRowContext(ctx, `select count(*) from sqlite_master where name = '`+believed+`'`).Scan(&made); err != nil {
		return err
	}
	var has [][3]string
	if made > 0 {
		if has, err = three(tx.QueryContext(ctx, `select tbl, coalesce(idx, ''), stat from `+believed+` order by tbl, idx`)); err != nil {
			return err
		}
	}
	if slices.Equal(has, want) {
		return nil
	}
	if made == 0 { // the table cannot be created by its name
		if _, err := tx.ExecContext(ctx, `analyze goose_db_version`); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `delete from `+believed); err != nil {
		return err
	}
	for _, w := range want {
		if _, err := tx.ExecContext(ctx, `insert into `+believed+` (tbl, idx, stat) values ($1, $2, $3)`, w[0], w[1], w[2]); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	_, err = s.write.ExecContext(ctx, `analyze sqlite_schema`) // reads them anew
	return err
}

// indexStatistics are table, index and statistics of the indexes that begin with the tenant.
func indexStatistics(ctx context.Context, tx *sql.Tx) ([][3]string, error) {
	rows, err := tx.QueryContext(ctx, `select m.name, i.name, i."unique", i.partial, coalesce(c.name, '') from sqlite_master m, pragma_index_list(m.name) i, pragma_index_info(i.name) c
		where m.type = 'table' and (select f.name from pragma_index_info(i.name) f where f.seqno = 0) = 'tenant' order by m.name, i.name, c.seqno`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out [][3]string
	var left int
	var unique bool
	finish := func() {
		if n := len(out); n > 0 {
			if unique {
				out[n-1][2] = out[n-1][2][:strings.LastIndexByte(out[n-1][2], ' ')] + " 1"
			}
			out[n-1][2] += " noskipscan" // an index is not read value for value of its first column
		}
	}
	for rows.Next() {
		var table, index, column string
		var only, partial bool
		if err := rows.Scan(&table, &index, &only, &partial, &column); err != nil {
			return nil, err
		}
		if n := len(out); n == 0 || out[n-1][1] != index {
			finish()
			unique, left = only, manyRows
			if partial {
				left = rareRows
			}
			out = append(out, [3]string{table, index, strconv.Itoa(left)})
		}
		switch {
		case column == "tenant":
		case slices.Contains(same, column):
			left /= 2 // enough to be taken where no other index gives the order
		case Coarse(column):
			left = max(left/fewValues, 1)
		case left > someRows:
			left = someRows
		default:
			left = max(left/fewValues, 1)
		}
		last := &out[len(out)-1]
		last[2] += " " + strconv.Itoa(left)
	}
	finish()
	return out, rows.Err()
}

func three(rows *sql.Rows, err error) (out [][3]string, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r [3]string
		if err := rows.Scan(&r[0], &r[1], &r[2]); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}
