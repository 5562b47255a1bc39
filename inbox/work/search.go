package work

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"slices"

	"tocsin.dev"
	"tocsin.dev/inbox"
	"tocsin.dev/store"
)

// mostFresh is how many mails that are in no segment are looked through; Index keeps them fewer.
const mostFresh = 1_000

// mostRead is how many mails a search reads to be sure, before it gives what it has and where it goes on.
const mostRead = 1_000

// Hit is a mail that was found.
type Hit struct {
	Inbox, Thread, Message string
	At                     int64 // ms
	Subject, From          string
	Around                 string // what stands about the words
}

// Found is a piece of what was found, the newest first.
type Found struct {
	Hits    []Hit
	Last    int64  // where it goes on
	ID      string // empty: that is all
	Waiting int    // mails that were not looked at: they are in no segment yet
}

func aboutSegment(t *store.Tenant, box, what string, n int64) string {
	return string(t.ID()) + "|inbox|" + box + "|segment|" + what + "|" + string(binary.AppendVarint(nil, n))
}

// Index gathers mails of an inbox that are in no segment into one, where there are enough of them. more says that there is work left. Mails whose
// body is not read yet wait.
func Index(ctx context.Context, t *store.Tenant, k inbox.Keeper, box string) (more bool, err error) {
	list, err := mails(ctx, t, `inbox = $2 and segment = 0 and gone = 0 and body is not null order by at desc, id limit $3`, box, segmentMails)
	if err != nil || len(list) < segmentMails {
		return false, err
	}
	key, err := inbox.OpenKey(ctx, t, k, box)
	if err != nil {
		return false, err
	}
	ids, times, all := make([]string, len(list)), []byte{}, make([][]uint32, len(list))
	for i, m := range list {
		body, err := inbox.BodyOf(ctx, t, k, box, m.id)
		if err != nil && tocsin.AsProblem(err).Code != tocsin.NotFound {
			return false, err
		}
		ids[i] = m.id
		times = binary.BigEndian.AppendUint64(times, uint64(m.at))
		all[i] = keys(box, words(m.subject, m.from, m.fromName, m.people, body.Text))
	}
	raw, err := json.Marshal(ids)
	if err != nil {
		return false, err
	}
	var n int64
	if err := t.QueryRow(ctx, `select coalesce(max(n), 0) + 1 from inbox_segment where tenant = $1 and inbox = $2`, box).Scan(&n); err != nil {
		return false, err
	}
	if _, err := t.Exec(ctx, `insert into inbox_segment (tenant, inbox, n, times, mails, made) values ($1, $2, $3, $4, $5, $6)`, box, n, key.Seal(times, aboutSegment(t, box, "times", n)), key.Seal(raw, aboutSegment(t, box, "mails", n)), t.Tx().Clock().Now()); err != nil {
		return false, err
	}
	parts := pack(all)
	rows := make([][]any, len(parts))
	for shard, part := range parts {
		rows[shard] = []any{box, shard, n, key.Seal(part, aboutSegment(t, box, "words", n*shards+int64(shard)))}
	}
	if err := t.Insert(ctx, store.Into{Table: "inbox_segment_part", Columns: []string{"inbox", "shard", "n", "words"}}, rows); err != nil {
		return false, err
	}
	args := []any{box, n}
	for _, id := range ids {
		args = append(args, id)
	}
	_, err = t.Exec(ctx, `update inbox_message set segment = $3 where tenant = $1 and inbox = $2 and id in (`+store.In(len(ids), 4)+`)`, args...)
	return true, err
}

// mailRow is what a search reads of a mail besides its body.
type mailRow struct {
	id, thread, subject, from, fromName, people string
	at                                          int64
}

func mails(ctx context.Context, t *store.Tenant, where string, args ...any) ([]mailRow, error) {
	rows, err := t.Query(ctx, `select id, thread, subject, from_address, from_name, to_list, cc_list, at from inbox_message where tenant = $1 and `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []mailRow
	for rows.Next() {
		var m mailRow
		var to, cc string
		if err := rows.Scan(&m.id, &m.thread, &m.subject, &m.from, &m.fromName, &to, &cc, &m.at); err != nil {
			return nil, err
		}
		var list, more []tocsin.Address
		if err := json.Unmarshal([]byte(to), &list); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(cc), &more); err != nil {
			return nil, err
		}
		for _, a := range append(list, more...) {
			m.people += a.Name + " " + a.Address + "\n"
		}
		out = append(out, m)
	}
	return out, rows.Err()
}

// place is where a mail that may be one stands.
type place struct {
	box     string
	at      int64
	segment int64 // 0: row is it
	n       byte
	row     mailRow
}

