package api

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"tocsin.dev"
)

// Client calls a server's operations.
type Client struct {
	URL   string       // the server, such as https://tocsin.example
	Token string       // an API token
	HTTP  *http.Client // http.DefaultClient where nil
	Agent string       // user agent
}

// NewClient makes a client of the server at address with an API token. ca is a file with the certificate authority (PEM)
// where the system does not know it, else empty.
func NewClient(address, token, ca string) (*Client, error) {
	if u, err := url.Parse(address); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, tocsin.Problemf(tocsin.Invalid, "Give TOCSIN_SERVER as in https://tocsin.example or http://127.0.0.1:8470.", "%q is not the address of a server.", address)
	}
	c := &Client{URL: address, Token: token, Agent: "tocsin"}
	if ca == "" {
		return c, nil
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, tocsin.Problemf(tocsin.Invalid, "Give the file that holds it.", "There is no file %s with a certificate authority that can be read (TOCSIN_CA).", ca)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, tocsin.Problemf(tocsin.Invalid, "Give it as PEM (-----BEGIN CERTIFICATE-----).", "%s is no certificate authority.", ca)
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	c.HTTP = &http.Client{Transport: t}
	return c, nil
}

// Do calls the operation name ("findings list") with its input, and reads its answer into out, a pointer, unless it is
// nil. The error is the server's problem, or one that says why it cannot be reached.
func (c *Client) Do(ctx context.Context, name string, in, out any) error {
	o, ok := table()[name]
	if !ok {
		return tocsin.Problemf(tocsin.Invalid, "Look at tocsin --help.", "There is no operation %q.", name)
	}
	res, err := c.send(ctx, o, in, nil, "application/json")
	if err != nil {
		return err
	}
	return c.answer(res, out)
}

// Upload calls an operation whose body is a file ("import audit"), which is read as it is sent.
func (c *Client) Upload(ctx context.Context, name string, in any, file io.Reader, out any) error {
	o, ok := table()[name]
	if !ok || !o.upload {
		return tocsin.Problemf(tocsin.Invalid, "Look at tocsin --help.", "There is no operation %q that takes a file.", name)
	}
	res, err := c.send(ctx, o, in, file, "application/json")
	if err != nil {
		return err
	}
	return c.answer(res, out)
}

func (c *Client) answer(res *http.Response, out any) error {
	defer res.Body.Close()
	if out == nil || res.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		return c.unreadable(err)
	}
	return nil
}

// Follow calls a stream ("facts stream") and gives what comes until ctx ends or the server does. It does not come again
// by itself: who must miss nothing calls again with the last id.
func (c *Client) Follow(ctx context.Context, name string, in any) iter.Seq2[Fact, error] {
	return func(yield func(Fact, error) bool) {
		res, err := c.send(ctx, table()[name], in, nil, "text/event-stream")
		if err != nil {
			yield(Fact{}, err)
			return
		}
		defer res.Body.Close()
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 4<<20)
		for lines.Scan() {
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			if !ok {
				continue
			}
			var f Fact
			err := json.Unmarshal([]byte(data), &f)
			if err != nil {
				err = c.unreadable(err)
			}
			if !yield(f, err) || err != nil {
				return
			}
		}
		if err := lines.Err(); err != nil && ctx.Err() == nil {
			yield(Fact{}, c.unreachable(err))
		}
	}
}

func (c *Client) send(ctx context.Context, o Op, in any, file io.Reader, accept string) (*http.Response, error) {
	w, err := wireOf(o, in)
	if err != nil {
		return nil, err
	}
	body := file
	if body == nil {
		body = bytes.NewReader(w.body)
	}
	req, err := http.NewRequestWithContext(ctx, o.Method, strings.TrimRight(c.URL, "/")+w.path, body)
	if err != nil {
		return nil, tocsin.Problemf(tocsin.Invalid, "Give it like https://tocsin.example.", "%q is not the address of a server.", c.URL)
	}
	req.Header = w.header
	req.Header.Set("Accept", accept)
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if c.Agent != "" {
		req.Header.Set("User-Agent", c.Agent)
	}
	if file != nil {
		req.Header.Set("Content-Type", "application/octet-stream")
	} else if len(w.body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	hc := c.HTTP
	if hc == nil {
		hc = http.DefaultClient
	}
	res, err := hc.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, c.unreachable(err)
	}
	if res.StatusCode >= 300 {
		defer res.Body.Close()
		return nil, problemOf(res)
	}
	return res, nil
}

func (c *Client) unreachable(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the address twice
	}
	p := tocsin.Problemf(tocsin.Unavailable, "See whether it runs there, and that the address is right.", "%s does not answer: %v.", c.URL, err)
	p.Err = err
	return p
}

func (c *Client) unreadable(err error) error {
	p := tocsin.Problemf(tocsin.Unavailable, "See that the address is that of a Tocsin server of this version.", "%s answers something that cannot be read.", c.URL)
	p.Err = err
	return p
}

// problemOf is the problem in an answer.
func problemOf(res *http.Response) error {
	var b problemBody
	err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&b)
	if err != nil || b.What == "" {
		return tocsin.Problemf(tocsin.Unavailable, "See that the address is that of a Tocsin server.", "The server answered %s.", res.Status)
	}
	return &tocsin.Problem{Code: b.Code, What: b.What, Do: b.Do}
}

// wire is an input as HTTP carries it.
type wire struct {
	path   string
	header http.Header
	body   []byte
}

// wireOf is the other direction of huma's reading: path, query, header and body by the fields' tags.
func wireOf(o Op, in any) (wire, error) {
	w := wire{path: o.Path, header: http.Header{}}
	query := url.Values{}
	v := reflect.Indirect(reflect.ValueOf(in))
	if !v.IsValid() || v.Type() != o.in {
		return w, fmt.Errorf("%s takes %s, not %T", o.Name, o.in, in)
	}
	if err := w.fields(v, query); err != nil {
		return w, err
	}
	if len(query) > 0 {
		w.path += "?" + query.Encode()
	}
	return w, nil
}

func (w *wire) fields(v reflect.Value, query url.Values) error {
	for i := range v.NumField() {
		f, x := v.Type().Field(i), v.Field(i)
		switch {
		case f.Anonymous:
			if err := w.fields(x, query); err != nil {
				return err
			}
		case f.Name == "Body":
			body, err := json.Marshal(x.Interface())
			if err != nil {
				return err
			}
			w.body = body
		case f.Tag.Get("path") != "":
			text := textOf(x)
			if text == "" {
				return invalid("Give it.", "%s is missing.", f.Tag.Get("path"))
			}
			w.path = strings.ReplaceAll(w.path, "{"+f.Tag.Get("path")+"}", url.PathEscape(text))
		case f.Tag.Get("query") != "" && !x.IsZero():
			query.Set(f.Tag.Get("query"), textOf(x))
		case f.Tag.Get("header") != "" && !x.IsZero():
			w.header.Set(f.Tag.Get("header"), textOf(x))
		}
	}
	return nil
}

func textOf(v reflect.Value) string {
	if t, ok := v.Interface().(time.Time); ok {
		return t.UTC().Format(time.RFC3339Nano)
	}
	switch v.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Slice:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = textOf(v.Index(i))
		}
		return strings.Join(parts, ",")
	}
	return v.String()
}
