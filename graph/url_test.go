package graph

import "testing"

// TestAddress: a call's address has what is asked of it, escaped, and nothing that was not allowed.
func TestAddress(t *testing.T) {
	call := newTemplate(Call{Path: "/users/{user}/sites('{site}')/messages/{message}/x", Select: []string{"id", "a b"}, Expand: "p($filter=id eq 'Integer 0x1081')", Top: 50, Options: []string{"$top", "$filter"}})
	for _, c := range []struct {
		p    P
		want string // of what fails: ""
	}{
		{P{"user": "amy@x.example", "site": "a/b'c", "message": "AAMk=?"}, "/users/amy@x.example/sites('a%2Fb%27%27c')/messages/AAMk=%3F/x?$select=id,a%20b&$expand=p%28%24filter%3Did%20eq%20%27Integer%200x1081%27%29&$top=50"},
		{P{"user": "u", "site": "s", "message": "m", "$top": "5", "$filter": "a+b, c"}, "/users/u/sites('s')/messages/m/x?$select=id,a%20b&$expand=p%28%24filter%3Did%20eq%20%27Integer%200x1081%27%29&$filter=a%2Bb,%20c&$top=5"},
		{P{"user": "u", "site": "s"}, ""},
		{P{"user": "..", "site": "s", "message": "m"}, ""},
		{P{"user": "u", "site": "s", "message": "m", "$skip": "1"}, ""},
		{P{"user": "u", "site": "s", "$top": "1"}, ""},
	} {
		got, err := call.url(c.p)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%v\nis   %s, %v\nwant %s", c.p, got, err, c.want)
		}
	}
}

// BenchmarkAddress fills the address of a look at a message, and writes it as a part of a batch.
func BenchmarkAddress(b *testing.B) {
	c, _ := serve(b, nil)
	p := P{"user": "3c6e0b8a-9c15-4a3b-8f0e-1f2d3c4b5a69", "message": "AAMkAGVmMDEzMTM4LTZmYWUtNDdkNC1hMDZiLTU1OGY5OTZhYmY4OABGAAAAAADUuTJK1K9aTpCdqXop_4NaBwCd9nJ-tVysQos2hTfspaWRAAAAAAEJAACd000000000001"}
	b.ReportAllocs()
	var body []byte
	for b.Loop() {
		r, err := c.request("messages.get.answered", p)
		if err != nil {
			b.Fatal(err)
		}
		body = appendPart(body[:0], 1, &r, false)
	}
}
