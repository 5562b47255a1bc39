package sim

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// Address is where the in-process client finds Graph and the sign-in service.
const Address = "https://sim.invalid"

// Client calls the simulator in this process, without sockets: any https address leads to it.
func (s *Sim) Client() *http.Client { return &http.Client{Transport: inProcess{s.Handler()}} }

// inProcess is a transport that calls a handler.
type inProcess struct{ h http.Handler }

// RoundTrip answers the request; a handler that aborts makes a body that breaks off.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	in := r.Clone(r.Context())
	in.Host = r.URL.Host
	if r.Host != "" {
		in.Host = r.Host
	}
	in.RequestURI = r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := &recorded{header: http.Header{}, status: http.StatusOK}
	cut, err := w.run(t.h, in)
	in.Body.Close()
	if err != nil {
		return nil, err
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var body io.Reader = &w.body
	if cut {
		body = io.MultiReader(body, brokenOff{})
	}
	length := int64(w.body.Len())
	if n, err := strconv.ParseInt(w.header.Get("Content-Length"), 10, 64); err == nil {
		length = n
	}
	return &http.Response{Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(body), ContentLength: length, Request: r}, nil
}

type brokenOff struct{}

func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// recorded is an answer that was written in this process.
type recorded struct {
	header http.Header
	status int
	sent   bool
	body   bytes.Buffer
}

func (w *recorded) run(h http.Handler, r *http.Request) (cut bool, err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			cut = true
		default:
			panic(v)
		}
	}()
	h.ServeHTTP(w, r)
	return false, nil
}

func (w *recorded) Header() http.Header { return w.header }

func (w *recorded) WriteHeader(status int) {
	if !w.sent {
		w.status, w.sent = status, true
	}
}

func (w *recorded) Write(b []byte) (int, error) {
	w.sent = true
	return w.body.Write(b)
}
