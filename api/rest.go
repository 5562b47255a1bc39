package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"tocsin.dev"
	"tocsin.dev/detect"
)

// ServeHTTP answers everything under /api/. It finds out who asks itself, unless that was done further out.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// routes makes the REST interface from the table of operations.
func (s *Service) routes() http.Handler {
	mux := http.NewServeMux()
	api := humago.New(mux, config(s.o.Version, s.log))
	register(api, Ops(s))
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) { WriteProblem(w, notFound("address")) })
	return s.Authenticate(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if requestOf(r.Context()).caller == nil {
			w.Header().Set("WWW-Authenticate", `Bearer realm="tocsin"`) // of use with 401, and no harm else
		}
		mux.ServeHTTP(w, r)
	}))
}

func register(api huma.API, ops []Op) {
	for _, o := range ops {
		o.register(api, o)
	}
	for _, unused := range []string{"ErrorModel", "ErrorDetail"} { // huma's own problem, which problemOfHuma replaces
		delete(api.OpenAPI().Components.Schemas.Map(), unused)
	}
}

// OpenAPI is the description of the REST interface, OpenAPI 3.1 as JSON; it is served at /api/v1/openapi.json.
func OpenAPI(version string) ([]byte, error) {
	api := humago.New(http.NewServeMux(), config(version, slog.New(slog.DiscardHandler)))
	register(api, Ops(nil))
	return json.MarshalIndent(api.OpenAPI(), "", "  ")
}

func config(version string, log *slog.Logger) huma.Config {
	c := huma.DefaultConfig("Tocsin", firstOf(version, "dev"))
	c.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "/api/v1/openapi", "", ""
	c.CreateHooks = nil // no $schema in answers
	c.Info.Description = "Everything that the pages show and do. Lists take limit and after; acts take Idempotency-Key; edits carry version; errors are problems with code, what and do."
	form := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: decode}
	c.Formats = map[string]huma.Format{"application/json": form, "json": form}
	c.NoFormatFallback = false
	c.Transformers = []huma.Transformer{problemOfHuma, logging(log)}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "An API token (tcs_…)"},
		"session": {Type: "apiKey", In: "cookie", Name: "tocsin", Description: "A browser's session; __Host-tocsin over TLS"},
	}
	problem := c.Components.Schemas.Schema(reflect.TypeFor[problemBody](), true, "Problem")
	c.Components.Responses = map[string]*huma.Response{"Problem": {Description: "What went wrong, and what to do about it (RFC 9457)",
		Content: map[string]*huma.MediaType{"application/problem+json": {Schema: problem}}}}
	return c
}

// schemaName is huma's own, except where two packages have one word for two things, or the word says little.
func schemaName(t reflect.Type, hint string) string {
	switch t {
	case reflect.TypeFor[tocsin.MailRule]():
		return "MailRuleSettings"
	case reflect.TypeFor[detect.Meta]():
		return "Detector"
	case reflect.TypeFor[problemBody]():
		return "Problem"
	case reflect.TypeFor[Evidence]():
		return "KeptMail"
	}
	return huma.DefaultSchemaNamer(t, hint)
}

// knownQuery refuses names in the query that the operation does not have: a typing error is not passed over.
func knownQuery(o Op) func(huma.Context, func(huma.Context)) {
	names := queryNames(o.in)
	return func(c huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(c)
		for name := range r.URL.Query() {
			if !names[name] {
				WriteProblem(w, invalid("Look at /api/v1/openapi.json for what it takes.", "There is no parameter %q.", name))
				return
			}
		}
		next(c)
	}
}

func queryNames(t reflect.Type) map[string]bool {
	names := map[string]bool{}
	for _, f := range reflect.VisibleFields(t) {
		if name := f.Tag.Get("query"); name != "" {
			names[name] = true
		}
	}
	return names
}

// decode reads a body and refuses members that it does not know: a typing error is not passed over.
func decode(data []byte, v any) error {
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil && d.More() {
		err = errors.New("something follows the object")
	}
	return asBodyError(err)
}

// asBodyError says what is wrong with a body without the words of our insides.
func asBodyError(err error) error {
	if err == nil {
		return nil
	}
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s cannot be a %s", firstOf(t.Field, "the body"), t.Value)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("there is no member %s", name)
	}
	if _, ok := errors.AsType[*json.SyntaxError](err); ok || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("it is not whole JSON")
	}
	if strings.Contains(err.Error(), "parsing time") {
		return errors.New("a time must be like 2026-12-31T00:00:00Z")
	}
	return err
}

// logging logs what went wrong inside, which the answer does not say.
func logging(log *slog.Logger) huma.Transformer {
	return func(c huma.Context, _ string, v any) (any, error) {
		if p, ok := v.(*problemBody); ok && p.Status >= 500 {
			log.Error("an operation failed", "operation", c.Operation().OperationID, "error", cause(p.err))
		}
		return v, nil
	}
}

// cause is the error beneath what a person is told.
func cause(err error) error {
	if p, ok := errors.AsType[*tocsin.Problem](err); ok && p.Err != nil {
		return p.Err
	}
	return err
}

// problemOfHuma turns what huma itself refuses (a body that is no JSON, a number that is none) into our problem.
func problemOfHuma(_ huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := problemBody{Type: "about:blank", Title: http.StatusText(e.Status), Status: e.Status, Code: "invalid", What: "The request cannot be read.", Do: "Look at /api/v1/openapi.json for what it takes."}
	switch {
	case e.Status >= 500:
		p.Code, p.What, p.Do = "internal", "Something went wrong inside Tocsin.", "Try again; if it stays, look in the server's log and report it."
	case e.Status == http.StatusRequestEntityTooLarge:
		p.What, p.Do = "The request is too large.", "Send at most 256 KiB."
	case len(e.Errors) > 0:
		where := e.Errors[0].Location
		for _, prefix := range []string{"query.", "path.", "header.", "body."} {
			where = strings.TrimPrefix(where, prefix)
		}
		p.What = fmt.Sprintf("%s: %s.", firstOf(where, "request"), e.Errors[0].Message)
	case e.Detail != "":
		p.What = "The request cannot be read: " + e.Detail + "."
	}
	p.Detail = p.What + " " + p.Do
	return &p, nil
}
