package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// arrived is what huma gives every operation: the request as it came. Its parts are put into the operation's own input here and not by
// huma, whose registering, five hundred lines that are generic, would else be compiled again for each of some hundred operations.
type arrived struct{ c huma.Context }

// Resolve takes the request.
func (r *arrived) Resolve(c huma.Context) []error {
	r.c = c
	return nil
}

// answer is an operation's output as huma wants it.
type answer struct{ Body any }

// registered puts an operation behind its route, and into the OpenAPI document.
func registered(api huma.API, o Op) {
	d, schemas := describe(o), api.OpenAPI().Components.Schemas
	params := paramsOf(schemas, o.in)
	for _, p := range params {
		d.Parameters = append(d.Parameters, p.document())
	}
	body, hasBody := o.in.FieldByName("Body")
	var asks *huma.RequestBody
	if hasBody {
		asks = &huma.RequestBody{Required: body.Type.Kind() != reflect.Pointer,
			Content: map[string]*huma.MediaType{"application/json": {Schema: huma.SchemaFromField(schemas, body, o.in.Name()+"Body")}}}
	}
	out := huma.SchemaFromField(schemas, reflect.StructField{Name: "Body", Type: o.out}, d.OperationID+"Response")
	d.Responses[strconv.Itoa(o.Status)] = &huma.Response{Description: http.StatusText(o.Status), Headers: map[string]*huma.Param{}, Content: map[string]*huma.MediaType{"application/json": {Schema: out}}}
	huma.Register(api, d, func(ctx context.Context, r *arrived) (*answer, error) {
		in := reflect.New(o.in)
		err := params.read(r.c, in.Elem())
		if err == nil && hasBody {
			err = readBody(api, r.c, o.most, asks.Required, in.Elem().FieldByIndex(body.Index))
		}
		if err != nil {
			return nil, err
		}
		resolve(r.c, in)
		got, err := o.call(ctx, in.Interface())
		if err != nil {
			return nil, restError(err)
		}
		return &answer{got}, nil
	})
	if asks != nil { // told to huma only now: it would read the body itself
		documented(api, o).RequestBody = asks
	}
}

// documented is an operation as the OpenAPI document has it.
func documented(api huma.API, o Op) *huma.Operation {
	p := api.OpenAPI().Paths[o.Path]
	return map[string]*huma.Operation{http.MethodGet: p.Get, http.MethodPost: p.Post, http.MethodPut: p.Put, http.MethodPatch: p.Patch, http.MethodDelete: p.Delete}[o.Method]
}

// param is a field of an input that stands in the path, the query or a header.
type param struct {
	index    []int
	in, name string
	schema   *huma.Schema
	required bool
}

type params []param

// paramsOf are an input's, in the order of its fields, those of the parts that it is made of among them.
func paramsOf(schemas huma.Registry, t reflect.Type) (out params) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			for _, p := range paramsOf(schemas, f.Type) {
				p.index = append(slices.Clone(f.Index), p.index...)
				out = append(out, p)
			}
			continue
		}
		for _, in := range []string{"path", "query", "header"} {
			if name := f.Tag.Get(in); name != "" {
				out = append(out, param{f.Index, in, name, huma.SchemaFromField(schemas, f, ""), in == "path" || f.Tag.Get("required") == "true"})
				break
			}
		}
	}
	return out
}

func (p param) document() *huma.Param {
	d := &huma.Param{Name: p.name, In: p.in, Description: p.schema.Description, Required: p.required, Schema: p.schema}
	if p.in == "query" {
		d.Explode = new(bool) // several are written with commas between
	}
	return d
}

// read puts what stands in the request into an input. What is wrong is told of all at once.
func (all params) read(c huma.Context, in reflect.Value) error {
	var wrong []error
	for _, p := range all {
		text := ""
		switch p.in {
		case "path":
			text = c.Param(p.name)
		case "query":
			text = c.Query(p.name)
		case "header":
			text = c.Header(p.name)
		}
		if text == "" {
			continue
		}
		if err := put(in.FieldByIndex(p.index), text); err != nil {
			wrong = append(wrong, &huma.ErrorDetail{Location: p.in + "." + p.name, Message: err.Error(), Value: text})
		}
	}
	if wrong != nil {
		return huma.NewError(http.StatusUnprocessableEntity, "validation failed", wrong...)
	}
	return nil
}

// put puts a text into a field, as a flag's value is put; a time is written out here.
func put(f reflect.Value, text string) error {
	t, ok := f.Addr().Interface().(*time.Time)
	if !ok {
		return (&value{v: f}).Set(text)
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return errors.New("a time must be like 2026-12-31T00:00:00Z")
	}
	*t = at
	return nil
}

// bodyTime is how long a body may take to come.
const bodyTime = 5 * time.Second

// readBody reads a body of at most so many bytes into a field.
func readBody(api huma.API, c huma.Context, most int64, required bool, into reflect.Value) error {
	_ = c.SetReadDeadline(time.Now().Add(bodyTime)) // not every server has one
	raw, err := io.ReadAll(io.LimitReader(c.BodyReader(), most+1))
	if slow, ok := errors.AsType[net.Error](err); ok && slow.Timeout() {
		return huma.NewError(http.StatusRequestTimeout, "the body took too long to come")
	}
	switch {
	case err != nil:
		return huma.NewError(http.StatusBadRequest, "the body broke off")
	case int64(len(raw)) > most:
		return huma.NewError(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", most))
	case len(raw) == 0 && required:
		return huma.NewError(http.StatusBadRequest, "request body is required")
	case len(raw) == 0:
		return nil
	}
	if err := api.Unmarshal(c.Header("Content-Type"), raw, into.Addr().Interface()); err != nil {
		status := http.StatusUnprocessableEntity
		if errors.Is(err, huma.ErrUnknownContentType) {
			status = http.StatusUnsupportedMediaType
		}
		return huma.NewError(status, "validation failed", &huma.ErrorDetail{Location: "body", Message: err.Error()})
	}
	return nil
}

// resolve gives the request to what of an input takes it itself: a file that is read as it comes.
func resolve(c huma.Context, in reflect.Value) {
	if r, ok := in.Interface().(huma.Resolver); ok {
		r.Resolve(c)
	}
}
