package sim

import (
	"fmt"
	"net/http"
	"time"
)

// reply is an answer before it is written, alone or as a part of a batch.
type reply struct {
	status int
	header [][2]string
	body   []byte // JSON unless header says otherwise; nil: none
	cut    bool   // the connection breaks in the middle of the body
}

func ok(body []byte) reply { return reply{status: http.StatusOK, body: body} }

func (r reply) with(name, value string) reply {
	r.header = append(r.header, [2]string{name, value})
	return r
}

// refuse is an error in Graph's form. Its date has no zone, as Graph's has none.
func (s *Sim) refuse(r *request, status int, code, format string, args ...any) reply {
	message := format
	if len(args) > 0 {
		message = fmt.Sprintf(format, args...)
	}
	b := append(make([]byte, 0, 320), `{"error":{"code":`...)
	b = appendString(b, code)
	b = append(b, `,"message":`...)
	b = appendString(b, message)
	b = append(b, `,"innerError":{"date":"`...)
	b = s.clock.Now().AppendFormat(b, "2006-01-02T15:04:05")
	b = append(b, `","request-id":"`...)
	b = append(b, r.id...)
	b = append(b, `","client-request-id":`...)
	b = appendString(b, r.clientID())
	b = append(b, `}}}`...)
	return reply{status: status, body: b}
}

func (s *Sim) badRequest(r *request, format string, args ...any) reply {
	if r.route != nil && r.route.outlook {
		return s.refuse(r, http.StatusBadRequest, "RequestBroker--ParseUri", format, args...)
	}
	return s.refuse(r, http.StatusBadRequest, "BadRequest", format, args...)
}

// notFound is what the directory says of an id nobody has; Outlook has words of its own.
func (s *Sim) notFound(r *request, key string) reply {
	if r.route != nil && r.route.outlook {
		return s.refuse(r, http.StatusNotFound, "ErrorItemNotFound", "The specified object was not found in the store.")
	}
	return s.refuse(r, http.StatusNotFound, "Request_ResourceNotFound",
		"Resource '%s' does not exist or one of its queried reference-property objects are not present.", key)
}

// throttled is a 429; after is Retry-After as it stands in the header, "" for none.
func (s *Sim) throttled(r *request, code, after string) reply {
	out := s.refuse(r, http.StatusTooManyRequests, code, "Please retry again later.")
	if after != "" {
		out = out.with("Retry-After", after)
	}
	return out
}

// context begins a body with @odata.context.
func (r *request) context(what string) []byte {
	b := append(make([]byte, 0, 512), `{"@odata.context":"`...)
	b = append(append(b, r.base...), "/$metadata#"...)
	b = append(b, what...)
	return append(b, '"')
}

// entity is a body of one resource: the context, then its properties.
func (r *request) entity(what string, o obj) []byte {
	b := r.context(what)
	for _, m := range o {
		b = append(appendString(append(b, ','), m.k), ':')
		b = appendJSON(b, m.v)
	}
	return append(b, '}')
}

// write sends the reply over HTTP.
func (out reply) write(w http.ResponseWriter, r *request, now time.Time) {
	h := w.Header()
	h.Set("Date", now.UTC().Format(http.TimeFormat))
	h.Set("request-id", r.id)
	h.Set("client-request-id", r.clientID())
	h.Set("Cache-Control", "no-cache")
	h.Set("Strict-Transport-Security", "max-age=31536000")
	h.Set("x-ms-ags-diagnostic", `{"ServerInfo":{"DataCenter":"West Europe","Slice":"E","Ring":"5","ScaleUnit":"001","RoleInstance":"AM1PEPF00000001"}}`)
	if out.body != nil {
		h.Set("Content-Type", contentType)
		if out.status >= 400 {
			h.Set("Content-Type", "application/json")
		}
	}
	for _, kv := range out.header {
		h.Set(kv[0], kv[1])
	}
	if out.cut {
		if len(out.body) == 0 { // an answer without a body would be whole
			panic(http.ErrAbortHandler)
		}
		h.Set("Content-Length", fmt.Sprint(len(out.body)))
		w.WriteHeader(out.status)
		w.Write(out.body[:len(out.body)/2])
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(out.status)
	w.Write(out.body)
}

const contentType = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