// Search finds mails of inboxes, the newest first: those before the moment last, and of that moment those with ids behind id. Each is read before
// it is given.
func Search(ctx context.Context, t *store.Tenant, k inbox.Keeper, boxes []string, a Wanted, last int64, limit int) (f Found, err error) {
	if last == 0 {
		last = math.MaxInt64
	}
	var all []place
	for _, box := range boxes {
		key, err := inbox.OpenKey(ctx, t, k, box)
		if errors.Is(err, inbox.ErrErased) {
			continue // nobody can read it any more
		}
		if err != nil {
			return f, err
		}
		if all, err = segments(ctx, t, key, box, a.keys(box), last, all); err != nil {
			return f, err
		}
		fresh, err := mails(ctx, t, `inbox = $2 and segment = 0 and gone = 0 and body is not null order by at desc, id limit $3`, box, mostFresh+1)
		if err != nil {
			return f, err
		}
		if len(fresh) > mostFresh {
			var waiting int
			if err := t.QueryRow(ctx, `select count(*) from (select 1 as one from inbox_message where tenant = $1 and inbox = $2 and segment = 0 and gone = 0 limit 100000) waiting`, box).Scan(&waiting); err != nil {
				return f, err
			}
			f.Waiting, fresh = f.Waiting+waiting-mostFresh, fresh[:mostFresh]
		}
		for _, m := range fresh {
			if m.at < last {
				all = append(all, place{box: box, at: m.at, row: m})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b place) int { return cmp.Compare(b.at, a.at) })
	return f, f.read(ctx, t, k, a, all, limit)
}

// read reads the mails that may be ones, until enough are. A piece ends between two moments, so none is left out where it goes on.
func (f *Found) read(ctx context.Context, t *store.Tenant, k inbox.Keeper, a Wanted, all []place, limit int) error {
	ids := map[string][]string{}
	for i, p := range all {
		if i > 0 && p.at != all[i-1].at && (len(f.Hits) >= limit || i >= mostRead) {
			f.Last, f.ID = all[i-1].at, "more"
			return nil
		}
		if p.segment > 0 {
			name := p.box + "|" + string(binary.AppendVarint(nil, p.segment))
			if ids[name] == nil {
				list, err := mailsOf(ctx, t, k, p.box, p.segment)
				if err != nil {
					return err
				}
				ids[name] = list
			}
			if int(p.n) >= len(ids[name]) {
				return errTorn
			}
			rows, err := mails(ctx, t, `inbox = $2 and id = $3 and gone = 0`, p.box, ids[name][p.n])
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				continue // it is gone
			}
			p.row = rows[0]
		}
		body, err := inbox.BodyOf(ctx, t, k, p.box, p.row.id)
		if err != nil && tocsin.AsProblem(err).Code != tocsin.NotFound {
			return err
		}
		m := p.row
		if a.met(says{inOrder(m.from + " " + m.fromName), inOrder(m.people), inOrder(m.subject), inOrder(body.Text)}) {
			f.Hits = append(f.Hits, Hit{Inbox: p.box, Thread: m.thread, Message: m.id, At: m.at, Subject: m.subject, From: cmp.Or(m.fromName, m.from), Around: a.around(body.Text)})
		}
	}
	return nil
}

func mailsOf(ctx context.Context, t *store.Tenant, k inbox.Keeper, box string, n int64) (ids []string, err error) {
	var sealed []byte
	if err := t.QueryRow(ctx, `select mails from inbox_segment where tenant = $1 and inbox = $2 and n = $3`, box, n).Scan(&sealed); err != nil {
		return nil, err
	}
	key, err := inbox.OpenKey(ctx, t, k, box)
	if err != nil {
		return nil, err
	}
	raw, err := key.Open(sealed, aboutSegment(t, box, "mails", n))
	if err != nil {
		return nil, err
	}
	return ids, json.Unmarshal(raw, &ids)
}

// segments adds the places in an inbox's segments that have all keys.
func segments(ctx context.Context, t *store.Tenant, key *inbox.Key, box string, want []uint32, last int64, all []place) ([]place, error) {
	by := map[int][]uint32{}
	for _, k := range want {
		by[shardOf(k)] = append(by[shardOf(k)], k)
	}
	held, first := map[int64][]byte{}, true
	for shard, want := range by {
		now := map[int64][]byte{}
		rows, err := t.Query(ctx, `select n, words from inbox_segment_part where tenant = $1 and inbox = $2 and shard = $3`, box, shard)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var n int64
			var sealed []byte
			if err := rows.Scan(&n, &sealed); err != nil {
				rows.Close()
				return nil, err
			}
			if !first && len(held[n]) == 0 {
				continue
			}
			places, err := shardPlaces(t, key, box, n, shard, sealed, want)
			if err != nil {
				rows.Close()
				return nil, err
			}
			if !first {
				places = both(places, held[n])
			}
			if len(places) > 0 {
				now[n] = places
			}
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
		rows.Close()
		held, first = now, false
	}
	if len(held) == 0 {
		return all, nil
	}
	rows, err := t.Query(ctx, `select n, times from inbox_segment where tenant = $1 and inbox = $2`, box)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		var sealed []byte
		if err := rows.Scan(&n, &sealed); err != nil {
			return nil, err
		}
		if len(held[n]) == 0 {
			continue
		}
		times, err := key.Open(sealed, aboutSegment(t, box, "times", n))
		if err != nil {
			return nil, err
		}
		for _, p := range held[n] {
			if len(times) < 8*(int(p)+1) {
				return nil, errTorn
			}
			if at := int64(binary.BigEndian.Uint64(times[8*int(p):])); at < last {
				all = append(all, place{box: box, at: at, segment: n, n: p})
			}
		}
	}
	return all, rows.Err()
}

// shardPlaces are the mails of a segment that have all keys of a shard.
func shardPlaces(t *store.Tenant, key *inbox.Key, box string, n int64, shard int, sealed []byte, want []uint32) ([]byte, error) {
	raw, err := key.Open(sealed, aboutSegment(t, box, "words", n*shards+int64(shard)))
	if err != nil {
		return nil, err
	}
	found, err := look(raw, want)
	if err != nil || len(found) < len(want) {
		return nil, err
	}
	places := found[want[0]]
	for _, k := range want[1:] {
		places = both(places, found[k])
	}
	return places, nil
}
